"""Evidence pictures of a revision: what was seen, where in the picture, and before and after.

An alert goes out with or without pictures: whatever keeps one from being made (source file gone or damaged,
full disk) becomes a note.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, tzinfo
from importlib import import_module
from pathlib import Path
from typing import Literal, TypeVar
from zoneinfo import ZoneInfo

import cv2
import numpy as np

from huoyan import config
from huoyan.alerts import draw, files, redact, text, words
from huoyan.errors import HuoyanError
from huoyan.records import Box, Detection, Evidence, FrameRef, Image, Observation, Revision, Ring

Role = Literal["wide", "close", "before", "after", "plate", "load"]
Reopen = Callable[[FrameRef, Literal["now", "before"]], Image]
FOLDER = "evidence"
CLOSE_MARGIN = 0.45
"""Context round the subject in a close-up, as a share of its longer side."""
CHANGE_MARGIN = 1.0
LOAD_MARGIN = 0.08
"""Tight: what else is in the frame of a load was not looked for there, and cannot be hidden."""
CLOSE_SIDE_PX = 720
"""Close-ups of small things are enlarged to this long side."""
MOST_ENLARGED = 6.0
_TAGS: dict[Role, tuple[str, str]] = {"before": ("变化前", "Before"), "after": ("变化后", "After")}
T = TypeVar("T")
_FAILURES = (HuoyanError, OSError, ValueError, MemoryError, cv2.error)


@dataclass(frozen=True, slots=True)
class EvidenceResult:
    """The pictures that could be made, and why others could not."""

    evidence: tuple[Evidence, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Opened:
    """A frame read again, with what costs most to find out about it: the faces in it."""

    image: Image
    before: Image | None
    faces: tuple[Box, ...]


@dataclass(frozen=True, slots=True)
class _Shot:
    """The frame that is shown, with what was seen in it in pixels of the picture as read."""

    ref: FrameRef
    opened: Opened
    subject: Detection | None
    involved: tuple[Detection, ...]
    others: tuple[Detection, ...]
    zones: tuple[Ring, ...]


def render(
    revision: Revision,
    folder: Path,
    settings: config.Evidence,
    *,
    others: Sequence[Detection] = (),
    zones_px: Sequence[Ring] = (),
    scene_names: words.Names | None = None,
    zone_names: Mapping[str, str] | None = None,
    timezone: tzinfo | str = UTC,
    reopen: Reopen | None = None,
    opened: dict[str, Opened] | None = None,
) -> EvidenceResult:
    """Make the evidence pictures of a revision.

    Pictures go to `evidence/<incident>/<revision>-<role>.jpg` in `folder`, written whole or not at all:
    `wide` and `close`, for a change also `before` and `after` of the same cut, for a read vehicle `plate`, and `load`
    where the finding names a frame that shows it best.

    Args:
        revision: its finding names the frame and what to show; the first evidence is the subject.
        folder: the state folder.
        settings: quality, size, and what to hide.
        others: everything else that was seen in the frame, in its pixels: people and vehicles are hidden.
        zones_px: outlines of the zones in pixels of the frame.
        scene_names: Chinese and English name by scene id; a scene without them goes by its id.
        zone_names: name by zone id, for the strip below the picture.
        timezone: of the crew, a `tzinfo` or a name such as `Asia/Shanghai`.
        reopen: reads a frame's pixels again; default `huoyan.sources.reopen`.
        opened: frames by id; pass one mapping for several alerts about a frame, and it is read and searched for
            faces once. It keeps the pictures alive, so drop it before the next frame.

    Returns:
        The pictures that could be made and notes on those that could not; nothing is raised for them.
    """
    ref = revision.finding.evidence[0].frame if revision.finding.evidence else revision.finding.frame
    if ref.kind == "report":
        return EvidenceResult(())
    notes: list[str] = []
    frames = {} if opened is None else opened
    if ref.frame_id not in frames:
        frame = _open(ref, settings, reopen or _sources_reopen(), notes)
        if frame is None:
            return EvidenceResult((), tuple(notes))
        frames[ref.frame_id] = frame
    frame = frames[ref.frame_id]
    footer = _footer(revision, ref, scene_names or {}, zone_names or {}, timezone)
    shot = _shot(revision, ref, frame, others, zones_px)
    if shot.subject is not None and not _in_picture(shot.subject.box, frame.image):
        box = tuple(round(value) for value in shot.subject.box)
        notes.append(f"evidence: the box {box} lies outside of the picture {ref.path}")
        shot = replace(shot, subject=None)
    pictures = _attempt(
        lambda: _pictures(shot, revision, settings, footer),
        f"evidence: {ref.path} cannot be drawn",
        notes,
    )
    shown = [(ref, role, picture) for role, picture in (pictures or {}).items()]
    load = next(
        (o for o in revision.finding.evidence[1:] if o.detection.attributes.get("shows") == "load"), None
    )
    if load is not None:
        strip = _footer(revision, load.frame, scene_names or {}, zone_names or {}, timezone)
        drawn = _load(load, revision, settings, strip, frames, reopen or _sources_reopen(), notes)
        shown += [(load.frame, "load", drawn)] if drawn is not None else []
    made: list[Evidence] = []
    for frame_ref, role, picture in shown:
        try:
            made.append(_save(revision, frame_ref, folder, role, picture, settings.quality))
        except _FAILURES as error:
            notes.append(f"evidence: the {role} picture was not written: {error}")
    return EvidenceResult(tuple(made), tuple(notes))


def _load(
    seen: Observation,
    revision: Revision,
    settings: config.Evidence,
    footer: draw.Footer,
    frames: dict[str, Opened],
    read: Reopen,
    notes: list[str],
) -> Image | None:
    """The truck on the frame that shows its load best, which need not be the one that shows its plate."""
    frame = frames.get(seen.frame.frame_id) or _open(seen.frame, settings, read, notes)
    if frame is None:
        return None
    frames[seen.frame.frame_id] = frame
    truck = _scaled(seen.detection, *_scale(seen.frame, frame.image))
    if not _in_picture(truck.box, frame.image):
        return None

    def picture() -> Image:
        cut = _cut(truck.box, frame.image, LOAD_MARGIN)
        clean = redact.hide(
            frame.image,
            [truck],
            [truck],
            faces=settings.blur_faces,
            plates=settings.blur_plates,
            found=frame.faces,
            closer=cut,
        )
        return draw.with_footer(_close(clean, cut, None), footer, revision.incident.priority)

    return _attempt(picture, f"evidence: {seen.frame.path} cannot be drawn", notes)


def _open(ref: FrameRef, settings: config.Evidence, read: Reopen, notes: list[str]) -> Opened | None:
    """Read a frame again and find the faces in it; None, with a note, where it cannot be read."""
    image = _attempt(lambda: read(ref, "now"), f"no evidence: {ref.path} cannot be read again", notes)
    if image is None:
        return None
    before = None
    if ref.kind == "satellite" or "before" in ref.locator:
        before = _attempt(lambda: read(ref, "before"), f"evidence: no earlier picture of {ref.path}", notes)
    faces: list[Box] = []
    if settings.blur_faces and ref.kind != "satellite":
        if not redact.can_find_faces():
            notes.append("evidence: no face detector is installed; only heads of detected people are blurred")
        faces = redact.face_boxes(image)
    return Opened(image, before, tuple(faces))


def _sources_reopen() -> Reopen:
    # Late: a caller that brings its own pictures needs neither video nor raster libraries.
    reopen: Reopen = import_module("huoyan.sources").reopen
    return reopen


def _attempt(make: Callable[[], T], trouble: str, notes: list[str]) -> T | None:
    """What `make` gives, or None with the trouble noted."""
    try:
        return make()
    except _FAILURES as error:
        notes.append(f"{trouble}: {error}")
        return None


def _shot(
    revision: Revision, ref: FrameRef, opened: Opened, others: Sequence[Detection], zones: Sequence[Ring]
) -> _Shot:
    """Bring all that was seen to the pixels of the picture as it was read."""
    sx, sy = _scale(ref, opened.image)
    seen = revision.finding.evidence
    involved = tuple(_scaled(o.detection, sx, sy) for o in seen if o.frame.frame_id == ref.frame_id)
    return _Shot(
        ref,
        opened,
        involved[0] if involved else None,
        involved,
        tuple(_scaled(d, sx, sy) for d in others),
        tuple(tuple((x * sx, y * sy) for x, y in ring) for ring in zones),
    )


def _scale(ref: FrameRef, image: Image) -> tuple[float, float]:
    """Pixels of the picture as read to a pixel of the frame as it was looked at."""
    if not all(ref.size):
        return 1.0, 1.0
    return image.shape[1] / ref.size[0], image.shape[0] / ref.size[1]


def _scaled(detection: Detection, sx: float, sy: float) -> Detection:
    x1, y1, x2, y2 = detection.box
    polygon = tuple((x * sx, y * sy) for x, y in detection.polygon)
    return replace(detection, box=(x1 * sx, y1 * sy, x2 * sx, y2 * sy), polygon=polygon)


def _pictures(
    shot: _Shot, revision: Revision, settings: config.Evidence, footer: draw.Footer
) -> dict[Role, Image]:
    """All pictures of the shot, with nobody to be recognised in them, ready to be written."""
    priority = revision.incident.priority
    image, before = shot.opened.image, shot.opened.before
    cut = _cut(shot.subject.box, image, CLOSE_MARGIN) if shot.subject else None
    clean = image
    if shot.ref.kind != "satellite":
        clean = redact.hide(
            clean,
            [*shot.others, *shot.involved],
            shot.involved,
            faces=settings.blur_faces,
            plates=settings.blur_plates,
            found=shot.opened.faces,
            closer=cut,
        )
    pictures: dict[Role, Image] = {"wide": _wide(shot, clean, revision, settings.long_side, footer)}
    if shot.subject is None or cut is None:
        return pictures
    pictures["close"] = draw.with_footer(_close(clean, cut, shot.subject), footer, priority)
    if before is not None and before.shape == clean.shape:
        both = _cut(shot.subject.box, image, CHANGE_MARGIN)
        sides: tuple[tuple[Role, Image], ...] = (("before", before), ("after", clean))
        for role, source in sides:
            picture = _close(source, both, shot.subject)
            draw.tag(picture, _TAGS[role][0] if text.chinese() else _TAGS[role][1])
            pictures[role] = draw.with_footer(picture, footer, priority)
    plate = _plate_box(shot)
    if plate is not None and _in_picture(plate, shot.opened.image):
        picture = _close(clean, _cut(plate, shot.opened.image, 0.15), None)
        pictures["plate"] = draw.with_footer(picture, footer, priority)
    return pictures


def _wide(shot: _Shot, clean: Image, revision: Revision, long_side: int, footer: draw.Footer) -> Image:
    height, width = clean.shape[:2]
    side = max(height, width)
    # Small pictures are enlarged: twice, and tiny ones until the strip below has room for its words.
    scale = min(long_side / side, max(2.0, 768 / side))
    picture = _resized(clean, scale)
    for ring in shot.zones:
        draw.zone(picture, tuple((x * scale, y * scale) for x, y in ring))
    for detection in shot.involved[1:]:
        draw.other(picture, _scaled(detection, scale, scale).box)
    if shot.subject is not None:
        subject = _scaled(shot.subject, scale, scale)
        label = f"{footer.label} {round(100 * revision.finding.confidence)}%"
        draw.subject(picture, subject.box, subject.polygon, label, revision.incident.priority)
    return draw.with_footer(picture, footer, revision.incident.priority)


def _close(image: Image, cut: Box, subject: Detection | None) -> Image:
    """A part of a picture, enlarged where it is small, the subject's outline in it."""
    x1, y1, x2, y2 = (int(value) for value in cut)
    scale = min(MOST_ENLARGED, CLOSE_SIDE_PX / max(x2 - x1, y2 - y1))
    picture = _resized(image[y1:y2, x1:x2], scale)
    if subject is not None:
        bx1, by1, bx2, by2 = subject.box
        corners = subject.polygon or ((bx1, by1), (bx2, by1), (bx2, by2), (bx1, by2))
        draw.outline(picture, [((x - x1) * scale, (y - y1) * scale) for x, y in corners], (255, 255, 255), 1)
    return picture


