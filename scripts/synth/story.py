"""What happens in March 2026 and what a good look at the pictures must report. No Blender here."""

from __future__ import annotations

import datetime as dt

import layout
from geo import to_lonlat


def _day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


# Plot A, without a permit: each thing is there from its day on.
A_FENCE, A_EARTHWORK, A_MATERIALS = _day("2026-03-05"), _day("2026-03-08"), _day("2026-03-14")
A_FIRST_STOREY, A_SCAFFOLD, A_TOP = _day("2026-03-18"), _day("2026-03-23"), _day("2026-03-28")
# Plot B, with a permit: number of storeys of the shell.
B_STOREYS = (
    (_day("2026-03-02"), 0),
    (_day("2026-03-10"), 1),
    (_day("2026-03-18"), 2),
    (_day("2026-03-25"), 3),
)
B_START = B_STOREYS[0][0]
ROOF_STARTED, ROOF_DONE = _day("2026-03-15"), _day("2026-03-25")
SHED_BUILT, C_LEVELLED = _day("2026-03-12"), _day("2026-03-18")

PLATE_UNKNOWN, PLATE_KNOWN = "浙D5A728", "浙D3C916"
#: Local time of the cam-002 picture -> plate of the truck at the gate of the spoil yard.
GATE_TRUCKS = {"20260312T140000": PLATE_UNKNOWN, "20260320T093000": PLATE_KNOWN}
GATE_TRUCK_AT = (66.5, -7.4)


def plot_b_storeys(day: dt.date) -> int:
    """Storeys of plot B's shell on a day; -1 before anything is built."""
    return max((floors for start, floors in B_STOREYS if start <= day), default=-1)


def _expect(
    scene: str,
    where: tuple[float, float],
    sources: list[str],
    first: str,
    permitted: str = "",
    note: str = "",
) -> dict:
    lon, lat = to_lonlat(*where)
    return {
        "scene": scene,
        "lon": lon,
        "lat": lat,
        "sources": sources,
        "visible_from": first,
        "permitted": bool(permitted),
        "permit": permitted,
        "note": note,
    }


def expected_alerts() -> list[dict]:
    """Scene, place and source of everything that should be told, and of what a permit should silence."""
    a, b = layout.PLOT_A[:2], layout.PLOT_B[:2]
    bad, good = (layout.roof_house(use) for use in ("roof-without-permit", "roof-with-permit"))
    return [
        _expect(
            "perimeter_enclosure",
            a,
            ["cam-001", "drone"],
            "20260306T153000+0800",
            note="blue hoarding round plot A",
        ),
        _expect(
            "earthwork",
            (9.0, 30.0),
            ["cam-001", "drone"],
            "20260309T083000+0800",
            note="excavator and soil heaps",
        ),
        _expect(
            "material_transport",
            (13.2, 17.0),
            ["cam-001", "drone"],
            "20260309T083000+0800",
            note="dump truck in plot A",
        ),
        _expect(
            "material_stacking",
            (26.0, 14.5),
            ["cam-001", "drone"],
            "20260316T103000+0800",
            note="bricks, sand, gravel, timber, cement in plot A",
        ),
        _expect(
            "scaffolding",
            layout.SHELL_A[:2],
            ["cam-001"],
            "20260325T093000+0800",
            note="round the new house on plot A",
        ),
        _expect("new_structure", layout.SHELL_A[:2], ["satellite"], "20260401", note="new house on plot A"),
        _expect("earthwork", a, ["satellite"], "20260401", note="bare soil gained on plot A"),
        _expect(
            "new_structure",
            layout.SHED[:2],
            ["satellite", "drone"],
            "20260316T101810+0800",
            note="steel shed in the fields",
        ),
        _expect("earthwork", layout.PLOT_C[:2], ["satellite"], "20260401", note="levelled field, plot C"),
        _expect(
            "roof_addition",
            (bad.x, bad.y),
            ["satellite", "drone"],
            "20260316T102005+0800",
            note=f"storey on {bad.id}",
        ),
        _expect(
            "unapproved_vehicle",
            GATE_TRUCK_AT,
            ["cam-002"],
            "20260312T140000+0800",
            note=f"{PLATE_UNKNOWN} is not in vehicles.csv",
        ),
        _expect(
            "roof_addition",
            (good.x, good.y),
            ["satellite", "drone"],
            "20260316T102005+0800",
            "JZ-2026-021",
            f"storey on {good.id}",
        ),
        _expect(
            "scaffolding",
            layout.SHELL_B[:2],
            ["cam-002", "drone"],
            "20260312T140000+0800",
            "JZ-2026-014",
            "plot B",
        ),
        _expect(
            "material_stacking",
            (36.5, -15.0),
            ["cam-002", "drone"],
            "20260312T140000+0800",
            "JZ-2026-014",
            "plot B",
        ),
        _expect(
            "perimeter_enclosure", b, ["cam-002", "drone"], "20260304T110000+0800", "JZ-2026-014", "plot B"
        ),
        _expect("new_structure", layout.SHELL_B[:2], ["satellite"], "20260401", "JZ-2026-014", "plot B"),
        _expect(
            "material_stacking",
            layout.STORAGE_YARD[:2],
            ["drone"],
            "20260316T101810+0800",
            "zone storage-yard",
            "lawful by its zone kind",
        ),
        _expect(
            "unapproved_vehicle",
            GATE_TRUCK_AT,
            ["cam-002"],
            "20260320T093000+0800",
            "ZT-2026-008",
            f"{PLATE_KNOWN} is registered",
        ),
    ]
