"""Registry and configuration of the sample county, from the plan. No Blender."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import gate_lanes
import gate_story
import geo
import layout
import numpy as np
import shots
import story

SEVEN = [
    "perimeter_enclosure",
    "roof_addition",
    "material_stacking",
    "material_transport",
    "earthwork",
    "scaffolding",
    "new_structure",
]
COUNTY_YAML = """\
# The sample county: one invented place, three kinds of imagery, rendered by scripts/synth.
county: {{name: 样例县, timezone: Asia/Shanghai, data: ./state}}
archive: archive
cameras:
{cameras}
drone: {{archive: drone/}}
satellite: {{archive: satellite/, gsd_hint: 0.5}}
registry:
  zones: registry/zones.geojson
  permits: registry/permits.csv
  footprints: registry/buildings.geojson
  vehicles: registry/vehicles.csv
models: {{site: site-n, street: street-n, change: change-s}}
dispatch: {{to: sqlite}}
gates:
{gate}
intake: {{files: [gate/messages.jsonl]}}
"""
GATE_YAML = """\
  - id: {gate}
    name: 消纳场北门
    site: spoil-yard
    position: [{lon}, {lat}]
    cameras:
{cameras}
    scale: {{device: {scale}, lag: 3s, within: 30s}}
    wash: {{device: {wash}, within: 60s, seconds: 20, needed: leave}}
    smart: [{{device: {smart}, enter: ["1"], leave: ["2"]}}]"""
GATE_CAMERA_YAML = """\
      - id: {id}
        source: gate/{id}.mp4
        line: {line}
        size: {size}
        enter: {enter}"""
PERMITS = [
    # id, scenes, kind, holder, zone, footprint, (x, y), radius, from, to, note
    (
        "JZ-2026-014",
        "perimeter_enclosure material_stacking material_transport earthwork scaffolding new_structure",
        "building",
        "样例县滨江路34号 周某",
        "plot-b",
        "",
        None,
        "",
        "2026-02-15",
        "2026-12-31",
        "三层自建房 (plot B)",
    ),
    (
        "JZ-2026-021",
        "roof_addition scaffolding material_stacking",
        "building",
        "样例县滨江新村 陈某",
        "",
        "roof-with-permit",
        None,
        "",
        "2026-03-10",
        "2026-06-30",
        "屋顶加层 (one storey on the roof)",
    ),
    (
        "SG-2025-107",
        "perimeter_enclosure earthwork material_transport",
        "earthwork",
        "样例县某土方公司",
        "",
        "",
        layout.PLOT_A[:2],
        30,
        "2025-10-01",
        "2025-12-31",
        "已过期 (expired: does not cover March 2026)",
    ),
    (
        "ZT-2026-008",
        "unapproved_vehicle material_transport",
        "haulage",
        "样例县渣土运输一公司",
        "spoil-yard",
        "",
        None,
        "",
        "2026-01-01",
        "2026-12-31",
        "消纳场 (loads for the spoil yard)",
    ),
]
FIRST, SECOND = "样例县渣土运输一公司", "样例县渣土运输二公司"
THIS_YEAR, LAST_YEAR = ("2026-01-01", "2026-12-31"), ("2025-01-01", "2025-12-31")
VEHICLE_COLUMNS = "plate,colour,kind,company,permit,valid_from,valid_to,sites,hours,load_kg,tare_kg,note"
VEHICLES = [
    # plate, company, permit, days, sites, hours, load, tare, note
    (story.PLATE_KNOWN, FIRST, "ZT-2026-008", THIS_YEAR, "spoil-yard plot-b", "", 18000, 12300, ""),
    ("浙D6F850", FIRST, "ZT-2026-009", THIS_YEAR, "spoil-yard", "", 18000, 12500, ""),
    ("浙D9H137", SECOND, "ZT-2025-031", LAST_YEAR, "spoil-yard", "", 18000, 12400, "已过期"),
    ("浙D1K625", SECOND, "ZT-2026-017", THIS_YEAR, "spoil-yard", "19:00-06:00", 18000, 12300, "夜间"),
    ("浙D7K264", SECOND, "ZT-2026-018", THIS_YEAR, "spoil-yard", "", 18000, 12600, ""),
    ("浙D2E419", FIRST, "ZT-2026-010", THIS_YEAR, "spoil-yard", "", 18000, 12300, ""),
    ("浙D4M079", FIRST, "ZT-2026-011", THIS_YEAR, "spoil-yard", "", 18000, 12500, ""),
    ("浙D8L206", SECOND, "ZT-2026-019", THIS_YEAR, "spoil-yard", "", 18000, 12500, ""),
]


def _feature(ring: list[tuple[float, float]], **properties: object) -> dict:
    corners = [list(geo.to_lonlat(x, y)) for x, y in ring]
    return {
        "type": "Feature",
        "properties": properties,
        "geometry": {"type": "Polygon", "coordinates": [corners]},
    }


def _box(x0: float, y0: float, x1: float, y1: float) -> list[tuple[float, float]]:
    return layout.rectangle((x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0)


def zones() -> list[dict]:
    """Zones as GeoJSON features; ids are used by cameras and permits."""
    wide = layout.rectangle
    _gate_x, gate_y = story.GATE_TRUCK_AT
    x, y, w, d = layout.SPOIL_YARD
    return [
        _feature(
            _box(-30, -58, 62, 86),
            id="riverside",
            name="滨江新村管控区",
            kind="control",
            scenes=[*SEVEN, "dust_plume"],
        ),
        _feature(
            _box(52, 54, 94, 88),
            id="hill-foot",
            name="山脚农田管控区",
            kind="control",
            scenes=["earthwork", "new_structure"],
        ),
        _feature(wide(*layout.PLOT_B), id="plot-b", name="滨江路34号地块", kind="control", scenes=SEVEN),
        _feature(
            _box(x - w / 2, y - d / 2, x + w / 2, gate_y + 2.9),
            id="spoil-yard",
            name="建筑垃圾消纳场",
            kind="disposal_site",
            scenes=["unapproved_vehicle", "dust_plume"],
        ),
        _feature(
            wide(*layout.STORAGE_YARD), id="storage-yard", name="滨江建材堆场", kind="storage_yard", scenes=[]
        ),
        _feature(
            _box(-140, -4.5, 150, 4.5),
            id="riverside-road",
            name="滨江路",
            kind="road",
            scenes=["material_transport", "unapproved_vehicle"],
        ),
        _feature(
            _box(-140, layout.RIVER_Y - 8, 180, layout.RIVER_Y + 8),
            id="river",
            name="样例江",
            kind="river",
            scenes=[],
        ),
    ]


def control_points(camera: shots.Shot) -> list[tuple[float, float, float, float, str]]:
    """Ground points seen by a pole camera: pixel x, y, lon, lat, use.

    Pixels are rounded to half a pixel, as if picked by hand.
    """
    out = []
    for i, (u, v) in enumerate((u, v) for v in (0.36, 0.52, 0.70, 0.90) for u in (0.08, 0.38, 0.66, 0.93)):
        x, y = camera.ground(u * camera.size[0], v * camera.size[1])
        px, py = np.round(camera.project([(x, y, 0.0)])[0] * 2) / 2
        out.append((float(px), float(py), *geo.to_lonlat(x, y), "check" if i % 3 == 2 else "fit"))
    return out


def _table(path: Path, header: str, rows: list) -> None:
    with path.open("w", encoding="utf-8", newline="") as out:
        csv.writer(out, lineterminator="\n").writerows([header.split(","), *rows])


def _collection(path: Path, features: list[dict]) -> None:
    body = ",\n".join(json.dumps(f, ensure_ascii=False) for f in features)
    path.write_text(f'{{"type": "FeatureCollection", "features": [\n{body}\n]}}\n', encoding="utf-8")


def _permit_rows() -> list[tuple]:
    rows = []
    for key, scenes, kind, holder, zone, roof, spot, radius, start, end, note in PERMITS:
        lon, lat = geo.to_lonlat(*spot) if spot else ("", "")
        footprint = layout.roof_house(roof).id if roof else ""
        rows.append((key, scenes, kind, holder, zone, footprint, lon, lat, radius, start, end, note))
    return rows


def _gate() -> str:
    cameras = [
        GATE_CAMERA_YAML.format(
            id=lane.name,
            line=gate_lanes.line(lane),
            size=list(lane.shot.size),
            # Lines run from left to right, so what is below is to their right; the yard is where the cameras stand.
            enter="right",
        )
        for lane in gate_lanes.LANES
    ]
    lon, lat = geo.to_lonlat(gate_lanes.ENTRY.x, gate_lanes.ENTRY.portal_y)
    names = {
        "gate": gate_story.GATE,
        "scale": gate_story.SCALE,
        "wash": gate_story.WASH,
        "smart": gate_story.SMART,
    }
    return GATE_YAML.format(lon=lon, lat=lat, cameras="\n".join(cameras), **names)


def write(out: Path) -> None:
    """Writes county.yaml and registry/ below `out`."""
    registry = out / "registry"
    registry.mkdir(parents=True, exist_ok=True)
    _collection(registry / "zones.geojson", zones())
    _collection(
        registry / "buildings.geojson",
        [_feature(layout.footprint(h), id=h.id, storeys=h.storeys) for h in layout.houses()],
    )
    _table(
        registry / "permits.csv",
        "id,scene,kind,holder,zone,footprint,lon,lat,radius_m,valid_from,valid_to,note",
        _permit_rows(),
    )
    vehicles = [(p, "yellow", "muck_truck", c, no, *days, *rest) for p, c, no, days, *rest in VEHICLES]
    _table(registry / "vehicles.csv", VEHICLE_COLUMNS, vehicles)
    lines = []
    for camera, watched in (
        (layout.CAM_1, "riverside, riverside-road"),
        (layout.CAM_2, "plot-b, spoil-yard, riverside-road"),
    ):
        key = camera["id"]
        shot = next(s for s in shots.SHOTS if s.name.startswith(f"camera/{key}/"))
        _table(registry / f"{key}.points.csv", "px_x,px_y,lon,lat,use", control_points(shot))
        lon, lat = geo.to_lonlat(*camera["at"][:2])
        lines.append(
            f"  - id: {key}\n    archive: camera/{key}\n    position: [{lon}, {lat}]\n"
            f"    calibration: registry/{key}.points.csv\n    zones: [{watched}]\n"
            '    pattern: "%Y%m%dT%H%M%S%z"'
        )
    text = COUNTY_YAML.format(cameras="\n".join(lines), gate=_gate())
    (out / "county.yaml").write_text(text, encoding="utf-8")
