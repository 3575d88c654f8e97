"""Model cards: what a model is, what it needs and what it was measured to do, as one checked YAML file.

A model is two files side by side, `<name>.onnx` and `<name>.card.yaml`:

    name: site-n
    version: 0.1.0
    task: detect                      # detect | change | classify | plates | plate_corners
    summary: machines, vehicles and structures of building sites
    classes: [excavator, loader]      # in the order of the model's outputs; a change model has none
    input: {long_side: 640}           # detect; a change model says gsd_m: [0.5, 2.5]
    thresholds: {default: 0.35, excavator: 0.4}
    # A change model has one threshold, may have a peak, and others for coarse pictures:
    # points: [{gsd_m: 2.0, threshold: 0.2, peak: 0.9}]
    nms_iou: 0.6
    second_look: {low: 0.12}
    figures: {}                       # free: what was measured, on what
    data: [site, machinery]
    licence: AGPL-3.0-only
    sha256: <64 hex digits of the ONNX file>
    int8: {sha256: <64 hex digits of the ONNX file>}    # only where <name>.int8.onnx lies beside them
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from huoyan.config import Strict
from huoyan.errors import ModelError

Share = Annotated[float, Field(ge=0, le=1)]
SUFFIX = ".card.yaml"
# Written in C, ten times as fast: a run reads every card a few times.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
INT8_SUFFIX = ".int8.onnx"


class Input(Strict):
    """What the model wants to be shown."""

    long_side: Annotated[int, Field(ge=32, le=4096, multiple_of=32)] = 640
    """Detectors: pixels that the longer side of a picture is brought to."""
    gsd_m: tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]] | None = None
    """Change models: the finest and coarsest ground sampling distance it was trained on."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.gsd_m is not None and self.gsd_m[0] > self.gsd_m[1]:
            raise ValueError(f"gsd_m runs from fine to coarse, got {list(self.gsd_m)}")
        return self


class Platt(Strict):
    """Calibration of a score s: sigmoid(slope * logit(s) + offset), after Platt (1999)."""

    slope: Annotated[float, Field(gt=0)] = 1.0
    offset: float = 0.0


class SecondLook(Strict):
    """When and how the detector looks a second time; see `second_look`."""

    low: Share
    """From this score a detection earns a second look."""
    certain: Share | None = None
    """Up to this score it does; default the threshold of its class."""
    # Small crops with much around them separate best: area under the ROC curve 0.65 for the first score of
    # 151 uncertain people and cars on site pictures, 0.78 for the mean at zoom 4 and 320 px, 0.70 at 640 px.
    zoom: Annotated[float, Field(gt=1)] = 4.0
    """Side of the crop over the longer side of the box."""
    long_side: Annotated[int, Field(ge=32, le=4096, multiple_of=32)] = 320
    """Pixels that the crop is brought to."""
    limit: Annotated[int, Field(ge=1)] = 4
    """Crops at most per frame."""
    model: str | None = None
    """Registered name of a larger model with the same classes; default the same model."""
    first: Platt = Platt()
    second: Platt = Platt()


