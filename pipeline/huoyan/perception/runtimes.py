"""Which runtime runs a model, and in which precision: as asked for, else what is faster on this machine.

- **Precision.** A card may describe an eight-bit copy of its model, which lost little when it was judged
  (`scripts/quantise.py`). It is used where the CPU multiplies bytes four at a time (VNNI, or the dot products of
  ARMv8.2): there it is faster, elsewhere it may be slower.
- **Runtime.** ONNX Runtime, unless OpenVINO is installed and was `WINS` times as fast here. That is measured once
  for each model and kept in the user's cache folder, so that all later runs choose the same. Both calculate in
  the precision of the file: bfloat16, which OpenVINO would take by itself on CPUs that have it, is left to those
  who ask for it, since it moves boxes by pixels.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnxruntime

from huoyan.perception import cards, onnx, openvino
from huoyan.perception.cards import Card

Runtime = Literal["onnxruntime", "openvino"]
Precision = Literal["float32", "int8", "bfloat16"]
WINS = 1.3
"""OpenVINO must be this many times as fast to be chosen."""

_SIZE = (384, 640)
"""Height and width of the frame on which runtimes are compared."""
_BYTE_PRODUCTS = {"avx512_vnni", "avx_vnni", "asimddp"}


@dataclass(frozen=True, slots=True)
class Wish:
    """What the configuration asks for; `auto` leaves it to this module."""

    runtime: Literal["auto", "onnxruntime", "openvino"] = "auto"
    precision: Literal["auto", "float32", "int8", "bfloat16"] = "auto"


AUTO = Wish()


@dataclass(frozen=True, slots=True)
class Choice:
    """A way to run a model: the file and its digest by the card, and what runs it."""

    path: Path
    sha256: str
    runtime: Runtime = "onnxruntime"
    precision: Precision = "float32"
    """`bfloat16`: OpenVINO runs the float32 file in it, where the CPU can."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds of one run: median of the wall clock, least CPU time."""

    wall_ms: float
    cpu_ms: float


_wish = AUTO


def prefer(wish: Wish) -> None:
    """Set what this process asks for where a caller of `choose` says nothing."""
    global _wish
    _wish = wish


def choose(path: Path, card: Card, wish: Wish | None = None) -> Choice:
    """The way to run a model here.

    Args:
        path: its float32 file.
        card: its card.
        wish: default what `prefer` set. `int8` holds for the models that have such a copy, `bfloat16` for
            OpenVINO; elsewhere they mean float32.
    """
    wish = wish or _wish
    plain = Choice(path, card.sha256)
    small = _int8(path, card)
    if small and (wish.precision == "int8" or (wish.precision == "auto" and has_byte_products())):
        plain = small
    if wish.runtime == "onnxruntime":
        return plain
    other = replace(plain, runtime="openvino")
    if wish.precision == "bfloat16":
        other = replace(other, precision="bfloat16")
    if wish.runtime == "openvino":
        return other
    if openvino.version() is None:
        return plain
    return other if _wins(other, plain, card) else plain


def ways(path: Path, card: Card) -> list[Choice]:
    """Every way to run a model that is installed, for comparison."""
    files = [Choice(path, card.sha256)]
    if small := _int8(path, card):
        files.append(small)
    if openvino.version() is None:
        return files
    half = Choice(path, card.sha256, "openvino", "bfloat16")
    return [*files, half, *(replace(file, runtime="openvino") for file in files)]


def open_way(choice: Choice, threads: int = 1) -> onnx.Session:
    """Load a model in the chosen way; errors as `onnx.session`."""
    return onnx.session(choice.path, threads, runtime=choice.runtime, precision=choice.precision)


def measure(session: onnx.Session, card: Card, rounds: int = 9) -> Timing:
    """How long one run takes, on noise in the size of a frame."""
    height, width = _SIZE if card.task != "change" else (256, 256)
    rng = np.random.default_rng(0)
    feeds = {
        tensor.name: rng.integers(
            0, 256, (1, tensor.shape[1] or height, tensor.shape[2] or width, 3), dtype=np.uint8
        )
        for tensor in session.inputs
    }
    wall, cpu = [], []
    for _ in range(rounds + 2):
        started, used = time.perf_counter(), time.process_time()
        session.run(feeds)
        wall.append(time.perf_counter() - started)
        cpu.append(time.process_time() - used)
    # The first runs lay out memory and pick kernels.
    return Timing(1000 * float(np.median(wall[2:])), 1000 * min(cpu[2:]))


@functools.cache
def cpu_flags() -> frozenset[str]:
    """What the CPU says it can do, by the names of Linux; empty on other systems."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return frozenset()
    for line in text.splitlines():
        key, _, value = line.partition(":")
        if key.strip() in ("flags", "Features"):
            return frozenset(value.split())
    return frozenset()


def has_byte_products() -> bool:
    """Whether the CPU multiplies bytes four at a time."""
    return bool(cpu_flags() & _BYTE_PRODUCTS)


def cache_file() -> Path:
    """Where measured choices are kept."""
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "huoyan" / "runtimes.json"


def remember(one: Choice, other: Choice, times_as_fast: float) -> None:
    """Keep how many times as fast `one` is as `other` here; a cache that cannot be written is none."""
    path = cache_file()
    known = {**_remembered(), _key(one, other): round(times_as_fast, 2)}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=path.parent, suffix=".json", delete=False
        ) as file:
            json.dump(known, file, indent=1)
        os.replace(file.name, path)
    except OSError:
        return


def _remembered() -> dict[str, float]:
    try:
        known: dict[str, float] = json.loads(cache_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, Mapping) else {}


def _wins(one: Choice, other: Choice, card: Card) -> bool:
    """Whether OpenVINO is enough times as fast; measured on one thread where it is not yet known."""
    known = _remembered().get(_key(one, other))
    if known is None:
        mine, yours = (measure(open_way(way), card).cpu_ms for way in (one, other))
        known = round(yours / mine, 2)
        remember(one, other, known)
    return known >= WINS


def _key(one: Choice, other: Choice) -> str:
    """Name of a comparison: another machine, model or version is another one."""
    facts: list[Any] = [platform.machine(), sorted(cpu_flags()), os.cpu_count()]
    facts += [onnxruntime.__version__, openvino.version()]
    facts += [(way.sha256, way.runtime, way.precision) for way in (one, other)]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:24]


def _int8(path: Path, card: Card) -> Choice | None:
    file = cards.int8_path(path)
    if card.int8 is None or not file.is_file():
        return None
    return Choice(file, card.int8.sha256, precision="int8")
