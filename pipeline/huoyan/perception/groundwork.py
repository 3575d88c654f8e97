"""Naming changes by simple radiometric rules, and finding those that a network for buildings does not know.

Kinds: `building`, `bare_soil` (vegetation gone, soil in its place), `bright_heap` (something small and pale,
of no building's shape: material, rubble), `vegetation` (the plot has grown over: nothing was built).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from huoyan.perception import radiometry, regions
from huoyan.perception.radiometry import Floats, Light
from huoyan.perception.regions import Mask, Region
from huoyan.records import Image

# The rules look at pixels of about a metre: finer ones show furrows and stones, and cost more.
_GRID_M = 1.0
_SMOOTH_M = 1.5
_THREAD_M = 3.0
_MIN_PIXELS = 9
_SOIL_THRESHOLD = 0.5
_SOIL_MIN_M2 = 300.0
_HEAP_CELL_M = 1.5
_HEAP_M2 = (20.0, 1500.0)
# A heap is no building, but the network must at least find something odd about it.
_HEAP_SUPPORT = 0.3
_RECTANGULAR = 0.6


@dataclass(frozen=True, slots=True)
class Ground:
    """A pair in one light on a grid of about a metre.

    `across` and `down` are pixels of the pictures in a cell, `cell_m` is its side in metres.
    """

    before: Floats
    after: Floats
    """In the light of `before`."""
    untouched: Floats
    """`after` in its own light."""
    free: Mask
    """Cells with data that the network did not mark."""
    probability: Floats
    across: float
    down: float
    cell_m: float


def coarse(
    before: Image,
    after: Image,
    light: Light,
    valid: Mask,
    probability: Floats,
    limit: float,
    gsd_m: float | None,
) -> Ground:
    """Bring a pair, uint8 (height, width, 3), to the grid of the rules; 1 m a pixel where it is not known."""
    gsd = gsd_m or _GRID_M
    height, width = valid.shape
    step = max(1, round(_GRID_M / gsd))
    size = (max(1, width // step), max(1, height // step))
    old, new, marked, covered = (
        cv2.resize(plane, size, interpolation=cv2.INTER_AREA)
        for plane in (before, after, probability, valid.astype(np.float32))
    )
    own = new.astype(np.float32)
    return Ground(
        before=old.astype(np.float32),
        after=light.apply(own),
        untouched=own,
        free=(covered >= 1) & (marked < limit),
        probability=marked.astype(np.float32),
        across=width / size[0],
        down=height / size[1],
        cell_m=gsd * width / size[0],
    )


def soil(ground: Ground) -> Floats:
    """How surely vegetation has become soil, by cell; 0 where there is no data or the network found more.

    It must look so in the light of both dates: another season, sensor or haze is rarely undone so well that
    one of them alone could be trusted.
    """
    sigma = max(0.8, _SMOOTH_M / ground.cell_m)
    matched, untouched = (
        radiometry.soil_gained(ground.before, after, sigma) for after in (ground.after, ground.untouched)
    )
    sureness: Floats = np.minimum(matched, untouched) * ground.free
    return sureness


def bare_soil(ground: Ground, sureness: Floats) -> list[Region]:
    """Patches of at least 300 m2 of `soil`; smoothing draws their edges in by one or two metres."""
    found = regions.find(
        _cleaned(sureness >= _SOIL_THRESHOLD, ground), sureness, _cells(_SOIL_MIN_M2, ground)
    )
    return [region.enlarged(ground.across, ground.down) for region in found]


def bright_heaps(ground: Ground, sureness_of_soil: Floats, limit: float) -> list[Region]:
    """Small pale patches, 20 to 1500 m2, that are not `soil`; `limit` is the network's threshold.

    None above 1.5 m a pixel: there a heap is a few pixels, as every sunlit gap between buildings is.
    """
    if ground.cell_m > _HEAP_CELL_M:
        return []
    sureness = radiometry.brightened(ground.before, ground.after, max(0.5, 0.5 * _SMOOTH_M / ground.cell_m))
    free = ground.free & (sureness_of_soil < _SOIL_THRESHOLD)
    least, most = (_cells(area, ground) for area in _HEAP_M2)
    found = []
    for region in regions.find(_cleaned((sureness >= 0.5) & free, ground), sureness, least):
        support = float(ground.probability[region.window][region.inside].mean())
        if region.pixels <= most and support >= _HEAP_SUPPORT * limit:
            found.append(region.enlarged(ground.across, ground.down))
    return found


def kind(region: Region, before: Image, after: Image, light: Light, gsd_m: float | None) -> str:
    """What a patch that the network marked has become; a building unless it plainly is something else."""
    was = before[region.window][region.inside].mean(axis=0, dtype=np.float32)
    now = light.apply(after[region.window][region.inside].mean(axis=0, dtype=np.float32))
    green_was, green_now = float(radiometry.excess_green(was)), float(radiometry.excess_green(now))
    if green_now > 0.06 and green_now > green_was + 0.02:
        return "vegetation"
    if region.rectangularity >= _RECTANGULAR:
        return "building"
    area = region.pixels * (gsd_m or _GRID_M) ** 2
    brighter = float(radiometry.luma(now) - radiometry.luma(was))
    warm = float(radiometry.warmth(now))
    if area >= 1000 and green_was > green_now + 0.03 and 0.06 < warm < 0.35:
        return "bare_soil"
    if area <= 400 and brighter > 30 and warm > 0.06:
        return "bright_heap"
    return "building"


def _cells(area_m2: float, ground: Ground) -> float:
    return max(_MIN_PIXELS, area_m2 / ground.cell_m**2)


def _cleaned(mask: Mask, ground: Ground) -> Mask:
    """Without threads and specks narrower than about 3 m."""
    side = max(3, round(_THREAD_M / ground.cell_m) | 1)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    opened: Mask = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, kernel).astype(bool)
    return opened
