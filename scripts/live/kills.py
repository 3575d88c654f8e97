"""The daemon, or one of its processes, killed again and again under load while the broker comes and goes.

Two runs see the same pictures (`county/replayed.py`): one undisturbed, one killed. The consumer must get every alert of
both, each once, and the state must be the same at the end.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import yaml

from huoyan import config as configuration
from huoyan.dispatch import reach
from live import films, replayed
from live.box import Daemon, write_county

SCRIPTS = Path(__file__).resolve().parents[1]
STEP = timedelta(minutes=30)
TARGETS = ("main", "main", "inference-0", "ingest-0")
"""What is killed, by chance."""
_PATIENCE_S = 900.0
_STAGE = {"seen": {"zh": "已发现", "en": "seen"}, "again": {"zh": "再次", "en": "again"}}
SCENES: dict[str, Any] = {
    "version": 1,
    "scenes": {
        # A new story for nearly every picture: its window is shorter than the time between two of them.
        "machine": {
            "zh": "机械", "en": "Machine", "code": "machine", "priority": "high", "window": "10m",
            "stages": _STAGE,
            "evidence": [
                {
                    "sensors": ["camera"], "stage": "seen",
                    "any": [{"label": x} for x in ("excavator", "dump_truck", "mixer_truck", "loader")],
                }
            ],
        },
        # Long stories that need the memory, and that are told again at their second stage.
        "stay": {
            "zh": "滞留", "en": "Stay", "code": "stay", "window": "30d", "stages": _STAGE,
            "evidence": [
                {
                    "sensors": ["camera"], "stage": "seen", "any": [{"label": "dump_truck"}, {"label": "tower_crane"}],
                    "persistence": {"looks": 2, "of": 4, "within": "1d"},
                },
                {"sensors": ["camera"], "stage": "again", "all": [{"label": "excavator"}, {"label": "person"}]},
            ],
        },
    },
}  # fmt: skip


class Broker(Protocol):
    """Where the alerts go."""

    def start(self) -> None: ...

    def kill(self) -> None: ...

    @property
    def dispatch(self) -> Mapping[str, Any]:
        """The part of the configuration that leads there."""

    def received(self) -> list[str]:
        """All documents that a consumer gets."""


@dataclass(frozen=True)
class Ended:
    """What a run left: what the consumer got, and the state."""

    received: list[dict[str, Any]]
    outbox: list[str]
    """Documents in the order of telling."""
    unsent: int
    incidents: list[tuple[Any, ...]]
    memory: dict[str, str]
    seconds: float
    done: dict[str, int] = field(default_factory=dict)
    """What was killed, how often."""


def reel(work: Path, data: Path, cameras: int, each: int, seed: int = 5) -> Path:
    """Pictures of real views with real machines in them, and cameras that show them in an order of their own."""
    views = [films.view(data / path) for path in films.VIEWS]
    machines = [films.cutout(data, machine) for machine in films.MACHINES]
    rng = np.random.default_rng(seed)
    pictures = []
    for number in range(48):
        image = views[number % len(views)].copy()
        visit = films.Visit(0, 0.0, 1.0, float(rng.uniform(0.8, 0.97)), bool(rng.integers(2)))
        films.paste(image, machines[int(rng.integers(len(machines)))], visit, float(rng.uniform(0.35, 0.65)))
        pictures.append(cv2.cvtColor(image, cv2.COLOR_RGB2YUV_I420))
    # Up to now: stories of long ago would be closed at a moment of the wall's clock.
    start = datetime.now(UTC).replace(microsecond=0) - STEP * each
    # The cameras' times lie apart: the order of their alerts is then theirs alone.
    shown = {
        f"cam-{camera:03}": [
            (start + STEP * n + timedelta(seconds=camera), int(rng.integers(len(pictures))))
            for n in range(each)
        ]
        for camera in range(cameras)
    }
    return replayed.write(work / "reel", shown, np.stack(pictures).astype(np.uint8))


def run(config: Path, shown: Path, broker: Broker, kills: int = 0, seed: int = 7) -> Ended:
    """Play a reel to its end, killing on the way.

    Args:
        config: of the county; its state, the folder `state` beside it, is not there yet.
        shown: the reel.
        broker: runs; with kills it goes away and comes back on the way.
        kills: how many.
        seed: of what is killed, and when.

    Raises:
        RuntimeError: the daemon does not come to the end.
    """
    played = replayed.read(shown)
    _prepare(config)
    paths = [str(SCRIPTS), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {"PYTHONPATH": os.pathsep.join(paths)}
    daemon = Daemon(config, (sys.executable, "-m", "live.replayed"), (str(shown),), environment)
    state = config.parent / "state"
    whole = sum(len(one) for one in played.cameras.values())
    done: Counter[str] = Counter()
    began = time.monotonic()
    rng = random.Random(seed)
    daemon.start()
    try:
        for number in range(kills):
            # Spread over the reel: the next one comes when so much of it has been judged.
            _wait(lambda aim=whole * number // (kills + 1): judged(state) >= aim, daemon, "go on")
            time.sleep(rng.uniform(0.0, 1.0))
            if number % 5 == 1:
                broker.kill()
                done["broker"] += 1
            if number % 5 == 3:
                broker.start()
            done[kill(daemon, rng.choice(TARGETS))] += 1
        if kills and kills % 5 in (2, 3):
            broker.start()
        _wait(lambda: judged(state) >= whole and not unsent(state), daemon, "come to the end")
        seconds = time.monotonic() - began
    finally:
        daemon.stop()
    documents = [json.loads(text) for text in broker.received()]
    return Ended(documents, *_left(state), seconds, dict(done))


def _prepare(config: Path) -> None:
    """The stream, as `huoyan queue init` makes it."""
    checks = reach.init(configuration.load(config).config.dispatch)
    if not reach.is_well(checks):
        raise RuntimeError(f"the broker is not ready: {checks}")


def kill(daemon: Daemon, target: str) -> str:
    """Kill the daemon, or one of its processes, where it is; it is started again. Returns what was killed."""
    processes = {}
    with contextlib.suppress(OSError):
        processes = {one["name"]: one["pid"] for one in daemon.status()["processes"] if one["alive"]}
    pid = processes.get(target)
    if target != "main" and pid:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        return target
    daemon.kill()
    daemon.start()
    return "main"


def county(folder: Path, shown: Path, broker: Broker) -> Path:
    """A configuration: stories of `SCENES`, cameras of the reel."""
    folder.mkdir(parents=True)
    (folder / "scenes.yaml").write_text(yaml.safe_dump(SCENES, allow_unicode=True), encoding="utf-8")
    codes = {"codes": {"machine": "9101", "stay": "9102"}}
    (folder / "codes.yaml").write_text(yaml.safe_dump(codes), encoding="utf-8")
    addresses = {name: f"rtsp://127.0.0.1:9/{name}" for name in replayed.read(shown).cameras}
    return write_county(
        folder,
        addresses,
        **{
            "scenes": {"file": "scenes.yaml", "codes": "codes.yaml"},
            "evidence": {"blur_faces": False, "blur_plates": False, "long_side": 320},
            "dispatch": dict(broker.dispatch),
        },
    )


def judged(state: Path) -> int:
    """How many pictures the judge has written down."""
    like = f"{replayed.KEY}%"
    return sum(
        int(json.loads(row[0])) for row in _ask(state, "SELECT value FROM memory WHERE key LIKE ?", like)
    )


def unsent(state: Path) -> int:
    """How many alerts wait for the broker."""
    words = "SELECT count(*) FROM outbox WHERE seq > coalesce((SELECT seq FROM deliveries WHERE backend = 'nats'), 0)"
    return int(next(iter(_ask(state, words)), (1,))[0])


def compare(calm: Ended, killed: Ended) -> dict[str, Any]:
    """What differs between an undisturbed run and a killed one."""
    expected, got = _keys(calm.received), _keys(killed.received)
    told = [(one["source"], *_named(one)) for one in map(json.loads, killed.outbox)]
    order: dict[str, list[int]] = {}
    for _, incident, revision in got:
        order.setdefault(incident, []).append(revision)
    return {
        "alerts told": len(killed.outbox),
        "received": len(got),
        "lost": len(set(told) - set(got)),
        "received twice": len(got) - len(set(got)),
        "out of order within an incident": sum(one != sorted(one) for one in order.values()),
        "not told, but in the undisturbed run": len(set(expected) - set(told)),
        "told, but not in the undisturbed run": len(set(told) - set(expected)),
        "documents that differ": len(_documents(calm.outbox) ^ _documents(killed.outbox)),
        "incidents: undisturbed, killed, different": [
            len(calm.incidents), len(killed.incidents), len(set(calm.incidents) ^ set(killed.incidents)),
        ],
        "entries of the memory: undisturbed, killed, different": [
            len(calm.memory), len(killed.memory), len(set(calm.memory.items()) ^ set(killed.memory.items())),
        ],
        "killed": killed.done,
        "seconds: undisturbed, killed": [round(calm.seconds), round(killed.seconds)],
    }  # fmt: skip


def _keys(documents: Iterable[Mapping[str, Any]]) -> list[tuple[str, str, int]]:
    return [(one["source"], *_named(one)) for one in documents]


def _documents(texts: Iterable[str]) -> set[str]:
    """Without what tells one configuration from another: the two runs have different ports."""
    found = set()
    for text in texts:
        document = json.loads(text)
        document["data"]["properties"].pop("config_sha256", None)
        found.add(json.dumps(document, sort_keys=True))
    return found


def _named(document: Mapping[str, Any]) -> tuple[str, int]:
    about = document["data"]["properties"]
    return about["incident_id"], int(about["revision"])


def _left(state: Path) -> tuple[list[str], int, list[tuple[Any, ...]], dict[str, str]]:
    outbox = [row[0] for row in _ask(state, "SELECT document FROM outbox ORDER BY seq")]
    # How old a story is does not count: the clock of the wall went on while processes were down.
    incidents = [
        (row[0], _without_age(row[1])) for row in _ask(state, "SELECT incident_id, document FROM incidents")
    ]
    memory = {str(row[0]): str(row[1]) for row in _ask(state, "SELECT key, value FROM memory")}
    return outbox, unsent(state), incidents, memory


def _without_age(document: str) -> str:
    return json.dumps([{**one, "status": ""} for one in json.loads(document)], sort_keys=True)


def _ask(state: Path, words: str, *values: object) -> list[tuple[Any, ...]]:
    path = state / "huoyan.db"
    try:
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5.0)) as connection:
            return list(connection.execute(words, values))
    except sqlite3.Error:
        return []


def _wait(condition: Callable[[], bool], daemon: Daemon, what: str) -> None:
    end = time.monotonic() + _PATIENCE_S
    while not condition():
        if daemon.ended:
            raise RuntimeError(f"the daemon ended by itself; see {daemon.log}")
        if time.monotonic() > end:
            raise RuntimeError(f"the daemon does not {what}; see {daemon.log}")
        time.sleep(0.05)


@contextlib.contextmanager
def running(broker: Broker) -> Iterator[Broker]:
    """A broker, ended with the block."""
    broker.start()
    try:
        yield broker
    finally:
        broker.kill()
