"""A status in Prometheus' text format.

Names follow Prometheus' conventions: base units, `_total` for what only grows. Shares are left to queries, for example
the gate's pass rate: `rate(huoyan_camera_passed_total[5m]) / rate(huoyan_camera_samples_total[5m])`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate

from prometheus_client import Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from huoyan.sample import CONDITIONS
from huoyan.status import BOUNDS_S, CameraStatus, Histogram, OutboxStatus, ProcessStatus, Status

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
STATES = ("waiting", "opening", "live", "lost", "fatal", "stopped", "elsewhere")
Row = tuple[Sequence[str], float]


def render(status: Status) -> str:
    """All metrics of a daemon at one moment."""
    return generate_latest(_Collected(list(_families(status)))).decode()


class _Collected(Collector):
    """What Prometheus' library wants to collect from."""

    def __init__(self, families: Sequence[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def _families(status: Status) -> Iterator[Metric]:
    yield from _daemon(status)
    yield from _cameras(status.cameras)
    yield from _processes(status.processes)
    yield from _delivery(status)
    yield _histogram(
        "huoyan_frame_to_finding_seconds", "From a picture's arrival to its judgement.", status.latency
    )


def _daemon(status: Status) -> Iterator[Metric]:
    yield _gauge(
        "huoyan_build_info",
        "What runs; always 1.",
        [((status.version, status.config_sha256[:12], status.box), 1)],
        ("version", "config", "box"),
    )
    for name, told, value in (
        ("start_time_seconds", "When the daemon started, in seconds since 1970.", status.started.timestamp()),
        (
            "status_time_seconds",
            "When these figures were taken, in seconds since 1970.",
            status.time.timestamp(),
        ),
        ("ready", "Whether models are loaded and cameras are read (1) or not yet (0).", status.ready),
        ("stopping", "Whether the daemon is ending.", status.stopping),
        ("stretch", "Intervals are this many times as long as configured, because of load.", status.stretch),
        ("pictures_waiting", "Pictures that passed the gate and wait for a model.", status.waiting),
        ("pictures_in_flight", "Pictures that a model has in hand.", status.in_flight),
        ("state_writable", "Whether the state can be written.", not status.unwritten),
        (
            "degraded",
            "Number of things that are not as they should be; /status names them.",
            len(status.degraded),
        ),
        ("disk_used_ratio", "Share of the state's disk that is used, 0 to 1.", status.disk_used),
        ("evidence_bytes", "What pictures of evidence take on the disk.", status.evidence_bytes),
    ):
        yield _gauge(f"huoyan_{name}", told, [((), float(value))])
    yield _counter(
        "huoyan_config_reloads", "Times that a new configuration was asked for.", [((), status.reloads)]
    )
    if status.last_reload:
        yield _gauge(
            "huoyan_config_last_reload_successful",
            "Whether the last new configuration was taken (1) or refused (0).",
            [((), float(not status.last_reload.startswith("refused")))],
        )


def _cameras(cameras: Sequence[CameraStatus]) -> Iterator[Metric]:
    label = ("camera",)
    yield _gauge(
        "huoyan_camera_state",
        "1 for the state that a camera is in, 0 for the others.",
        [((one.id, state), float(one.state == state)) for one in cameras for state in STATES],
        ("camera", "state"),
    )
    yield _gauge(
        "huoyan_camera_condition",
        "1 where this is wrong with a camera, else 0.",
        [((one.id, name), float(name in one.conditions)) for one in cameras for name in CONDITIONS],
        ("camera", "condition"),
    )
    yield _gauge(
        "huoyan_camera_frame_age_seconds",
        "Since a camera's last picture; absent before the first.",
        [((one.id,), one.age_s) for one in cameras if one.age_s is not None],
        label,
    )
    yield _gauge(
        "huoyan_camera_interval_seconds",
        "Between the samples of a camera, as load allows now.",
        [((one.id,), one.interval_s) for one in cameras],
        label,
    )
    yield _gauge(
        "huoyan_camera_night",
        "1 while a camera sees in the dark.",
        [((one.id,), one.night) for one in cameras],
        label,
    )
    yield _gauge(
        "huoyan_camera_road_frame_age_seconds",
        "Since the last frame of a followed road; absent where none is followed, and before the first.",
        [((one.id,), one.road_age_s) for one in cameras if one.road_age_s is not None],
        label,
    )
    yield _gauge(
        "huoyan_camera_road_behind_seconds",
        "From the arrival of a followed road's frame to its look, the longest of the last seconds.",
        [((one.id,), one.road_behind_s) for one in cameras if one.road_age_s is not None],
        label,
    )
    yield _gauge(
        "huoyan_camera_preset_info",
        "The pose that a PTZ camera takes; always 1.",
        [((one.id, one.preset), 1) for one in cameras if one.preset],
        ("camera", "preset"),
    )
    for name, told, values in (
        ("connections", "Times that a camera was connected.", [one.connections for one in cameras]),
        ("samples_due", "Samples that were due.", [one.due for one in cameras]),
        ("samples", "Samples that were taken.", [one.taken for one in cameras]),
        ("passed", "Samples that passed the gate.", [one.passed for one in cameras]),
        ("looks", "Pictures that a model looked at.", [one.looked for one in cameras]),
        ("dropped", "Pictures that a newer one replaced before a look.", [one.dropped for one in cameras]),
        ("passages", "Trucks that were followed over a road and judged.", [one.passages for one in cameras]),
        (
            "road_looks",
            "Frames of a followed road that were looked at.",
            [one.road_looked for one in cameras],
        ),
        (
            "road_dropped",
            "Frames of a followed road that a newer one replaced before a look.",
            [one.road_dropped for one in cameras],
        ),
        ("decode_seconds", "Processor time of reading a camera.", [one.decode_s for one in cameras]),
        (
            "inference_seconds",
            "Time that models took for a camera's pictures.",
            [one.infer_s for one in cameras],
        ),
    ):
        rows = [((one.id,), value) for one, value in zip(cameras, values, strict=True)]
        yield _counter(f"huoyan_camera_{name}", told, rows, label)


def _processes(processes: Sequence[ProcessStatus]) -> Iterator[Metric]:
    label = ("process",)
    for name, told, values in (
        ("up", "Whether a process of the daemon lives.", [one.alive for one in processes]),
        ("resident_memory_bytes", "Its memory in RAM.", [one.rss_bytes for one in processes]),
        ("threads", "Its threads.", [one.threads for one in processes]),
        ("open_fds", "Its open file descriptors.", [one.descriptors for one in processes]),
        ("silent_seconds", "Since it last gave a sign of life.", [one.silent_s for one in processes]),
    ):
        rows = [((one.name,), float(value)) for one, value in zip(processes, values, strict=True)]
        yield _gauge(f"huoyan_process_{name}", told, rows, label)
    yield _counter(
        "huoyan_process_cpu_seconds",
        "Processor time of a process.",
        [((p.name,), p.cpu_s) for p in processes],
        label,
    )
    yield _counter(
        "huoyan_process_restarts",
        "Times that it was started again.",
        [((p.name,), p.restarts) for p in processes],
        label,
    )


def _delivery(status: Status) -> Iterator[Metric]:
    backends = sorted(status.outbox.items())
    label = ("backend",)

    def rows(values: Mapping[str, float]) -> list[Row]:
        return [((name,), value) for name, value in values.items()]

    def of(take: str, among: Sequence[tuple[str, OutboxStatus]] = backends) -> list[Row]:
        return [((name,), float(getattr(one, take))) for name, one in among]

    yield _gauge("huoyan_outbox_waiting", "Alerts that wait to be delivered.", of("waiting"), label)
    yield _gauge(
        "huoyan_outbox_oldest_seconds", "Age of the alert that waits longest.", of("oldest_s"), label
    )
    yield _gauge("huoyan_outbox_connected", "Whether a back end can be reached.", of("connected"), label)
    yield _gauge("huoyan_outbox_dead", "Alerts that a back end refused for good.", of("dead"), label)
    yield _counter("huoyan_outbox_delivered", "Alerts that were delivered.", of("delivered"), label)
    yield _gauge("huoyan_queue_alerts", "Alerts of the local queue by state.", rows(status.queue), ("state",))
    yield _counter("huoyan_alerts", "Alerts that were told, by scene.", rows(status.alerts), ("scene",))
    yield _gauge(
        "huoyan_verdicts",
        "Alerts by what crews found, of all time.",
        [((scene, verdict), n) for scene, found in status.verdicts.items() for verdict, n in found.items()],
        ("scene", "verdict"),
    )


def _gauge(name: str, told: str, rows: Iterable[Row], labels: Sequence[str] = ()) -> Metric:
    family = GaugeMetricFamily(name, told, labels=labels)
    for values, value in rows:
        family.add_metric(values, value)
    return family


def _counter(name: str, told: str, rows: Iterable[Row], labels: Sequence[str] = ()) -> Metric:
    family = CounterMetricFamily(name, told, labels=labels)
    for values, value in rows:
        family.add_metric(values, value)
    return family


def _histogram(name: str, told: str, values: Histogram) -> Metric:
    family = HistogramMetricFamily(name, told)
    bounds = [*(str(bound) for bound in BOUNDS_S), "+Inf"]
    buckets = list(zip(bounds, map(float, accumulate(values.counts)), strict=True))
    family.add_metric([], buckets=buckets, sum_value=values.sum_s)
    return family
