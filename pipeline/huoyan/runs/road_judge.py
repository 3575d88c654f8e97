"""The half that judges, on roads: a passage before the register and its own past, into history and incidents."""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from huoyan import incidents, vehicles
from huoyan.config import LoadedConfig, seconds
from huoyan.incidents import Store
from huoyan.passage import Passage
from huoyan.perception.passage_story import TRUCK
from huoyan.records import Alert, Finding, Placement, Revision
from huoyan.runs.prepare import Prepared
from huoyan.runs.road import Passed
from huoyan.scenes import JudgeContext, passages
from huoyan.vehicles import entry, trips
from huoyan.vehicles.history import History

CAMERA_ERROR_M = 60.0
"""A truck that has no place is about so far from the camera that sees it."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a passage led to."""

    findings: tuple[Finding, ...] = ()
    revisions: tuple[Revision, ...] = ()


class RoadJudge:
    """Judges the passages of road cameras, within the caller's transactions."""

    def __init__(self, prepared: Prepared, store: Store, context: JudgeContext) -> None:
        settings = prepared.loaded.config.vehicles
        self.history = History(store.connection, settings)
        self._store = store
        self._context = context
        # On a road a truck of no certain kind need not be a muck truck: it may drive without approval.
        self._limits = settings.limits.model_copy(update={"exempt": settings.limits.exempt | {TRUCK}})
        self._roads = trips.roads(settings.trips.roads)
        self._cameras = camera_places(prepared.loaded)
        looking = prepared.settings.passing
        self._models = {"model": looking.detector} if looking else {}
        if looking and looking.plates:
            self._models["text_from"] = looking.plates[0]

    def take(self, passed: Passed) -> Told | None:
        """Judge a passage: write it down, and tell what is new of its trip.

        Returns:
            Findings and revisions; None if it was judged before.

        Raises:
            StorageError: the state cannot be read or written.
        """
        passage = passed.passage
        if self.history.knows(passage):
            return None
        verdict = vehicles.judge(passage, self._context.registry, self._asked(passage))
        kept = self.history.record(entry.of_passage(passage, verdict, self._cameras.get(passage.source_id)))
        if kept is None:
            return Told()
        standing = None
        if verdict.plate and not verdict.review:
            standing = self.history.standing(verdict.plate, passage.time, besides=kept.trip_id)
        finding = passages.finding(
            passage, verdict, kept.trip_id, standing, self._context, passed.others, self._models
        )
        if finding is None:
            return Told()
        return Told((finding,), tuple(incidents.associate(self._store, [finding])))

    def keep_pictures(self, alert: Alert) -> None:
        """Note the evidence of a truck's alert, so that its retention is kept to."""
        pictures = alert.document["data"]["properties"]["evidence"]
        self.history.add_pictures([picture["href"] for picture in pictures], alert.time)

    def _asked(self, passage: Passage) -> vehicles.Context:
        """What the rules may ask beside the passage: where its plate was seen before."""
        limits = self._limits
        earlier = self.history.sightings(passage.plate.text, passage.time, seconds(limits.trip))
        zone: ZoneInfo = self._context.timezone
        return vehicles.Context(zone, where="road", earlier=earlier, road_m=self._roads, limits=limits)


def camera_places(loaded: LoadedConfig) -> dict[str, Placement]:
    """Where each camera stands, for vehicles that have no place of their own, by camera id."""
    return {
        camera.id: Placement(*camera.position, CAMERA_ERROR_M, "camera position")
        for camera in loaded.config.cameras
        if camera.position is not None
    }
