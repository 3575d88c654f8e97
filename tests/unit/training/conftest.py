"""Makes the training helpers importable; they are scripts, not part of the package."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "scripts"))

# Before anything imports Ultralytics by itself: it changes Pillow for all tests of the process.
with contextlib.suppress(ImportError):
    import training.ultralytics_env  # noqa: F401
