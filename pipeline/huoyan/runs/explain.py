"""The way one frame takes: what is seen, where it is placed, which rules hold, what becomes of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from huoyan import incidents, scenes
from huoyan.config import LoadedConfig
from huoyan.errors import SourceError
from huoyan.incidents import Store
from huoyan.incidents.matching import find
from huoyan.records import (
    Detection,
    Finding,
    Observation,
    Observations,
    Placement,
    Revision,
    Skip,
    Unit,
)
from huoyan.runs.judge import context
from huoyan.runs.look import Eyes, look_unit
from huoyan.runs.picture import annotated
from huoyan.runs.prepare import Prepared, locate_config, prepare
from huoyan.runs.trial import trial_store
from huoyan.scenes.memory import Memory
from huoyan.scenes.trace import Step
from huoyan.sources import discover

Story = dict[str, Any]


def explain(
    frames: Sequence[str | Path],
    config: str | Path | LoadedConfig,
    *,
    state: str | Path | None = None,
    picture: str | Path | None = None,
) -> list[Story]:
    """Explain frames of a county's archive as a scan would judge them now, one after the other.

    It is tried out on a copy of the state: nothing is written to it, and none is made.

    Args:
        frames: files of the archive; of a video or raster every frame is explained.
        config: the county.
        state: folder of the state whose memory and incidents count; default that of the configuration.
        picture: where to write the annotated picture of the first frame.

    Returns:
        A story a frame, as JSON values: the frame, its detections with place, the steps of every rule that
        asked for one of them, and the outcome.

    Raises:
        SourceError: a file is not in the archive or cannot be read.
        ConfigError: the configuration holds mistakes.
        StorageError: the state is damaged, or the picture cannot be written.
    """
    loaded = config if isinstance(config, LoadedConfig) else locate_config(Path(config))
    prepared = prepare(loaded)
    eyes = Eyes(replace(prepared.settings, keep_uncertain=True))
    with trial_store(Path(state) if state is not None else loaded.state) as store:
        stories: list[Story] = []
        memory = store.load_memory()
        for seen in _look(frames, loaded, eyes):
            stories.append(_story(seen, prepared, store, memory))
            if picture is not None and len(stories) == 1:
                annotated(seen, prepared, Path(picture))
    return stories


def _look(frames: Sequence[str | Path], loaded: LoadedConfig, eyes: Eyes) -> Iterable[Observations]:
    found = discover(loaded)
    by_path: dict[Path, list[Unit]] = {}
    for unit in found.units:
        by_path.setdefault(Path(unit.path).resolve(), []).append(unit)
    skipped = {Path(skip.path).resolve(): skip for skip in found.skips}
    for frame in frames:
        path = Path(frame).resolve()
        if path in skipped:
            raise SourceError(skipped[path].reason, code=skipped[path].code)
        if path not in by_path:
            raise SourceError(
                "is not among the pictures of the archive",
                subject=str(frame),
                hint=f"the archive is {loaded.archive}",
                code="not_in_archive",
            )
        for unit in by_path[path]:
            for seen in look_unit(eyes, unit):
                if isinstance(seen, Skip):
                    raise SourceError(seen.reason, code=seen.code)
                if isinstance(seen, Observations):
                    yield seen


def _story(seen: Observations, prepared: Prepared, store: Store, memory: Memory) -> Story:
    sure = replace(
        seen, items=tuple(item for item in seen.items if not item.detection.attributes.get("uncertain"))
    )
    judgement = scenes.judge(sure, context(prepared), memory, trace=True)
    frame = seen.frame
    judged_before = store.is_done(frame.frame_id)
    before = _told_before(frame.frame_id, store) if judged_before else []
    outcome = before + _outcome(judgement.findings, store)
    return {
        "frame": frame.frame_id,
        "source": frame.source_id,
        "path": frame.path,
        "time": frame.time.isoformat(),
        "time_from": frame.time_from,
        "size": list(frame.size),
        "night": seen.night,
        "notes": list(seen.notes),
        "judged_before": judged_before,
        "detections": [_seen(item) for item in seen.items],
        "trace": [_line(step, sure) for step in judgement.steps],
        "outcome": outcome or ["no scene holds: nothing is told"],
    }


def _line(step: Step, seen: Observations) -> str:
    of = ", ".join(seen.items[i].detection.label for i in step.observations)
    held = "holds" if step.held else "fails"
    return f"{held}: {step.alternative} {step.condition}: {step.detail}" + (f" [{of}]" if of else "")


def _outcome(findings: Sequence[Finding], store: Store) -> list[str]:
    """What becomes of the findings."""
    with store.transaction():
        told = {revision.incident.incident_id: revision for revision in incidents.associate(store, findings)}
    return [f"{finding.scene} ({finding.stage}): {_becomes(finding, told, store)}" for finding in findings]


def _becomes(finding: Finding, told: Mapping[str, Revision], store: Store) -> str:
    if finding.permit.result == "covered":
        return f"permitted by {finding.permit.permit_id or finding.permit.note}"
    joined = find(store, finding)
    if joined is None:
        return "muted: what was here and looked like this was rejected"
    name = joined.incident.incident_id
    revision = told.get(name)
    if revision is None:
        return f"belongs to incident {name}, nothing new to tell"
    if revision.finding is not finding:
        return f"belongs to incident {name}, which this frame tells already"
    return f"alert, revision {revision.incident.revision} of incident {name} ({revision.why})"


def _told_before(frame: str, store: Store) -> list[str]:
    """What the frame led to when it was judged."""
    return [
        f"{told.incident.scene} ({told.finding.stage}): was told as revision {told.incident.revision}"
        f" of incident {told.incident.incident_id} ({told.why})"
        for told in store.revisions()
        if told.finding.frame.frame_id == frame
    ]


def _seen(item: Observation) -> Story:
    detection, place = item.detection, item.place
    return {
        "label": detection.label,
        "score": round(detection.score, 4),
        "box": [round(value, 1) for value in detection.box],
        "text": detection.text,
        "attributes": dict(detection.attributes),
        "looked_again": _looked_again(detection),
        "place": {
            "lon": place.lon,
            "lat": place.lat,
            "error_m": round(place.error_m, 2),
            "method": place.method,
        }
        if isinstance(place, Placement)
        else {"reason": place.reason},
        "place_text": f"{place.lon:.6f}, {place.lat:.6f} ± {place.error_m:.1f} m ({place.method})"
        if isinstance(place, Placement)
        else f"no place: {place.reason}",
    }


def _looked_again(detection: Detection) -> str:
    first, second = detection.attributes.get("first_score"), detection.attributes.get("second_score")
    text = "" if first is None or second is None else f"; looked twice: {first:.2f}, then {second:.2f}"
    if detection.attributes.get("uncertain"):
        text += "; below its threshold, not judged"
    return text