class WorkingPoint(Strict):
    """Where a change model works on pictures of at least `gsd_m` metres a pixel."""

    gsd_m: Annotated[float, Field(gt=0)]
    """From this ground sampling distance on."""
    threshold: Share
    peak: Share | None = None
    """As on the card; default the threshold."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.peak is not None and self.peak < self.threshold:
            raise ValueError(f"peak {self.peak} lies below threshold {self.threshold}")
        return self


class Int8(Strict):
    """The eight-bit copy of a model, `<name>.int8.onnx` beside it."""

    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    figures: dict[str, Any] = Field(default_factory=dict)
    """Free: what it lost and gained when it was made."""


class Card(Strict):
    """A model's card; see the module's docstring for an example."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")]
    version: Annotated[str, Field(min_length=1)]
    task: Literal["detect", "change", "classify", "plates", "plate_corners"]
    summary: str = ""
    classes: tuple[str, ...] = ()
    input: Input = Input()
    thresholds: dict[str, Share]
    """Operating threshold by class; `default` for those not named."""
    nms_iou: Annotated[float, Field(gt=0, lt=1)] = 0.6
    second_look: SecondLook | None = None
    doubt: Share | None = None
    """Classifiers: what a detector found and this model scores lower, in a crop round it, is taken for something else;
    default the threshold."""
    passage: Share | None = None
    """Plate readers: a vote over many reads of one plate is readable from this probability of its least sure character;
    default the threshold."""
    peak: Share | None = None
    """Change models: a patch above the threshold counts only if some pixel of it scores this; default the threshold."""
    points: tuple[WorkingPoint, ...] = ()
    """Change models: other thresholds and peaks for coarser pictures, by rising `gsd_m`; those of the card hold for
    pictures finer than the first."""
    min_area_m2: Annotated[float, Field(ge=0)] = 0.0
    """Change models: smaller patches are not reported."""
    figures: dict[str, Any] = Field(default_factory=dict)
    data: tuple[str, ...] = ()
    limits: str = ""
    made_by: str = ""
    date: str = ""
    licence: Annotated[str, Field(min_length=1)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    int8: Int8 | None = None
    """A copy that calculates in bytes: faster on CPUs that are made for it; see `runtimes`."""

    @field_validator("date", mode="before")
    @classmethod
    def _text_date(cls, value: object) -> object:
        # YAML reads a bare 2026-01-31 as a date.
        return value.isoformat() if hasattr(value, "isoformat") else value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.task in ("detect", "classify") and not self.classes:
            what = "detector" if self.task == "detect" else "classifier"
            raise ValueError(f"a {what} needs its classes, in the order of its outputs")
        if self.task == "change" and self.classes:
            raise ValueError("a change model has one output and no classes")
        if self.task != "change" and self.points:
            raise ValueError("points belong to a change model")
        distances = [point.gsd_m for point in self.points]
        if distances != sorted(set(distances)):
            raise ValueError(f"points: expected rising gsd_m, each once, got {distances}")
        twice = {c for c in self.classes if self.classes.count(c) > 1}
        if twice:
            raise ValueError(f"classes named twice: {', '.join(sorted(twice))}")
        unknown = set(self.thresholds) - set(self.classes) - {"default"}
        if unknown:
            raise ValueError(f"thresholds for classes it does not have: {', '.join(sorted(unknown))}")
        missing = set(self.classes) - set(self.thresholds)
        if "default" not in self.thresholds and (missing or self.task == "change"):
            raise ValueError("thresholds need a `default`, or one for every class")
        return self

    def threshold(self, label: str = "default") -> float:
        """Operating threshold of a class; of the model without a label."""
        return self.thresholds.get(label, self.thresholds.get("default", 1.0))

    def point(self, gsd_m: float | None) -> tuple[float, float]:
        """Threshold and peak of a change model on pictures of `gsd_m` metres a pixel; None: the card's own."""
        threshold, peak = self.threshold(), self.peak
        for point in self.points:
            if gsd_m is not None and gsd_m >= point.gsd_m:
                threshold, peak = point.threshold, point.peak
        return threshold, max(threshold, peak or 0.0)


def card_path(model: Path) -> Path:
    """Where the card of the ONNX file `model` lies; an eight-bit copy shares that of its model."""
    return model.with_name(model.name.removesuffix(".onnx").removesuffix(".int8") + SUFFIX)


def int8_path(model: Path) -> Path:
    """Where the eight-bit copy of the ONNX file `model` would lie."""
    return model.with_name(model.name.removesuffix(".onnx") + INT8_SUFFIX)


def read(path: Path) -> Card:
    """Read and check a card.

    Raises:
        ModelError: the card is missing, not YAML, or holds mistakes; all of them are named, a line each.
    """
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER)
    except FileNotFoundError as error:
        raise ModelError(
            "the model's card is missing",
            subject=str(path),
            hint="a model is two files, <name>.onnx and <name>.card.yaml",
            code="no_card",
        ) from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ModelError(f"the card cannot be read: {error}", subject=str(path), code="bad_card") from error
    if not isinstance(data, dict):
        raise ModelError(
            f"expected a card with keys such as name and classes, got {type(data).__name__}",
            subject=str(path),
            code="bad_card",
        )
    try:
        return Card.model_validate(data)
    except ValidationError as error:
        lines = [_describe(dict(mistake)) for mistake in error.errors()]
        raise ModelError(
            "the card holds mistakes: " + "; ".join(lines), subject=str(path), code="bad_card"
        ) from error


def _describe(mistake: dict[str, Any]) -> str:
    key = ".".join(str(part) for part in mistake["loc"]) or "card"
    if mistake["type"] == "extra_forbidden":
        return f"{key}: unknown key"
    if mistake["type"] == "missing":
        return f"{key}: missing"
    got = mistake.get("input")
    shown = "" if isinstance(got, dict | list) else f", got {got!r}"
    return f"{key}: {mistake['msg'].removeprefix('Value error, ')}{shown}"