def _in_picture(box: Box, image: Image) -> bool:
    """Whether at least a pixel of the box can be seen."""
    height, width = image.shape[:2]
    wide, high = min(box[2], width) - max(box[0], 0.0), min(box[3], height) - max(box[1], 0.0)
    return bool(wide >= 1 and high >= 1)


def _cut(box: Box, image: Image, margin: float) -> Box:
    """The part of the picture to show of a box: its middle, its size and a margin, as near 4:3 as it fits."""
    height, width = image.shape[:2]
    x1, y1 = max(0.0, box[0]), max(0.0, box[1])
    x2, y2 = min(float(width), box[2]), min(float(height), box[3])
    side = max(x2 - x1, y2 - y1) * (1 + 2 * margin)
    high = min(float(height), max(side * 0.75, (y2 - y1) * (1 + margin), 48.0))
    wide = min(float(width), max(side, high * 4 / 3, 64.0))
    left = min(max(0.0, (x1 + x2 - wide) / 2), width - wide)
    top = min(max(0.0, (y1 + y2 - high) / 2), height - high)
    return float(int(left)), float(int(top)), float(int(left + wide)), float(int(top + high))


def _resized(image: Image, scale: float) -> Image:
    height, width = image.shape[:2]
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.ascontiguousarray(cv2.resize(image, size, interpolation=how))


