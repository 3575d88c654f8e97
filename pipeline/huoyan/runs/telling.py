"""From a revision of an incident to its alert in the outbox: evidence drawn, words found, written down."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal
from zoneinfo import ZoneInfo

from huoyan import alerts
from huoyan.dispatch import outbox
from huoyan.incidents import Store
from huoyan.records import Alert, Detection, FrameRef, Image, Revision
from huoyan.runs.outlines import zone_outlines
from huoyan.runs.prepare import Prepared
from huoyan.scenes import Rules


def tell(
    revision: Revision,
    prepared: Prepared,
    store: Store,
    others: Sequence[Detection] = (),
    opened: dict[str, alerts.Opened] | None = None,
    reopen: Callable[[FrameRef, Literal["now", "before"]], Image] | None = None,
) -> tuple[Alert, tuple[str, ...]]:
    """Make the alert of a revision and put it into the outbox, within the caller's transaction.

    Args:
        revision: what to tell.
        prepared: the county.
        store: of the incident.
        others: all that was seen in its frame: what is not involved is hidden.
        opened: frames that were read already; see `alerts.render`.
        reopen: reads the pixels of a frame; default from where the frame was found.

    Returns:
        The alert, and why pictures are missing.

    Raises:
        StorageError: the outbox cannot be written.
    """
    loaded, rules = prepared.loaded, prepared.rules
    zone = ZoneInfo(loaded.config.county.timezone)
    zones = {zone.id: zone.name for zone in prepared.registry.zones.values()}
    pictures = alerts.render(
        revision,
        loaded.state,
        loaded.config.evidence,
        others=others,
        zones_px=zone_outlines(revision.finding, prepared),
        scene_names=rules.names,
        zone_names=zones,
        timezone=zone,
        opened=opened,
        reopen=reopen,
    )
    seen_by = [item.detection.attributes for item in revision.finding.evidence]
    used = {str(about.get(key, "")) for about in seen_by for key in ("model", "text_from")}
    alert = alerts.build(
        revision,
        scene_names=rules.names,
        models=[ref for name, ref in sorted(prepared.models.items()) if name in used],
        config_sha256=loaded.sha256,
        source=f"urn:huoyan:{loaded.config.county.name}",
        evidence=pictures.evidence,
        timezone=zone,
        zone_names=zones,
        stage_names=_stage_names(rules, revision.incident.scene),
    )
    outbox.put(store.connection, alert)
    return alert, pictures.notes


def _stage_names(rules: Rules, scene: str) -> dict[str, tuple[str, str]]:
    return {stage: (names.zh, names.en) for stage, names in rules.scenes[scene].stages.items()}
