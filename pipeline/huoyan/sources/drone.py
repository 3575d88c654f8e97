"""The pose of a drone's camera from the metadata of a photo or of a block of telemetry.

What the metadata do not tell stays None, and is said in the notes: nothing is guessed. Angles are the
gimbal's, for the aircraft's own may differ by tens of degrees. Heights above take-off (RelativeAltitude)
and above the sea (AbsoluteAltitude, EXIF) are kept apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import cos, hypot, radians
from pathlib import Path
from zoneinfo import ZoneInfo

from huoyan.records import DronePose
from huoyan.sources import lens, metadata
from huoyan.sources.lens import Lens
from huoyan.sources.metadata import Metadata
from huoyan.sources.numbers import number
from huoyan.sources.srt import Telemetry

GNSS_ERROR_M = 3.0
"""Consumer GNSS, horizontally and vertically, 68 %."""
RTK_ERROR_M = 0.1
"""A fixed RTK solution that does not state its deviation."""
LEVEL_ERROR_M = 1.0
"""Ground is seldom as level with the take-off point as a fixed RTK height is good."""
_RTK_FIXED = "50"
_DISAGREE_M = 100.0
_METRES_PER_DEGREE = 111_320.0
# Rotation of the stored picture, clockwise, by EXIF orientation.
_QUARTER_TURNS = {1: 0, 6: 1, 3: 2, 8: 3}


def is_drone(meta: Metadata) -> bool:
    """Whether a still was taken by a drone that says how its camera looked."""
    return any(name.startswith("Gimbal") for name in meta.dji)


def pose_of_photo(path: Path, zone: ZoneInfo) -> DronePose:
    """The pose that a photo's EXIF and DJI XMP tell, see `from_metadata`.

    Raises:
        UnreadableFile: missing, no permission, empty, or not a picture.
        FrameTooLarge: it claims more pixels than a still may have.
    """
    return from_metadata(metadata.read(path, zone))


def from_metadata(meta: Metadata) -> DronePose:
    """The pose that a photo's metadata tell, for the picture as it is delivered (upright)."""
    dji = meta.dji
    notes = list(meta.notes)
    lon, lat = _position(meta, notes)
    height = number(dji, "RelativeAltitude")
    altitude = number(dji, "AbsoluteAltitude")
    yaw, pitch, roll = (number(dji, f"Gimbal{axis}Degree") for axis in ("Yaw", "Pitch", "Roll"))
    glass, said = lens.of_photo(meta)
    notes += said + _missing(lon, height, yaw, pitch)
    if yaw is not None and pitch is not None:
        yaw, pitch, roll = normalised(yaw, pitch, roll or 0.0)
    position_error, height_error = _errors(dji)
    pose = DronePose(
        lon,
        lat,
        height,
        altitude if altitude is not None else meta.altitude_m,
        yaw,
        pitch,
        roll,
        glass.focal_px,
        meta.size,
        glass.centre,
        glass.distortion,
        position_error,
        height_error,
        model=meta.model,
        notes=tuple(notes),
    )
    return _turned(pose, meta)


def from_telemetry(one: Telemetry, size: tuple[int, int]) -> DronePose:
    """The pose of a video frame of `size` from its telemetry; a video is the 16:9 crop of the sensor."""
    yaw, pitch, roll = one.yaw_deg, one.pitch_deg, one.roll_deg
    notes = _missing(one.lon, one.height_m, yaw, pitch)
    focal = lens.focal_from_35mm(one.focal_35mm, size) if one.focal_35mm else None
    if focal is None:
        notes.append("no focal length in the telemetry")
    if yaw is not None and pitch is not None:
        yaw, pitch, roll = normalised(yaw, pitch, roll or 0.0)
    return DronePose(
        one.lon, one.lat, one.height_m, one.altitude_m, yaw, pitch, roll, focal, size, notes=tuple(notes)
    )