def _plate_box(shot: _Shot) -> Box | None:
    """Where the plate that was read hangs, in pixels of the picture as read."""
    for detection in shot.involved:
        if detection.label == "plate":
            return detection.box
        box = detection.attributes.get("plate_box")
        if box is not None:
            x1, y1, x2, y2 = (float(value) for value in box)
            sx, sy = _scale(shot.ref, shot.opened.image)
            return x1 * sx, y1 * sy, x2 * sx, y2 * sy
    return None


def _footer(
    revision: Revision,
    ref: FrameRef,
    scene_names: words.Names,
    zone_names: Mapping[str, str],
    timezone: tzinfo | str,
) -> draw.Footer:
    chinese = text.chinese()
    incident = revision.incident
    zh, en = scene_names.get(incident.scene, (incident.scene, incident.scene))
    label = zh if chinese else en
    heading = f"{zh} · {en}" if chinese and zh != en else label
    if incident.zones:
        names = [zone_names.get(zone, zone) for zone in incident.zones]
        heading += f"  {'、'.join(names) if chinese else ', '.join(names)}"
    place = words.place_words(incident.place)[0 if chinese else 1]
    sensor = words.SENSORS.get(ref.kind, (ref.kind, ref.kind))[0 if chinese else 1]
    local = ref.time.astimezone(ZoneInfo(timezone) if isinstance(timezone, str) else timezone)
    offset = local.strftime("%z")
    clock = f"{local:%Y-%m-%d %H:%M:%S} {offset[:3]}:{offset[3:5]}"
    return draw.Footer(label, heading, place, f"{clock}   {sensor} {ref.source_id}")


def _save(
    revision: Revision, ref: FrameRef, folder: Path, role: Role, picture: Image, quality: int
) -> Evidence:
    incident = revision.incident
    # Ids are UUIDs; a foreign one must not lead out of the folder.
    safe = re.sub(r"[^0-9A-Za-z-]", "_", incident.incident_id)
    href = f"{FOLDER}/{safe}/{incident.revision}-{role}.jpg"
    digest = files.write(folder / href, files.jpeg(picture, quality))
    return Evidence(role, href, digest, ref.time)
