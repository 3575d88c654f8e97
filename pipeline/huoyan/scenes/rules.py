"""The rule language of scenes as checked models. docs/scenes.md explains it to users."""

from __future__ import annotations

from collections.abc import Collection
from datetime import time
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from huoyan.config import Duration, seconds
from huoyan.config_vehicles import PriorityName
from huoyan.passage import Code
from huoyan.records import Priority
from huoyan.registry.entries import ZONE_KINDS

Share = Annotated[float, Field(gt=0, le=1)]
Metres = Annotated[float, Field(ge=0, le=5000)]
Sensor = Literal["camera", "drone", "satellite"]
Scalar = str | float | int | bool


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Names(Strict):
    zh: Annotated[str, Field(min_length=1)]
    en: Annotated[str, Field(min_length=1)]


class Term(Strict):
    """One kind of thing to see."""

    label: Annotated[str, Field(min_length=1)]
    score: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Least score; 0 leaves it to the threshold of the model's card."""
    where: dict[str, Scalar | list[Scalar]] = {}
    """Attributes that the detection must have, each with its value or one of several."""
    min_area_m2: Annotated[float, Field(ge=0)] | None = None
    max_area_m2: Annotated[float, Field(ge=0)] | None = None

    def misfit(self, score: float, attributes: Any) -> str:
        """Why a detection of this label is not what the term asks for; empty if it is."""
        if score < self.score:
            return f"score {score:.2f} is below {self.score:.2f}"
        for key, wanted in self.where.items():
            value = attributes.get(key)
            allowed = wanted if isinstance(wanted, list) else [wanted]
            if value not in allowed:
                return f"{key} is {value!r}, not {' or '.join(map(str, allowed))}"
        return self._area_misfit(attributes.get("area_m2"))

    def _area_misfit(self, area: float | None) -> str:
        # Without a known pixel size there is no area to hold against it.
        if area is None:
            return ""
        if self.min_area_m2 is not None and area < self.min_area_m2:
            return f"area {area:.0f} m² is below {self.min_area_m2:.0f} m²"
        if self.max_area_m2 is not None and area > self.max_area_m2:
            return f"area {area:.0f} m² is above {self.max_area_m2:.0f} m²"
        return ""


class Persistence(Strict):
    """How long a thing must be seen: `looks` of the last `of` frames of its source, for `over`."""

    looks: Annotated[int, Field(ge=1, le=1000)] = 1
    of: Annotated[int, Field(ge=1, le=10000)] = 1
    over: Duration = "0s"
    within: Duration = "1d"
    """Looks older than this are forgotten."""
    sure: Share | None = None
    """A single look suffices from this score on."""
    sensors: Annotated[list[Sensor], Field(min_length=1)] = ["camera", "drone"]
    """Whose looks are counted (the photos of a flight overlap); one look of the others suffices."""

    @model_validator(mode="after")
    def _possible(self) -> Persistence:
        if self.of < self.looks:
            raise ValueError(f"of ({self.of}) must be at least looks ({self.looks})")
        if seconds(self.over) > 0 and self.sure is not None:
            raise ValueError("sure cannot go with over: one look has no duration")
        if seconds(self.within) < seconds(self.over):
            raise ValueError("within must be at least over")
        return self


class Evidence(Strict):
    """One way to see a scene: `any` of some things (`count` of them together), or `all` of them together."""

    sensors: Annotated[list[Sensor], Field(min_length=1)]
    stage: str
    any: list[Term] = []
    all: list[Term] = []
    count: Annotated[int, Field(ge=1)] = 1
    together: Metres | None = None
    """Metres between things that belong together; by default their combined error, at least 15 m."""
    unless: list[Term] = []
    """A thing seen in the same place of the picture that explains the evidence away."""
    ground: Literal["any", "footprint", "outside_footprints"] = "any"
    night: bool = True
    """False: not in pictures taken at night, whatever the scene's `guards` say."""
    still: bool = False
    """It must stay where it is in the picture (fixed cameras)."""
    persistence: Persistence = Persistence()

    @model_validator(mode="after")
    def _either(self) -> Evidence:
        if bool(self.any) == bool(self.all):
            raise ValueError("give either any or all, a list of things such as {label: excavator}")
        if self.all and self.count != 1:
            raise ValueError("count goes with any, not with all")
        if self.still and self.sensors != ["camera"]:
            raise ValueError("still goes with sensors: [camera] only")
        return self

    @property
    def terms(self) -> list[Term]:
        return self.any or self.all


