"""One self-contained HTML page: a map, the alerts on it with their evidence, and what a permit silenced."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import cv2
import numpy as np
from shapely.geometry.base import BaseGeometry

from huoyan import georef
from huoyan.config import LoadedConfig
from huoyan.errors import SourceError
from huoyan.records import Finding, Image, Placement, RasterGrid
from huoyan.runs.prepare import Prepared
from huoyan.runs.result import ScanResult
from huoyan.sources import raster
from huoyan.sources.folders import RASTER_SUFFIXES

MAP_PX = 1400
_QUALITY = 82
Pixels = list[list[float]]


class _Map:
    """The background with the grid by which places become its pixels."""

    def __init__(self, image: Image, grid: RasterGrid) -> None:
        self.image = image
        self.size = (image.shape[1], image.shape[0])
        self.grid = grid

    def xy(self, lon: float, lat: float) -> list[float] | None:
        point = georef.project(self.grid, lon, lat, self.size)
        return None if point is None else [round(point[0], 1), round(point[1], 1)]

    def ring(self, coordinates: Iterable[Sequence[float]]) -> Pixels:
        return [xy for lon, lat, *_ in coordinates if (xy := self.xy(lon, lat)) is not None]

    def rings(self, geometry: BaseGeometry) -> list[Pixels]:
        parts = getattr(geometry, "geoms", [geometry])
        return [ring for part in parts if len(ring := self.ring(part.exterior.coords)) >= 3]

    def metres(self, length: float) -> float:
        """Pixels of a length on the ground."""
        return float(length / (self.grid.gsd_m or 1.0) * self.size[0] / self.grid.size[0])


def page(
    prepared: Prepared,
    permitted: Sequence[tuple[Finding, int]],
    documents: Sequence[dict[str, Any]],
    result: ScanResult,
    passed: Sequence[dict[str, Any]] = (),
) -> str:
    """The page as text.

    Args:
        prepared: the county.
        permitted: lawful findings with the number of their looks.
        documents: alert documents in the order in which they are shown.
        result: figures of the scan; its state folder holds the evidence.
        passed: what passed the gates; see `demo_gate.cards`.
    """
    loaded = prepared.loaded
    zone = ZoneInfo(loaded.config.county.timezone)
    ground = _background(loaded, documents)
    values = {
        "county": loaded.config.county.name,
        "period": _period(documents, zone),
        "figures": _figures(result),
        "map": _map_values(ground, prepared),
        "alerts": [_alert(document, ground, result.state, zone) for document in _latest(documents)],
        "gate": list(passed),
        "permitted": [_permit(finding, looks, prepared, zone) for finding, looks in permitted],
        "footer": _footer(prepared, result),
    }
    template = resources.files("huoyan.runs").joinpath("demo_page.html").read_text(encoding="utf-8")
    # "</" would end the script element that holds the data.
    return template.replace("__DATA__", json.dumps(values, ensure_ascii=False).replace("</", "<\\/"))


def _latest(documents: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The last revision of each incident, the gravest first."""
    last = {document["subject"]: document for document in documents}
    return sorted(last.values(), key=lambda d: (d["data"]["properties"]["priority"], d["time"], d["id"]))


def _background(loaded: LoadedConfig, documents: Sequence[dict[str, Any]]) -> _Map:
    """The latest satellite picture; where there is none, a plain sheet round the alerts."""
    folder = loaded.archive / loaded.config.satellite.archive
    for path in sorted(folder.rglob("*"), reverse=True) if folder.is_dir() else []:
        if path.suffix.lower() not in RASTER_SUFFIXES:
            continue
        try:
            info = raster.inspect(path, loaded.config.satellite.gsd_hint)
            grid = info.grid(loaded.config.satellite.error_m)
            if grid is not None:
                return _Map(_enlarged(raster.overview(info, MAP_PX)), grid)
        except SourceError:
            continue
    return _sheet(documents)


def _enlarged(image: Image) -> Image:
    scale = MAP_PX / max(image.shape[:2])
    if scale <= 1.05:
        return image
    return np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC), np.uint8)


def _sheet(documents: Sequence[dict[str, Any]]) -> _Map:
    points = [d["data"]["geometry"]["coordinates"] for d in documents if d["data"]["geometry"]] or [
        [0.0, 0.0]
    ]
    west, north = min(p[0] for p in points) - 0.001, max(p[1] for p in points) + 0.001
    east, south = max(p[0] for p in points) + 0.001, min(p[1] for p in points) - 0.001
    affine = ((east - west) / MAP_PX, 0.0, west, 0.0, (south - north) / MAP_PX, north)
    gsd = georef.distance_m((west, north), (east, north)) / MAP_PX
    grid = RasterGrid(affine, "EPSG:4326", (MAP_PX, MAP_PX), gsd_m=gsd)
    return _Map(np.full((MAP_PX, MAP_PX, 3), 58, np.uint8), grid)


def _map_values(ground: _Map, prepared: Prepared) -> dict[str, Any]:
    zones = prepared.registry.zones.values()
    footprints = prepared.registry.footprints.values()
    cameras = prepared.loaded.config.cameras
    return {
        "image": _jpeg(ground.image),
        "size": ground.size,
        "zones": [
            {"name": zone.name, "ring": ring} for zone in zones for ring in ground.rings(zone.geometry)
        ],
        "footprints": [ring for footprint in footprints for ring in ground.rings(footprint.geometry)],
        "cameras": [
            {"id": camera.id, "xy": xy}
            for camera in cameras
            if camera.position is not None and (xy := ground.xy(*camera.position)) is not None
        ],
    }


