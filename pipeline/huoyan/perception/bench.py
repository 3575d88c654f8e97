"""How fast the models run on this machine, in every runtime and precision that it has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from huoyan.perception import models, onnx, runtimes
from huoyan.perception.runtimes import Choice, Timing


@dataclass(frozen=True, slots=True)
class Row:
    """One model in one way of running it."""

    model: str
    way: Choice
    size_mb: float
    one_thread: Timing
    all_threads: Timing
    chosen: bool
    """Whether Huoyan runs the model in this way here, if the configuration leaves it the choice."""


def bench(names: Sequence[str] = (), folder: Path | None = None, rounds: int = 15) -> Iterator[Row]:
    """Measure models; what was measured before about OpenVINO is forgotten and measured again.

    Args:
        names: registered names or paths; default all that are registered.
        folder: where registered models lie; default the user's and the shipped.
        rounds: runs that are measured for each figure.

    Raises:
        ModelError: there is no such model, or it cannot be loaded.
    """
    for name in names or [found.name for found in models.list_models(folder)]:
        model = models.load(name, folder)
        timed: dict[Choice, tuple[Timing, Timing]] = {}
        for way in runtimes.ways(model.path, model.card):
            one, every = (
                runtimes.measure(_open(model, way, threads), model.card, rounds) for threads in (1, 0)
            )
            timed[way] = one, every
        for way, (one, _) in timed.items():
            other = Choice(way.path, way.sha256, "openvino", way.precision)
            if way.runtime == "onnxruntime" and other in timed:
                runtimes.remember(other, way, one.cpu_ms / max(timed[other][0].cpu_ms, 1e-6))
        chosen = runtimes.choose(model.path, model.card, runtimes.AUTO)
        for way, (one, every) in timed.items():
            yield Row(model.name, way, way.path.stat().st_size / 1e6, one, every, way == chosen)


def _open(model: models.Model, way: Choice, threads: int) -> onnx.Session:
    return models.open_session(model, threads, choice=way)
