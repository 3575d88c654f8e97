"""Pictures that were freed leave the process."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import queue, resource, sys, threading
from huoyan.heap import give_back

known = give_back() if sys.argv[1] == "yes" else True
pictures = queue.Queue(8)
kept, held = [], {}

def take_in(seed):
    for number in range(1500):
        pictures.put((bytes(345_600), bytes(64 + (number * seed) % 1900)))

threads = [threading.Thread(target=take_in, args=(seed,)) for seed in (3, 5, 7, 11)]
for thread in threads:
    thread.start()
for number in range(6000):
    picture, small = pictures.get()
    held[number % 20] = picture
    kept.append(small)
held.clear()
del picture
pages = int(open("/proc/self/statm").read().split()[1])
print(known, pages * resource.getpagesize() // 1_000_000)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks /proc")
def test_pictures_that_one_thread_takes_in_and_another_frees_leave_no_gaps() -> None:
    left = {}
    for wanted in ("yes", "no"):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, wanted], capture_output=True, text=True, check=True
        )
        known, megabytes = done.stdout.split()
        if known != "True":
            pytest.skip("this C library has no mallopt")
        left[wanted] = int(megabytes)
    assert left["yes"] < left["no"] - 20, left
