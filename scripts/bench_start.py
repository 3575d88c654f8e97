"""CPU time of `huoyan --help`, of `import huoyan` and of a bare interpreter, each the median of some starts.

    python scripts/bench_start.py

The aim for `huoyan --help` is 0.4 s.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys

STARTS = 7


def main() -> None:
    """Measure and print."""
    for name, arguments in (
        ("python, doing nothing", ["-c", "pass"]),
        ("import huoyan", ["-c", "import huoyan"]),
        ("huoyan --help", ["-m", "huoyan.cli.main", "--help"]),
        ("huoyan scan --help", ["-m", "huoyan.cli.main", "scan", "--help"]),
    ):
        times = [cpu_seconds(arguments) for _ in range(STARTS)]
        print(f"{name:24s} {statistics.median(times):.2f} s CPU (least {min(times):.2f})")


def cpu_seconds(arguments: list[str]) -> float:
    """User and system time of one start."""
    before = os.times()
    subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
    after = os.times()
    return after.children_user - before.children_user + after.children_system - before.children_system


if __name__ == "__main__":
    main()
