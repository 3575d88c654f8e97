"""Where the files that travel with Huoyan lie: models and example configurations."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from huoyan.errors import HuoyanError


def folder(name: str) -> Path:
    """The folder `name` (`models`, `configs`): of the checkout, or inside the installed package.

    Raises:
        HuoyanError: neither is there; the installation is damaged.
    """
    package = Path(__file__).resolve().parent
    for candidate in (package / "_share" / name, package.parents[1] / name):
        if candidate.is_dir():
            return candidate
    raise HuoyanError(f"the folder {name!r} is missing", hint="install Huoyan again")


def user_models() -> Path:
    """The user's own models, which `huoyan models add` puts there; it may not exist."""
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return base / "huoyan" / "models"
