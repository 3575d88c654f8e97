"""Reasons M01-M11 of muck trucks: one small rule each.

A rule is given a case and answers with the reason that holds, with `Unknown` where it would have to ask what nobody
says, or with None: nothing against it. Sentences have no subject: the vehicle is named by who shows them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from huoyan.passage import Code, Reason
from huoyan.records import Placement
from huoyan.registry import Registry, Vehicle, plate_key
from huoyan.registry.entries import PLATE_COLOURS
from huoyan.vehicles import ground
from huoyan.vehicles.case import Case
from huoyan.vehicles.near import colours_differ

TRUCK_LABELS = {
    "muck_truck": ("dump_truck",),
    "dump_truck": ("dump_truck",),
    "mixer_truck": ("mixer_truck",),
}
"""Labels that a registered kind is seen as."""
COLOUR_NAMES = {word: f"{name}色" for name, word in PLATE_COLOURS.items()}
UNLIKE = {"dump_truck": ("car",), "mixer_truck": ("car",), "car": ("dump_truck", "mixer_truck", "loader")}
"""Labels that no detector takes for one another."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """Why a rule cannot be asked: `weight: scale-1 is silent`."""

    why: str


Answer = Reason | Unknown | None
Rule = Callable[[Case], Answer]


def not_registered(case: Case) -> Answer:
    """M01: a readable plate that the register does not have."""
    passage, sure = case.passage, case.passage.plate.confidence
    if case.vehicle or not passage.plate.readable or passage.label in case.limits.exempt:
        return None
    if case.registry.vehicles is None:
        return Unknown("registration: the county gives no register of vehicles")
    if sure < case.limits.plate:
        return Unknown(f"registration: the plate is read with {sure:.2f} only")
    return Reason("M01", "号牌未登记", "its plate is not registered", sure)


def permit_not_valid(case: Case) -> Answer:
    """M02: the local day is not one of the vehicle's own or of its permit's; first and last day count."""
    if case.vehicle is None:
        return None
    first, last = permit_days(case.vehicle, case.registry)
    day = case.local.date()
    permit = case.vehicle.permit
    if last and day > last:
        return _plate_reason(
            "M02", f"准运许可{permit}已于{last}到期", f"its permit {permit} expired on {last}", case
        )
    if first and day < first:
        return _plate_reason(
            "M02", f"准运许可{permit}自{first}起生效", f"its permit {permit} begins on {first}", case
        )
    return None


def outside_hours(case: Case) -> Answer:
    """M03: by the wall clock, to the second, outside every window of the register."""
    if case.vehicle is None or case.vehicle.hours.open_at(case.local):
        return None
    now, text = f"{case.local:%H:%M:%S}", case.vehicle.hours.text
    return _plate_reason(
        "M03", f"{now}不在准运时段（{text}）内", f"{now} is outside its hours ({text})", case
    )


def wrong_site(case: Case) -> Answer:
    """M04: at the gate of a site that is not its own, or with a load from somewhere that may not go there."""
    site = case.context.site or ground.disposal_site(case)
    vehicle = case.vehicle
    if vehicle is None or site is None or not vehicle.all_sites:
        return None
    name = case.site_name(site)
    if site not in vehicle.all_sites:
        own = "、".join(map(case.site_name, sorted(vehicle.all_sites)))
        return _plate_reason(
            "M04", f"{name}不是其核准场地（{own}）", f"{name} is not among its sites ({own})", case
        )
    loads = [start for start, to in vehicle.trips if to == site]
    passage = case.passage
    if passage.direction != "enter" or passage.cover == "empty" or site in vehicle.sites or not loads:
        return None
    origin = ground.last_loaded(case, site)
    if origin is None:
        return Unknown("origin: it was not seen leaving the site where it was loaded")
    if origin in loads:
        return None
    start = case.site_name(origin)
    return _plate_reason(
        "M04", f"从{start}运往{name}未经核准", f"it may not carry from {start} to {name}", case
    )


def off_corridor(case: Case) -> Answer:
    """M05: surely outside all its corridors and sites; on a track two points in a row, so that no jump counts."""
    vehicle = case.vehicle
    if vehicle is None or not vehicle.corridors or case.context.where == "gate":
        return None
    if not case.places:
        return Unknown("route: it has no place")
    off = [(ground.metres_off(case, place), place) for _, place in case.places]
    pairs = zip(off, off[1:] or off, strict=False)
    surely = [(max(a, b), place) for (a, place), (b, _) in pairs if a is not None and b is not None]
    if not surely:
        return None
    metres, where = max(surely, key=lambda pair: pair[0])
    own = [case.registry.corridors[name].name for name in vehicle.corridors]
    there = ground.corridor_at(case, where)
    zh = f"偏离核准路线（{'、'.join(own)}）约{metres:.0f}米" + (f"，位于{there}" if there else "")
    en = f"about {metres:.0f} m off its corridors ({', '.join(own)})" + (f", on {there}" if there else "")
    return _plate_reason("M05", zh, en, case)


def over_load(case: Case) -> Answer:
    """M06: the net weight, or the gross weight less the registered empty weight, is over the limit."""
    vehicle, context = case.vehicle, case.context
    if vehicle is None or vehicle.load_kg is None:
        return None
    net, spare = _load(case)
    if net is None:
        wanted = context.scale_expected and case.passage.direction != "leave"
        return Unknown("weight: nobody says what it carries") if wanted else None
    if net <= vehicle.load_kg + spare:
        return None
    over = net - vehicle.load_kg
    return Reason(
        "M06",
        f"载重{net:.0f}千克，超过核定{vehicle.load_kg:.0f}千克（超{over:.0f}千克）",
        f"it carries {net:.0f} kg, {over:.0f} kg over its limit of {vehicle.load_kg:.0f} kg",
        case.passage.plate.confidence,
        ("wide", "plate", "load"),
    )


def not_washed(case: Case) -> Answer:
    """M07: washing is needed here and the station says that there was none."""
    if not case.context.wash_needed:
        return None
    if case.context.washed is None:
        return Unknown("wash: nobody says whether it was washed")
    if case.context.washed:
        return None
    return Reason("M07", "未按规定冲洗", "it was not washed", 1.0, ("wide", "plate"))


def uncovered(case: Case) -> Answer:
    """M08: a load that is surely seen without a cover."""
    if case.passage.cover != "uncovered" or case.passage.cover_confidence < case.limits.cover:
        return None
    sure = case.passage.cover_confidence
    return Reason("M08", "载货未密闭覆盖", "its load is not covered", sure, ("load", "wide", "plate"))


def unlike_vehicle(case: Case) -> Answer:
    """M09: the plate's colour or the vehicle's kind is not the registered one, or it was elsewhere just now."""
    vehicle, passage = case.vehicle, case.passage
    if vehicle is None or passage.plate.confidence < case.limits.plate:
        return None
    if colours_differ(passage.plate, vehicle, case.limits):
        seen = passage.plate.colour
        zh = f"号牌颜色为{COLOUR_NAMES.get(seen, seen)}，登记为{COLOUR_NAMES.get(vehicle.colour, vehicle.colour)}"
        en = f"its plate is {seen}, registered as {vehicle.colour}"
        return Reason("M09", zh, en, passage.plate.colour_confidence)
    labels = TRUCK_LABELS.get(vehicle.kind, ())
    if passage.looks >= case.limits.looks and any(passage.label in UNLIKE[label] for label in labels):
        zh, en = f"车型不符：登记为{vehicle.kind}", f"it is a {passage.label}, registered as {vehicle.kind}"
        return _plate_reason("M09", zh, en, case)
    place, own = passage.place, plate_key(vehicle.plate)
    sightings = [seen for seen in case.sightings if plate_key(seen.plate) == own]
    if not isinstance(place, Placement) or not sightings:
        return None
    kmh, there = max(((ground.speed_kmh(case, place, s), s) for s in sightings), key=lambda pair: pair[0])
    if kmh <= case.limits.fastest_kmh:
        return None
    clock = f"{there.time.astimezone(case.context.zone):%H:%M:%S}"
    zh = f"同一号牌{clock}在{there.source_id}出现，需{kmh:.0f}千米/时方能到此"
    en = f"the same plate was at {there.source_id} at {clock}; coming here takes {kmh:.0f} km/h"
    return _plate_reason("M09", zh, en, case)


def spills(case: Case) -> Answer:
    """M10: load falls off it or dust goes up behind it, surely."""
    spill, dust = case.passage.spill, case.passage.dust
    if spill >= case.limits.spill:
        return Reason("M10", "沿途抛洒", "load falls off it", spill, ("wide", "load", "plate"))
    if dust >= case.limits.dust:
        return Reason("M10", "行驶扬尘", "it raises dust behind it", dust, ("wide", "plate"))
    return None


def tips_outside(case: Case) -> Answer:
    """M11: its body is raised, surely outside every site where loads may be tipped and every site of its own."""
    passage, tipping = case.passage, case.passage.tipping
    if tipping < case.limits.tipping or case.context.where == "gate":
        return None
    if not isinstance(passage.place, Placement):
        return Unknown("tipping: it has no place")
    sites = ground.tipping_sites(case)
    if not sites:
        return Unknown("tipping: the county draws no site")
    spot = case.registry.spot(passage.place)
    metres = ground.nearest_m(case, spot, sites)
    if metres <= case.limits.margin_m + ground.reach_m(case, spot):
        return None
    zh, en = (
        f"在场外倾倒，距最近场地约{metres:.0f}米",
        f"it tips about {metres:.0f} m outside the nearest site",
    )
    return Reason("M11", zh, en, tipping, ("wide", "load", "plate"))


RULES: tuple[Rule, ...] = (
    not_registered,
    permit_not_valid,
    outside_hours,
    wrong_site,
    off_corridor,
    over_load,
    not_washed,
    uncovered,
    unlike_vehicle,
    spills,
    tips_outside,
)
"""In the order of their codes."""
TERMS: tuple[Rule, ...] = (permit_not_valid, outside_hours, wrong_site, off_corridor)
"""Those that ask whether an approved vehicle may be here now."""


def keeps_terms(case: Case) -> bool:
    """Whether nothing says that an approved vehicle may not be here now."""
    return not any(isinstance(rule(case), Reason) for rule in TERMS)


def permit_days(vehicle: Vehicle, registry: Registry) -> tuple[date | None, date | None]:
    """First and last local day of a vehicle: its own and those of its permit, where the register holds it."""
    permit = registry.permit(vehicle.permit) if vehicle.permit else None
    starts = [day for day in (vehicle.valid_from, permit.valid_from if permit else None) if day]
    ends = [day for day in (vehicle.valid_to, permit.valid_to if permit else None) if day]
    return max(starts, default=None), min(ends, default=None)


def _load(case: Case) -> tuple[float | None, float]:
    """Kilograms that it carries, and what they may be off by."""
    context, limits = case.context, case.limits
    if context.net_kg is not None:
        return context.net_kg, limits.weight_kg
    if context.gross_kg is None:
        return None, 0.0
    if context.tare_kg is not None:
        return context.gross_kg - context.tare_kg, limits.weight_kg
    registered = case.vehicle.tare_kg if case.vehicle else None
    return (None, 0.0) if registered is None else (context.gross_kg - registered, limits.tare_kg)


def _plate_reason(code: Code, zh: str, en: str, case: Case) -> Reason:
    """A reason that rests on the plate: as sure as its reading."""
    return Reason(code, zh, en, case.passage.plate.confidence)