def normalised(yaw: float, pitch: float, roll: float) -> tuple[float, float, float]:
    """The same rotation with yaw and roll within (-180, 180] and, near the nadir, without a flip of both.

    (yaw, pitch, roll) and (yaw + 180, 180 - pitch, roll + 180) are one rotation. At the nadir some gimbals
    report the second form; the first is what a reader expects. Elsewhere a roll of 180 is a camera hanging
    upside down, and stays.
    """
    roll = _within(roll)
    flipped = _within(180.0 - pitch)
    if abs(roll) > 90 and abs(flipped + 90) < 30:
        yaw, pitch, roll = yaw + 180, flipped, _within(roll + 180)
    return _within(yaw), pitch, roll


def _within(degrees: float) -> float:
    """The angle in (-180, 180]."""
    return 180.0 - (180.0 - degrees) % 360.0


def _position(meta: Metadata, notes: list[str]) -> tuple[float | None, float | None]:
    """(lon, lat): of the XMP, which has more digits and a sign, else of EXIF."""
    lat = number(meta.dji, "GpsLatitude", "Latitude")
    lon = number(meta.dji, "GpsLongitude", "GpsLongtitude", "Longitude", "Longtitude")
    if lat is None or lon is None or (lat == 0 and lon == 0) or abs(lat) > 90 or abs(lon) > 180:
        return meta.lon, meta.lat
    if meta.lat is not None and meta.lon is not None:
        north = (lat - meta.lat) * _METRES_PER_DEGREE
        east = ((lon - meta.lon + 180) % 360 - 180) * _METRES_PER_DEGREE * cos(radians(lat))
        if hypot(north, east) > _DISAGREE_M:
            notes.append(
                f"XMP and EXIF name places {hypot(north, east):.0f} m apart; that of the XMP is used"
            )
    return lon, lat


def _missing(lon: float | None, height: float | None, yaw: float | None, pitch: float | None) -> list[str]:
    parts = {"position": lon, "height above take-off": height, "gimbal yaw": yaw, "gimbal pitch": pitch}
    lacking = [f"no {name}" for name, value in parts.items() if value is None]
    return [f"the drone's metadata hold {', '.join(lacking)}"] if lacking else []


def _errors(dji: Mapping[str, str]) -> tuple[float, float]:
    """(horizontal, vertical) error in metres; a fixed RTK solution (RtkFlag 50) states its deviations."""
    if dji.get("RtkFlag") != _RTK_FIXED:
        return GNSS_ERROR_M, GNSS_ERROR_M
    across, along = number(dji, "RtkStdLon"), number(dji, "RtkStdLat")
    up = number(dji, "RtkStdHgt")
    horizontal = hypot(across, along) if across is not None and along is not None else RTK_ERROR_M
    return max(horizontal, 0.01), max(up, LEVEL_ERROR_M) if up is not None else GNSS_ERROR_M


def _turned(pose: DronePose, meta: Metadata) -> DronePose:
    """The pose of the picture turned upright: its camera is rolled against the turn."""
    turns = _QUARTER_TURNS.get(meta.orientation)
    if turns is None:
        # Mirrored by software: no camera sees like that.
        notes = (*pose.notes, "the picture is mirrored: its angles are not used")
        return replace(pose, size=meta.upright, yaw_deg=None, pitch_deg=None, roll_deg=None, notes=notes)
    for _ in range(turns):
        glass = _quarter(Lens(pose.focal_px, pose.centre, pose.distortion), pose.size)
        roll = None if pose.roll_deg is None else _within(pose.roll_deg - 90)
        pose = replace(
            pose,
            size=(pose.size[1], pose.size[0]),
            roll_deg=roll,
            centre=glass.centre,
            distortion=glass.distortion,
        )
    return pose


def _quarter(glass: Lens, size: tuple[int, int]) -> Lens:
    """The lens of the picture turned clockwise by 90 degrees: pixel (x, y) goes to (height - y, x).

    Brown's tangential part is 2 (t.x) x + r2 t with t = (p2, p1), so t turns like a point.
    """
    centre = (size[1] - glass.centre[1], glass.centre[0]) if glass.centre else None
    if not glass.distortion:
        return Lens(glass.focal_px, centre)
    k1, k2, p1, p2, k3 = glass.distortion
    return Lens(glass.focal_px, centre, (k1, k2, p2, -p1, k3))
