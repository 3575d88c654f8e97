"""Write constraints.txt: the exact versions of everything that `.[analyst,mqtt,nats,dev,docs]` installs today.

Run `make lock` after a change of dependencies in pyproject.toml, then `make test`.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HEADER = "# Written by scripts/lock.py: exact versions for `pip install -c constraints.txt`. Do not edit.\n"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        python = Path(folder) / "bin" / "python"
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run(
            [python, "-m", "pip", "install", "-q", f"{ROOT}[analyst,mqtt,nats,dev,docs]"], check=True
        )
        frozen = subprocess.run(
            [python, "-m", "pip", "freeze", "--exclude", "huoyan"], check=True, capture_output=True, text=True
        ).stdout
    pins = [line for line in frozen.splitlines() if "==" in line]
    (ROOT / "constraints.txt").write_text(HEADER + "\n".join(pins) + "\n", encoding="utf-8")
    print(f"constraints.txt: {len(pins)} packages")


if __name__ == "__main__":
    main()
