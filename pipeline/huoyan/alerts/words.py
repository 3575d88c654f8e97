"""What an alert says to a crew: one sentence in Chinese and one in English, in local time.

Only the alert's own facts go in, in a fixed order, so a replay tells the same story in the same words.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, tzinfo

from huoyan.records import Incident, PermitCheck, Place, Placement, Revision

Names = Mapping[str, tuple[str, str]]
"""Chinese and English name by id."""

REASONS: Names = {
    "M01": ("未登记", "not registered"),
    "M02": ("许可当日无效", "permit not valid on this day"),
    "M03": ("不在准运时段", "outside its permitted hours"),
    "M04": ("工地或消纳场不符", "wrong loading or tipping site"),
    "M05": ("偏离核准路线", "off its approved route"),
    "M06": ("超载", "over its load limit"),
    "M07": ("未冲洗", "not washed"),
    "M08": ("未密闭覆盖", "load not covered"),
    "M09": ("号牌与车辆不符", "plate does not match the vehicle"),
    "M10": ("沿途抛洒或扬尘", "spilling or raising dust"),
    "M11": ("场外倾倒", "tipping outside a permitted site"),
}
SENSORS: Names = {
    "camera": ("固定摄像头", "camera"),
    "drone": ("无人机", "drone"),
    "satellite": ("卫星", "satellite"),
    "report": ("市民反映", "a report"),
}
_UNREAD = ("车牌未能确认", "plate not certain")
_VERDICTS: Names = {
    "confirmed": ("经现场核查属实", "confirmed on site"),
    "rejected": ("经现场核查不属实", "rejected after a visit"),
    "resolved": ("已整改", "resolved"),
    "expired": ("已过期未再出现", "expired without a further sighting"),
}
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def explain(
    revision: Revision,
    scene: tuple[str, str],
    zone_names: Mapping[str, str],
    stage_names: Names,
    timezone: tzinfo,
) -> tuple[str, str]:
    """The alert's sentence.

    Args:
        revision: what to tell.
        scene: Chinese and English name of the scene.
        zone_names: name by zone id; a zone without one goes by its id.
        stage_names: Chinese and English name by stage id; a stage without them is not mentioned.
        timezone: of the crew.

    Returns:
        The sentence in Chinese and in English.
    """
    incident = revision.incident
    stage = stage_names.get(incident.stage)
    zones = [zone_names.get(zone, zone) for zone in incident.zones]
    place_zh, place_en = place_words(incident.place)
    seen_zh, seen_en = _seen(incident, timezone)
    permit_zh, permit_en = _permit(incident.permit)
    news_zh, news_en = _news(revision, stage)
    truck_zh, truck_en = _vehicle(incident)
    stage_zh, stage_en = (f"（{stage[0]}）", f" ({stage[1]})") if stage else ("", "")
    zone_zh = f"{'、'.join(zones)}内" if zones else ""
    zone_en = f" in {' and '.join(zones)}" if zones else ""
    zh = f"{zone_zh}{news_zh}{scene[0]}{stage_zh}{truck_zh}：{place_zh}；{seen_zh}{permit_zh}。"
    en = f"{news_en}{scene[1]}{stage_en}{truck_en}{zone_en}, {place_en}; {seen_en}{permit_en}."
    return zh, en[0].upper() + en[1:]


def place_words(place: Place) -> tuple[str, str]:
    """A place in words, to 1e-5 degrees (about a metre), with its error radius."""
    if not isinstance(place, Placement):
        return f"位置未定（{place.reason}）", f"place unknown ({place.reason})"
    east, north = place.lon >= 0, place.lat >= 0
    lon, lat = f"{abs(place.lon):.5f}°", f"{abs(place.lat):.5f}°"
    error = max(1, round(place.error_m))
    return (
        f"{'东经' if east else '西经'}{lon}、{'北纬' if north else '南纬'}{lat}，误差约{error}米",
        f"{lon} {'E' if east else 'W'}, {lat} {'N' if north else 'S'} (± {error} m)",
    )


def moment(time: datetime, timezone: tzinfo) -> tuple[str, str]:
    """A time as a crew reads it, in its own zone, without help of the machine's locale."""
    local = time.astimezone(timezone)
    clock = f"{local:%H:%M}"
    return (
        f"{local.year}年{local.month}月{local.day}日{clock}",
        f"{local.day} {_MONTHS[local.month - 1]} {local.year} {clock}",
    )


def _seen(incident: Incident, timezone: tzinfo) -> tuple[str, str]:
    since_zh, since_en = moment(incident.first_seen, timezone)
    by = [SENSORS.get(sensor, (sensor, sensor)) for sensor in incident.sensors]
    by_zh, by_en = "、".join(zh for zh, _ in by), " and ".join(en for _, en in by)
    sources = "、".join(incident.sources[:3]) + ("等" if len(incident.sources) > 3 else "")
    sources_en = ", ".join(incident.sources[:3]) + (", …" if len(incident.sources) > 3 else "")
    if incident.looks == 1:
        return f"{since_zh}由{by_zh}（{sources}）发现", f"seen {since_en} by {by_en} ({sources_en})"
    return (
        f"自{since_zh}起由{by_zh}（{sources}）观测到{incident.looks}次",
        f"seen {incident.looks} times since {since_en} by {by_en} ({sources_en})",
    )


def _permit(permit: PermitCheck) -> tuple[str, str]:
    number = f" {permit.permit_id}" if permit.permit_id else ""
    match permit.result:
        case "none":
            return "；未查到有效许可", "; no permit covers it"
        case "lapsed":
            return f"；许可{number}已失效", f"; permit{number} has lapsed"
        case "covered":
            return f"；许可{number}有效", f"; permit{number} covers it"
        case _:
            return "", ""


def _news(revision: Revision, stage: tuple[str, str] | None) -> tuple[str, str]:
    """What is new, put before the scene's name."""
    incident = revision.incident
    match revision.why:
        case "stage" if stage:
            return "有新进展的", "new stage of "
        case "sensor":
            newest = SENSORS.get(revision.finding.frame.kind, (revision.finding.frame.kind,) * 2)
            return f"又经{newest[0]}证实的", f"now also seen by {newest[1]}: "
        case "extent":
            size = f"{incident.extent_m2:.0f}" if incident.extent_m2 else ""
            return (
                f"范围扩大{f'至约{size}平方米' if size else ''}的",
                f"grown{f' to about {size} m²' if size else ''}: ",
            )
        case "permit_lapsed":
            return "许可失效后仍在进行的", "still there after its permit lapsed: "
        case "vehicle":
            return "又有新情况的", "more on "
        case "verdict":
            zh, en = _VERDICTS.get(incident.status, ("有新结论", "new verdict"))
            return f"{zh}的", f"{en}: "
        case _:
            return "发现", ""


def _vehicle(incident: Incident) -> tuple[str, str]:
    vehicle = incident.vehicle
    if vehicle is None:
        return "", ""
    reasons = [REASONS.get(reason, (reason, reason)) for reason in vehicle.reasons]
    why_zh = f"（{'、'.join(zh for zh, _ in reasons)}）" if reasons else ""
    why_en = f" ({', '.join(en for _, en in reasons)})" if reasons else ""
    plate_zh, plate_en = (f"车牌{vehicle.plate}", f"plate {vehicle.plate}") if vehicle.plate else _UNREAD
    return f"，{plate_zh}{why_zh}", f", {plate_en}{why_en}"