def _alert(document: dict[str, Any], ground: _Map, state: Path, zone: ZoneInfo) -> dict[str, Any]:
    feature = document["data"]
    told = feature["properties"]
    position = told["position"]
    point = feature["geometry"]["coordinates"] if feature["geometry"] else None
    outline = (position.get("outline") or {}).get("coordinates")
    seen = _clock(told["first_seen"], zone)
    return {
        "scene": told["scene"]["id"],
        "zh": told["scene"]["zh"],
        "en": told["scene"]["en"],
        "priority": told["priority"],
        "xy": ground.xy(*point) if point else None,
        "error_px": ground.metres(position["error_m"]) if position.get("error_m") else None,
        "outline": ground.ring(outline[0]) if outline else None,
        "meta": f"{seen} · {' '.join(told['sensors'])} · {' '.join(told['zones'])}",
        "words": told["explanation"],
        "shots": _shots(told["evidence"], state, zone),
        "facts": _facts(document),
    }


def _facts(document: dict[str, Any]) -> list[list[str]]:
    told = document["data"]["properties"]
    point = document["data"]["geometry"]
    position = told["position"]
    facts = [["编码 code", told["code"]], ["置信度 confidence", f"{told['confidence']:.2f}"]]
    if point:
        lon, lat = point["coordinates"][:2]
        facts.append(
            ["位置 place", f"{lon:.6f}, {lat:.6f} ± {position['error_m']:.1f} m ({position['method']})"]
        )
    else:
        facts.append(["位置 place", f"无 none: {position['reason']}"])
    if told.get("vehicle"):
        vehicle = told["vehicle"]
        facts.append(
            [
                "车牌 plate",
                f"{vehicle['plate']} ({', '.join(r['id'] + ' ' + r['zh'] for r in vehicle['reasons'])})",
            ]
        )
    facts.append(["许可 permit", f"{told['permit']['result']} {told['permit']['note'] or ''}".strip()])
    facts.append(["模型 models", ", ".join(f"{m['name']} {m['version']}" for m in told["models"]) or "–"])
    facts.append(["版本 revision", f"{told['revision']} ({told['why']})"])
    facts.append(["编号 id", document["subject"][:8]])
    return facts


def _shots(evidence: Sequence[dict[str, Any]], state: Path, zone: ZoneInfo) -> list[dict[str, str]]:
    """Before and after side by side for a change, else the wide picture with the close one."""
    roles = {one["role"]: one for one in evidence}
    chosen = ("before", "after", "wide", "close") if "before" in roles else ("wide", "close", "plate")
    shots = []
    for one in (roles[role] for role in chosen if role in roles):
        try:
            data = (state / one["href"]).read_bytes()
        except OSError:
            continue
        source = "data:image/jpeg;base64," + base64.b64encode(data).decode()
        shots.append(
            {"role": one["role"], "src": source, "time": _clock(one["time"], zone), "sha256": one["sha256"]}
        )
    return shots


def _permit(finding: Finding, looks: int, prepared: Prepared, zone: ZoneInfo) -> dict[str, Any]:
    zh, en = prepared.rules.names[finding.scene]
    names = [prepared.registry.zones[name].name for name in finding.zones if name in prepared.registry.zones]
    where = finding.place
    place = f"{where.lon:.5f}, {where.lat:.5f}" if isinstance(where, Placement) else "–"
    permit = prepared.registry.permit(finding.permit.permit_id) if finding.permit.permit_id else None
    note = (
        finding.permit.note if permit is None else f"{permit.holder} {permit.valid_from} – {permit.valid_to}"
    )
    return {
        "zh": zh,
        "en": en,
        "zones": "、".join(names) or place,
        "time": f"{finding.frame.time.astimezone(zone):%Y-%m-%d %H:%M} · {finding.frame.source_id}",
        "permit": finding.permit.permit_id or "lawful here",
        "note": note,
        "count": looks,
    }


def _figures(result: ScanResult) -> list[list[str]]:
    return [
        ["帧 frames", str(result.frames)],
        ["跳过 skipped", str(sum(result.skipped.values()))],
        ["检测 detections", str(result.detections)],
        ["已定位 placed", str(result.placed)],
        ["发现 findings", str(result.findings)],
        ["许可内 permitted", str(result.permitted)],
        ["预警 alerts", str(len(result.alerts))],
        ["用时 seconds", f"{result.seconds:.1f}"],
    ]


def _period(documents: Sequence[dict[str, Any]], zone: ZoneInfo) -> str:
    times = sorted(datetime.fromisoformat(document["time"]).astimezone(zone) for document in documents)
    return f"{times[0]:%Y-%m-%d} – {times[-1]:%Y-%m-%d}" if times else "no alerts"


def _footer(prepared: Prepared, result: ScanResult) -> str:
    models = ", ".join(f"{ref.name} {ref.version}" for ref in prepared.models.values())
    return (
        f"Huoyan · models {models} · configuration {prepared.loaded.sha256[:12]} · "
        f"the sample imagery is rendered: the place and its people are invented · {result.frames} frames"
    )


def _clock(time: str, zone: ZoneInfo) -> str:
    return f"{datetime.fromisoformat(time).astimezone(zone):%Y-%m-%d %H:%M}"


def _jpeg(image: Image) -> str:
    flags = [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
    data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), flags)[1]
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode()
