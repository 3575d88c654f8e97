"""What starting the command costs and says: no heavy room is loaded for help, and every command has some."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import typer

from huoyan.cli.main import app

# Not pydantic: recent versions of typer load it themselves for the help of a command.
HEAVY = ("cv2", "onnxruntime", "av", "rasterio", "pyproj", "shapely", "scipy", "numpy", "PIL")
ROOMS = (
    "sources",
    "perception",
    "georef",
    "registry",
    "scenes",
    "incidents",
    "alerts",
    "dispatch",
    "runs",
    "config",
)
_PRINT = f"""
import sys
loaded = [n for n in {HEAVY!r} if n in sys.modules]
loaded += [n for n in {ROOMS!r} if "huoyan." + n in sys.modules]
print(",".join(loaded), file=sys.stderr)
"""


def loaded_by(code: str) -> str:
    """Heavy libraries and rooms that a fresh interpreter has loaded after some code."""
    done = subprocess.run([sys.executable, "-c", code + _PRINT], capture_output=True, text=True, check=True)
    return done.stderr.strip()


@pytest.mark.parametrize(
    "code",
    [
        "import huoyan; dir(huoyan)",
        "import huoyan.cli.main",
        "import huoyan.cli.main as m; m.app(['--help'], standalone_mode=False)",
        "import huoyan.cli.main as m; m.app(['queue', '--help'], standalone_mode=False)",
    ],
)
def test_help_loads_nothing_heavy(code: str) -> None:
    assert loaded_by(code) == ""


def commands(command: Any, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    """Every command with the words that lead to it."""
    below = getattr(command, "commands", None)
    if below is None:
        return [(path, command)]
    return [one for name, child in below.items() for one in commands(child, (*path, name))]


ALL = commands(typer.main.get_command(app))


def test_the_commands_that_were_promised_are_there() -> None:
    names = {" ".join(path) for path, _ in ALL}
    promised = {"scan", "demo", "init", "check", "explain", "calibrate", "models list", "models verify"}
    promised |= {"evaluate detector", "evaluate change"}
    promised |= {f"queue {name}" for name in ("list", "show", "export", "ack", "nack", "retry")}
    assert promised <= names


@pytest.mark.parametrize(("path", "command"), ALL, ids=[" ".join(path) for path, _ in ALL])
def test_every_command_and_option_explains_itself(path: tuple[str, ...], command: Any) -> None:
    assert command.help and command.help.strip().splitlines()[0].endswith((".", ":", ",", "time"))
    for parameter in command.params:
        told = getattr(parameter, "help", None)
        assert told or parameter.name == "help", f"{' '.join(path)}: {parameter.name} has no help"