class ZoneCondition(Strict):
    """Which zones watch a scene, and how a place must lie to them."""

    kinds: Annotated[list[str], Field(min_length=1)]
    relation: Literal["inside", "touching", "within"] = "inside"
    metres: Metres = 0.0
    share: Share = 0.5
    """How probable it must be that the place is inside (or within the metres)."""
    unzoned: bool = True
    """Whether the condition holds everywhere while the county has drawn no zones at all."""

    @field_validator("kinds")
    @classmethod
    def _known(cls, kinds: list[str]) -> list[str]:
        for kind in kinds:
            if kind not in ZONE_KINDS:
                raise ValueError(f"unknown zone kind {kind!r}; known: {', '.join(ZONE_KINDS)}")
        return kinds

    @model_validator(mode="after")
    def _metres_fit(self) -> ZoneCondition:
        if (self.relation == "within") != (self.metres > 0):
            raise ValueError("relation: within needs metres, the others have none")
        return self


class PermitCondition(Strict):
    """Permits about the scene are looked up; `kinds` narrows them down."""

    kinds: list[str] = []


class Guards(Strict):
    night: bool = True
    """False: not at night (by the picture, not by the clock)."""
    hours: Annotated[str, Field(pattern=r"^\d\d:\d\d-\d\d:\d\d$")] | None = None
    """Local time of day, such as 06:00-20:00; may cross midnight."""

    @field_validator("hours")
    @classmethod
    def _clock(cls, value: str | None) -> str | None:
        if value is not None:
            for part in value.split("-"):
                time.fromisoformat(part)
        return value

    def open_at(self, now: time) -> bool:
        if self.hours is None:
            return True
        first, last = (time.fromisoformat(part) for part in self.hours.split("-"))
        return first <= now < last if first <= last else now >= first or now < last


class SceneRule(Strict):
    """A scene as the file has it."""

    zh: Annotated[str, Field(min_length=1)]
    en: Annotated[str, Field(min_length=1)]
    code: str
    priority: PriorityName = "normal"
    window: Duration = "7d"
    """How long after the last look a finding at the same place is still the same story."""
    reach: Metres = 0.0
    """How far apart, in metres, the parts of one such thing may lie; at least 15 m and the error always count."""
    zones: list[ZoneCondition] = []
    """Conditions of which one must hold; none: anywhere."""
    permit: PermitCondition | None = None
    lawful_in: list[str] = []
    """Zone kinds in which the scene is lawful without a permit."""
    guards: Guards = Guards()
    vehicle: bool = False
    """Compare the plate with the register of vehicles."""
    reasons: dict[Code, PriorityName] = {}
    """Priority by reason of a vehicle: the gravest that holds counts; the scene's own where none is named."""
    needs_place: bool = False
    """True: only what can be placed on the map counts."""
    stages: Annotated[dict[str, Names], Field(min_length=1)]
    evidence: Annotated[list[Evidence], Field(min_length=1)]

    @field_validator("lawful_in")
    @classmethod
    def _known(cls, kinds: list[str]) -> list[str]:
        return ZoneCondition._known(kinds)

    @model_validator(mode="after")
    def _stages_named(self) -> SceneRule:
        for evidence in self.evidence:
            if evidence.stage not in self.stages:
                raise ValueError(
                    f"stage {evidence.stage!r} is not among stages: {', '.join(self.stages)}; name it there"
                )
        return self

    @property
    def priority_level(self) -> Priority:
        return Priority[self.priority.upper()]

    def priority_for(self, codes: Collection[str]) -> Priority:
        """Priority of a vehicle with these reasons."""
        named = [Priority[name.upper()] for code, name in self.reasons.items() if code in codes]
        return min(named, default=self.priority_level)

    @property
    def window_s(self) -> float:
        return seconds(self.window)


class RuleFile(Strict):
    version: Literal[1]
    scenes: Annotated[dict[str, SceneRule], Field(min_length=1)]

    @field_validator("scenes")
    @classmethod
    def _stages_agree(cls, scenes: dict[str, SceneRule]) -> dict[str, SceneRule]:
        """Alerts name a stage by its id alone."""
        known: dict[str, tuple[str, Names]] = {}
        for name, rule in scenes.items():
            for stage, names in rule.stages.items():
                first, before = known.setdefault(stage, (name, names))
                if before != names:
                    raise ValueError(f"stage {stage!r} is named one way in {first} and another in {name}")
        return scenes


class CodeFile(Strict):
    codes: dict[str, Annotated[str, Field(min_length=1)]]
