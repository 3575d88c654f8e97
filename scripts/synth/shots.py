"""Cameras: where each picture is taken from, and how a point of the place falls into it."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass

import numpy as np
from layout import CAM_1, CAM_2

TZ = dt.timezone(dt.timedelta(hours=8))
#: Diagonal of the 36 x 24 mm frame; "35 mm equivalent" is by diagonal, as DJI and CIPA have it.
FULL_FRAME_DIAGONAL_MM = math.hypot(36, 24)
DRONE_FOCAL_35MM = 24


@dataclass(frozen=True)
class Shot:
    """One picture to take: metres in the local frame (x east, y north, z up), angles in degrees."""

    name: str  # path below the archive, without suffix
    kind: str  # pole | drone | ortho
    time: dt.datetime
    size: tuple[int, int]  # width, height in pixels
    at: tuple[float, float, float]
    pitch: float = -90.0  # above the horizon
    yaw: float = 0.0  # clockwise from grid north
    hfov: float = 60.0  # perspective kinds
    gsd: float = 0.5  # metres per pixel, ortho
    weather: str = "clear"  # clear | hazy | overcast
    shift: tuple[float, float] = (
        0.0,
        0.0,
    )  # ortho: error of the stated place (east, north), as real pairs have

    @property
    def suffix(self) -> str:
        return ".tif" if self.kind == "ortho" else ".jpg"

    @property
    def centre(self) -> tuple[float, float, float]:
        """Where the camera really is: `at` and the error of the stated place."""
        return self.at[0] + self.shift[0], self.at[1] + self.shift[1], self.at[2]

    def rotation(self) -> np.ndarray:
        """World to camera axes: x right, y down, z forward (computer-vision order)."""
        p, w = math.radians(self.pitch), math.radians(self.yaw)
        forward = np.array([math.sin(w) * math.cos(p), math.cos(w) * math.cos(p), math.sin(p)])
        right = np.array([math.cos(w), -math.sin(w), 0])
        return np.array([right, np.cross(forward, right), forward])

    def focal(self) -> float:
        """Focal length in pixels."""
        return self.size[0] / 2 / math.tan(math.radians(self.hfov) / 2)

    def project(self, points: np.ndarray) -> np.ndarray:
        """Pixel x, y of each world point in front of the camera (rows behind it are left out)."""
        local = (np.asarray(points, float) - self.centre) @ self.rotation().T
        local = local[local[:, 2] > 0.1]
        scale = 1 / self.gsd if self.kind == "ortho" else self.focal() / local[:, 2:]
        return local[:, :2] * scale + np.array(self.size) / 2

    def ground(self, px: float, py: float, z: float = 0.0) -> tuple[float, float]:
        """Local x, y where the sight line of a pixel meets the level `z`; inverse of `project`."""
        if self.kind == "ortho":
            dx, dy = (px - self.size[0] / 2) * self.gsd, (py - self.size[1] / 2) * self.gsd
            return self.centre[0] + dx, self.centre[1] - dy
        ray = np.array([px - self.size[0] / 2, py - self.size[1] / 2, self.focal()]) @ self.rotation()
        if ray[2] >= 0:
            raise ValueError(f"pixel ({px}, {py}) of {self.name} looks at or above the horizon")
        x, y, _ = np.array(self.at) + ray * (z - self.at[2]) / ray[2]
        return float(x), float(y)

    def describe(self) -> dict:
        """Pose and intrinsics for truth.json."""
        out = {
            "position_local": [round(v, 3) for v in self.centre],
            "yaw_deg": self.yaw,
            "pitch_deg": self.pitch,
            "roll_deg": 0.0,
            "rotation_world_to_camera": self.rotation().round(6).tolist(),
            "width": self.size[0],
            "height": self.size[1],
        }
        if self.kind == "ortho":
            return {**out, "gsd_m": self.gsd, "stated_minus_true_m": [-self.shift[0], -self.shift[1]]}
        f = round(self.focal(), 3)
        return {
            **out,
            "hfov_deg": round(self.hfov, 4),
            "fx": f,
            "fy": f,
            "cx": self.size[0] / 2,
            "cy": self.size[1] / 2,
        }


def drone_hfov(width: int, height: int) -> float:
    """Horizontal field of view of the drone, from its 35 mm equivalent focal length."""
    focal_px = DRONE_FOCAL_35MM / FULL_FRAME_DIAGONAL_MM * math.hypot(width, height)
    return 2 * math.degrees(math.atan(width / 2 / focal_px))


def _pole(camera: dict, when: str, weather: str = "clear") -> Shot:
    time = dt.datetime.strptime(when, "%Y%m%dT%H%M%S").replace(tzinfo=TZ)
    return Shot(
        f"camera/{camera['id']}/{when}+0800",
        "pole",
        time,
        (1280, 720),
        camera["at"],
        camera["pitch"],
        camera["yaw"],
        camera["hfov"],
        weather=weather,
    )


def _drone(number: int, when: str, at: tuple[float, float, float], pitch: float, yaw: float) -> Shot:
    time = dt.datetime.strptime(when, "%Y%m%dT%H%M%S").replace(tzinfo=TZ)
    return Shot(
        f"drone/flight-{time:%Y%m%d}/DJI_{time:%Y%m%d%H%M%S}_{number:04d}",
        "drone",
        time,
        (1280, 960),
        at,
        pitch,
        yaw,
        drone_hfov(1280, 960),
    )


def _satellite(when: str, weather: str, shift: tuple[float, float]) -> Shot:
    time = dt.datetime.strptime(when, "%Y%m%dT%H%M%S").replace(tzinfo=TZ)
    return Shot(
        f"satellite/{time:%Y%m%d}/place",
        "ortho",
        time,
        (640, 640),
        (20.0, 15.0, 600.0),
        weather=weather,
        shift=shift,
    )


SHOTS = [
    _satellite("20260301T104000", "hazy", (1.0, -0.5)),
    _pole(CAM_1, "20260303T100000"),
    _pole(CAM_2, "20260304T110000", "hazy"),
    _pole(CAM_1, "20260306T153000"),
    _pole(CAM_1, "20260309T083000", "hazy"),
    _pole(CAM_1, "20260311T160000"),
    _pole(CAM_2, "20260312T140000"),
    _drone(1, "20260316T101500", (13.0, 26.0, 60.0), -90.0, 4.0),
    _drone(2, "20260316T101630", (12.0, -12.0, 60.0), -60.0, 4.0),
    _drone(3, "20260316T101810", (32.0, -22.0, 60.0), -90.0, -176.0),
    _drone(4, "20260316T102005", (14.0, 34.0, 50.0), -60.0, 2.0),
    _pole(CAM_1, "20260316T103000"),
    _pole(CAM_1, "20260319T143000", "overcast"),
    _pole(CAM_2, "20260320T093000"),
    _pole(CAM_1, "20260325T093000"),
    _pole(CAM_2, "20260327T153000", "overcast"),
    _pole(CAM_1, "20260330T150000"),
    _satellite("20260401T111000", "clear", (0.0, 0.0)),
]
