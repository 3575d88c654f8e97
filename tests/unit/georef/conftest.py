from __future__ import annotations

from hypothesis import settings

# The first call of a function loads tables; on a busy machine that is no failure.
settings.register_profile("georef", deadline=None, max_examples=60)
settings.load_profile("georef")
