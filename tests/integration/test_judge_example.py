"""The example county and the sample county load, and the samples' story comes out of their registers."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from huoyan import config, registry, scenes, share
from huoyan.records import Detection, FrameRef, Observation, Observations, Placement, frame_id
from huoyan.scenes import JudgeContext, Memory

SEEN_BY_CAMERA_OR_DRONE = {
    "perimeter_enclosure": "hoarding",
    "earthwork": "excavator",
    "material_transport": "dump_truck",
    "material_stacking": "material_stack",
    "scaffolding": "scaffolding",
    "new_structure": "colour_steel_shed",
    "roof_addition": "scaffolding",
    "unapproved_vehicle": "dump_truck",
}
SEEN_BY_SATELLITE = {"new_structure": "building", "roof_addition": "building", "earthwork": "bare_soil"}


def test_the_example_county_loads() -> None:
    loaded = config.load(share.folder("configs") / "example" / "county.yaml")
    found = registry.load(loaded)
    assert {zone.kind for zone in found.zones.values()} >= {"control", "fire_lane", "storage_yard", "venue"}
    assert len(found.permits) == 3 and len(found.footprints) == 2 and found.vehicles


def observe(scene: str, source: str, told: dict[str, object]) -> Observations:
    """What a faultless *look* would say of an expected alert."""
    kind = "camera" if source.startswith("cam") else source
    when = str(told["visible_from"])
    time = (
        datetime.strptime(when, "%Y%m%dT%H%M%S%z")
        if "T" in when
        else datetime.strptime(when, "%Y%m%d").replace(tzinfo=UTC)
    )
    plate = str(told["note"]).split(" ")[0] if scene == "unapproved_vehicle" else ""
    attributes = {"change_kind": SEEN_BY_SATELLITE[scene], "area_m2": 400.0} if kind == "satellite" else {}
    label = "change" if kind == "satellite" else SEEN_BY_CAMERA_OR_DRONE[scene]
    detection = Detection(label, 0.9, (0.0, 0.0, 50.0, 50.0), text=plate, attributes=attributes)
    place = Placement(float(str(told["lon"])), float(str(told["lat"])), 3.0, "truth")
    ref = FrameRef(frame_id(source, time, 0), source, kind, time, "name", (1280, 720), "x")  # type: ignore[arg-type]
    return Observations(ref, (Observation(ref, detection, place),))


def test_the_samples_tell_their_story(samples: Path) -> None:
    truth = samples / "truth.json"
    loaded = config.load(samples / "county.yaml")
    context = JudgeContext(
        registry.load(loaded),
        scenes.load(),
        ZoneInfo(loaded.config.county.timezone),
        {camera.id: tuple(camera.zones) for camera in loaded.config.cameras},
    )
    expected = json.loads(truth.read_text(encoding="utf-8"))["expected_alerts"]
    assert expected
    for told in expected:
        for source in told["sources"]:
            findings = scenes.judge(observe(told["scene"], source, told), context, Memory()).findings
            found = {f.scene: f.permit for f in findings}
            assert told["scene"] in found, (told, source)
            permit = found[told["scene"]]
            assert (permit.result == "covered") is told["permitted"], (told, permit)
            if told["permitted"] and not told["permit"].startswith("zone"):
                assert permit.permit_id == told["permit"]
