"""The pose of a drone's camera from the metadata of a photo or of a block of telemetry."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from zoneinfo import ZoneInfo

from huoyan.records import DronePose, Point
from huoyan.sources.metadata import Metadata, read
from huoyan.sources.srt import Telemetry

FULL_FRAME_DIAGONAL_MM = math.hypot(36.0, 24.0)
_WIDE = 16 / 9


def pose_of_photo(path: Path, zone: ZoneInfo) -> DronePose:
    """The pose that a photo's EXIF and DJI XMP tell.

    Raises:
        UnreadableFile: see `metadata.read`.
        FrameTooLarge: see `metadata.read`.
    """
    return from_metadata(read(path, zone))


def from_metadata(meta: Metadata) -> DronePose:
    """The pose that metadata tell; what they lack is None and said in `notes`.

    Angles are the gimbal's: the aircraft's heading may differ by tens of degrees. Heights above take-off
    (RelativeAltitude) and above the sea (AbsoluteAltitude, EXIF) are kept apart.
    """
    dji = meta.dji
    notes = list(meta.notes)
    lat = _number(dji, "GpsLatitude", "Latitude")
    lon = _number(dji, "GpsLongitude", "GpsLongtitude", "Longitude", "Longtitude")
    if lat is None or lon is None or (lat == 0 and lon == 0) or abs(lat) > 90 or abs(lon) > 180:
        lat, lon = meta.lat, meta.lon
    altitude = _number(dji, "AbsoluteAltitude")
    yaw, pitch, roll = (_number(dji, f"Gimbal{axis}Degree") for axis in ("Yaw", "Pitch", "Roll"))
    missing = [name for name, value in (("gimbal yaw", yaw), ("gimbal pitch", pitch)) if value is None]
    if missing:
        notes.append(f"no {' and no '.join(missing)} in the metadata")
    if yaw is not None and pitch is not None:
        yaw, pitch, roll = upright(yaw, pitch, roll or 0.0)
    focal, centre, distortion = _lens(meta, notes)
    horizontal = _rtk(dji, "RtkStdLon", "RtkStdLat")
    vertical = _rtk(dji, "RtkStdHgt")
    return DronePose(
        lon=lon,
        lat=lat,
        height_m=_number(dji, "RelativeAltitude"),
        altitude_m=altitude if altitude is not None else meta.altitude_m,
        yaw_deg=yaw,
        pitch_deg=pitch,
        roll_deg=roll,
        focal_px=focal,
        size=meta.size,
        centre=centre,
        distortion=distortion,
        # Consumer GNSS: about 3 m horizontally; a fixed RTK solution states its own deviation.
        position_error_m=horizontal or 3.0,
        height_error_m=vertical or 3.0,
        model=meta.model,
        notes=tuple(notes),
    )


def from_telemetry(one: Telemetry, size: tuple[int, int], focal_35mm: float | None = None) -> DronePose:
    """The pose of a video frame of `size` from its telemetry; a video is the 16:9 crop of the sensor."""
    focal = one.focal_35mm or focal_35mm
    notes = [] if one.pitch_deg is not None else ["the telemetry holds no gimbal angles"]
    yaw, pitch, roll = one.yaw_deg, one.pitch_deg, one.roll_deg
    if yaw is not None and pitch is not None:
        yaw, pitch, roll = upright(yaw, pitch, roll or 0.0)
    return DronePose(
        lon=one.lon,
        lat=one.lat,
        height_m=one.height_m,
        altitude_m=one.altitude_m,
        yaw_deg=yaw,
        pitch_deg=pitch,
        roll_deg=roll,
        focal_px=focal_from_35mm(focal, size) if focal else None,
        size=size,
        notes=tuple(notes),
    )


def upright(yaw: float, pitch: float, roll: float) -> tuple[float, float, float]:
    """The same direction with a roll within 90 degrees.

    At the nadir some gimbals report a roll of 180 and the opposite yaw; pitches past -90 likewise mean
    that the camera has gone over the top.
    """
    if abs(pitch) > 90:
        pitch = math.copysign(180 - abs(pitch), pitch)
        yaw, roll = yaw + 180, roll + 180
    roll = (roll + 180) % 360 - 180
    if abs(roll) > 90 and pitch <= -80:
        roll, yaw = (roll % 360) - 180, yaw + 180
    return (yaw + 180) % 360 - 180, pitch, roll


def focal_from_35mm(focal_35mm: float, size: tuple[int, int]) -> float:
    """Focal length in pixels from the 35 mm equivalent, which compares the diagonals of the two formats.

    A 16:9 picture is a crop of a 4:3 sensor of the same width (as DJI's cameras make them), so its
    equivalent refers to the diagonal of the uncropped picture.
    """
    long, short = max(size), min(size)
    if long / short > _WIDE * 0.98:
        short = round(long * 3 / 4)
    return focal_35mm / FULL_FRAME_DIAGONAL_MM * math.hypot(long, short)


def _lens(meta: Metadata, notes: list[str]) -> tuple[float | None, Point | None, tuple[float, ...]]:
    """Focal length in pixels, principal point and Brown distortion for the picture as it is delivered."""
    original = meta.original_size or meta.size
    scale = meta.size[0] / original[0]
    if abs(meta.size[1] / original[1] - scale) > 0.01 * scale:
        notes.append("the picture was cropped after it was taken: its calibrated lens is not used")
        original, scale = meta.size, 1.0
    elif dewarp := _dewarp(meta.dji, original):
        focal, centre, distortion = dewarp
        return focal * scale, (centre[0] * scale, centre[1] * scale), distortion
    elif calibrated := _number(meta.dji, "CalibratedFocalLength"):
        x, y = (_number(meta.dji, f"CalibratedOpticalCenter{axis}") for axis in "XY")
        centre_px = (x * scale, y * scale) if x and y else None
        return calibrated * scale, centre_px, ()
    if meta.focal_35mm is None:
        return None, None, ()
    return focal_from_35mm(meta.focal_35mm, original) * scale, None, ()


def _dewarp(
    dji: Mapping[str, str], size: tuple[int, int]
) -> tuple[float, tuple[float, float], tuple[float, ...]] | None:
    """DewarpData `date;fx,fy,cx,cy,k1,k2,p1,p2,k3`, the centre as an offset from the middle."""
    numbers = dji.get("DewarpData", "").rpartition(";")[2].split(",")
    try:
        fx, _, cx, cy, *distortion = (float(number) for number in numbers)
    except ValueError:
        return None
    if fx <= 0 or len(distortion) != 5 or dji.get("DewarpFlag") == "1":
        # A set flag says that the picture is rectified already.
        return None
    return fx, (size[0] / 2 + cx, size[1] / 2 + cy), tuple(distortion)


def _rtk(dji: Mapping[str, str], *names: str) -> float | None:
    """The stated deviation of a fixed RTK solution (RtkFlag 50), at least a centimetre."""
    if dji.get("RtkFlag") != "50":
        return None
    values = [value for name in names if (value := _number(dji, name))]
    return max(0.01, *values) if values else None


def _number(dji: Mapping[str, str], *names: str) -> float | None:
    for name in names:
        try:
            number = float(dji[name])
        except (KeyError, ValueError):
            continue
        if math.isfinite(number):
            return number
    return None


def is_drone(meta: Metadata) -> bool:
    """Whether a still was taken by a drone that says how its camera looked."""
    return any(name.startswith("Gimbal") for name in meta.dji)
