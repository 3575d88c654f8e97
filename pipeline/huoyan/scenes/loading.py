"""Reading scenes.yaml and codes.yaml: every mistake at once, with file, line and key."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

from huoyan import share
from huoyan.config_yaml import line_of
from huoyan.errors import ConfigError
from huoyan.registry.mistakes import did_you_mean
from huoyan.scenes.rules import CodeFile, Evidence, RuleFile, SceneRule

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_Model = TypeVar("_Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Alternative:
    """One way to see one scene."""

    scene: str
    rule: SceneRule
    evidence: Evidence
    key: str
    """`<scene>#<number in the file>`, from 1."""


@dataclass(frozen=True, slots=True)
class Rules:
    """All scenes in force, by id, with their codes."""

    scenes: Mapping[str, SceneRule]
    codes: Mapping[str, str]
    by_label: Mapping[str, tuple[Alternative, ...]]
    """The alternatives that ask for a label, in the order of the file."""
    alternatives: tuple[Alternative, ...]
    counted: frozenset[str]
    """Sensor kinds whose frames some rule counts."""

    @property
    def labels(self) -> frozenset[str]:
        """The labels that some scene asks for."""
        return frozenset(self.by_label)

    @property
    def plate_labels(self) -> frozenset[str]:
        """The vehicles whose plates some scene compares with the register."""
        return frozenset(term.label for a in self.alternatives if a.rule.vehicle for term in a.evidence.terms)

    @property
    def names(self) -> dict[str, tuple[str, str]]:
        """Chinese and English name by scene id."""
        return {name: (rule.zh, rule.en) for name, rule in self.scenes.items()}

    @property
    def stage_names(self) -> dict[str, tuple[str, str]]:
        """Chinese and English name by stage id."""
        return {
            stage: (names.zh, names.en)
            for rule in self.scenes.values()
            for stage, names in rule.stages.items()
        }

    def code(self, scene: str) -> str:
        """The event code of a scene."""
        return self.codes[self.scenes[scene].code]


def load(path: Path | None = None, only: Sequence[str] = (), codes: Path | None = None) -> Rules:
    """Read and check the rules.

    Args:
        path: scenes.yaml; None for the one that comes with Huoyan.
        only: ids of the scenes to keep; empty keeps all.
        codes: codes.yaml; None for the one that comes with Huoyan.

    Raises:
        ConfigError: there are mistakes; all of them are in the message, a line each as file:line: key.
    """
    path = path or share.folder("configs") / "scenes.yaml"
    codes = codes or share.folder("configs") / "codes.yaml"
    rules, tree = _read(path, RuleFile)
    numbers, _ = _read(codes, CodeFile)
    faults = []
    for name, rule in rules.scenes.items():
        if rule.code not in numbers.codes:
            line = line_of(tree, ("scenes", name, "code"))
            hint = did_you_mean(rule.code, numbers.codes)
            faults.append(f"{path}:{line}: scenes.{name}.code: {rule.code!r} is not in {codes.name} ({hint})")
    for name in only:
        if name not in rules.scenes:
            faults.append(f"scenes.only: unknown scene {name!r} ({did_you_mean(name, rules.scenes)})")
    if faults:
        raise ConfigError("\n".join(faults), code="scenes")
    kept = {name: rule for name, rule in rules.scenes.items() if not only or name in only}
    return build(kept, numbers.codes)


def with_shipped(rules: Rules, scene: str) -> Rules:
    """Rules that hold a scene: their own, or else the one that comes with Huoyan, with its code.

    Raises:
        ConfigError: the shipped files hold mistakes.
    """
    if scene in rules.scenes:
        return rules
    shipped = load(only=(scene,))
    return build({**rules.scenes, **shipped.scenes}, {**shipped.codes, **rules.codes})


def build(scenes: Mapping[str, SceneRule], codes: Mapping[str, str]) -> Rules:
    """Rules from checked scenes: their alternatives found by label."""
    alternatives = tuple(
        Alternative(name, rule, evidence, f"{name}#{number}")
        for name, rule in scenes.items()
        for number, evidence in enumerate(rule.evidence, 1)
    )
    by_label: dict[str, list[Alternative]] = defaultdict(list)
    for alternative in alternatives:
        for label in dict.fromkeys(term.label for term in alternative.evidence.terms):
            by_label[label].append(alternative)
    counted = frozenset(kind for a in alternatives for kind in a.evidence.persistence.sensors)
    found = {label: tuple(asking) for label, asking in by_label.items()}
    return Rules(dict(scenes), dict(codes), found, alternatives, counted)


def _read(path: Path, model: type[_Model]) -> tuple[_Model, yaml.Node | None]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"cannot be read: {error}", subject=str(path), hint="give a YAML file in UTF-8"
        ) from error
    try:
        tree: yaml.Node | None = yaml.compose(text, Loader=_LOADER)
        data = yaml.load(text, Loader=_LOADER)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise ConfigError(f"not valid YAML: {getattr(error, 'problem', error)}", subject=where) from error
    try:
        return model.model_validate(data), tree
    except ValidationError as error:
        raise ConfigError("\n".join(_describe(error, tree, path, model)), code="scenes") from error


def _describe(
    error: ValidationError, tree: yaml.Node | None, path: Path, model: type[BaseModel]
) -> list[str]:
    lines = []
    for mistake in error.errors():
        where = mistake["loc"]
        key = ".".join(str(part) for part in where) or "(top)"
        text = mistake["msg"]
        if mistake["type"] == "extra_forbidden":
            text = f"unknown key ({did_you_mean(str(where[-1]), _known_keys(model, where[:-1]))})"
        got = mistake.get("input")
        if mistake["type"] not in ("extra_forbidden", "missing") and not isinstance(
            got, dict | list | BaseModel
        ):
            text += f", got {got!r}"
        lines.append(f"{path}:{line_of(tree, where)}: {key}: {text.removeprefix('Value error, ')}")
    return list(dict.fromkeys(lines))


def _known_keys(model: type[BaseModel], where: tuple[int | str, ...]) -> list[str]:
    """Names of the fields of the model at a path below `model`."""
    for part in where:
        field = model.model_fields.get(str(part))
        if field is None:
            continue  # an index of a list or a key of a mapping: the model stays that of its values
        inner = [a for a in (field.annotation, *_arguments(field.annotation)) if isinstance(a, type)]
        model = next((a for a in inner if issubclass(a, BaseModel)), model)
    return list(model.model_fields)


def _arguments(annotation: Any) -> Iterator[Any]:
    for argument in get_args(annotation):
        yield argument
        yield from _arguments(argument)
