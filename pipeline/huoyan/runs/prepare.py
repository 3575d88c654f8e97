"""From a configuration to everything a run needs: registry, rules, calibrated cameras, what to look for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from huoyan import config as configuration
from huoyan import registry as registries
from huoyan import scenes
from huoyan.config import LoadedConfig
from huoyan.errors import ConfigError, HuoyanError
from huoyan.georef import camera as camera_ground
from huoyan.perception import models
from huoyan.records import Ground, Unplaced
from huoyan.registry import Registry
from huoyan.runs.look import LookSettings
from huoyan.scenes import Rules

CONFIG_NAMES = ("county.yaml", "huoyan.yaml", "county.yml")


@dataclass(frozen=True, slots=True)
class Prepared:
    """A checked county, ready to run."""

    loaded: LoadedConfig
    registry: Registry
    rules: Rules
    settings: LookSettings


def locate_config(target: Path, state: Path | None = None) -> LoadedConfig:
    """The configuration that a PATH on the command line means.

    A YAML file is read; a folder that holds a `county.yaml` is that county; any other folder or file is an
    archive described by its folders alone, its state kept in `state` (default `huoyan-state` here).

    Raises:
        ConfigError: there is nothing at `target`, or the configuration has mistakes.
    """
    if not target.exists():
        raise ConfigError("there is nothing here", subject=str(target), hint="give an archive or a YAML file")
    file = target
    if target.is_dir():
        file = next((target / name for name in CONFIG_NAMES if (target / name).is_file()), target)
    if file.is_file() and file.suffix.lower() in (".yaml", ".yml"):
        loaded = configuration.load(file)
        if state is None:
            return loaded
        county = loaded.config.county.model_copy(update={"data": state.resolve()})
        return replace(loaded, config=loaded.config.model_copy(update={"county": county}))
    return configuration.default(target, state or Path("huoyan-state"))


def prepare(loaded: LoadedConfig, only: Sequence[str] = ()) -> Prepared:
    """Read and check everything that a run under `loaded` needs.

    Args:
        loaded: the configuration.
        only: scene ids to restrict the run to; default those of the configuration.

    Raises:
        ConfigError: a registry, the scenes or a calibration holds mistakes.
    """
    scene_file = loaded.config.scenes.file
    code_file = loaded.config.scenes.codes
    rules = scenes.load(
        loaded.resolve(scene_file) if scene_file else None,
        loaded.resolve(code_file) if code_file else None,
        only=tuple(only) or tuple(loaded.config.scenes.only),
    )
    registry = registries.load(loaded)
    return Prepared(loaded, registry, rules, look_settings(loaded, rules))


def look_settings(loaded: LoadedConfig, rules: Rules, threads: int = 1) -> LookSettings:
    """What *look* must know: the models that some scene needs, and the calibrated cameras."""
    chosen = loaded.config.models
    folder = loaded.resolve(chosen.folder) if chosen.folder else None
    wanted = rules.labels()
    detectors = tuple(
        name
        for name in (chosen.site, chosen.street)
        if name and wanted & set(models.load(name, folder).card.classes)
    )
    return LookSettings(
        detectors=detectors,
        change=chosen.change if "change" in wanted else None,
        labels=frozenset(wanted),
        grounds=grounds(loaded),
        models_folder=folder,
        second_look=chosen.second_look,
        tile=chosen.tile,
        threads=chosen.threads or threads,
    )


def grounds(loaded: LoadedConfig) -> dict[str, Ground]:
    """The ground plane of every configured camera, by camera id.

    Raises:
        ConfigError: a calibration cannot be read or does not determine a plane.
    """
    return {camera.id: camera_ground.load(camera, loaded, camera.size) for camera in loaded.config.cameras}


def check(loaded: LoadedConfig) -> tuple[list[str], list[str]]:
    """Every mistake of a county at once, beyond those of the YAML itself.

    Returns:
        Mistakes that would stop a run, and warnings about what it would have to do without.
    """
    mistakes: list[str] = []
    warnings: list[str] = []

    def attempt[T](make: object) -> None:
        try:
            make()  # type: ignore[operator]
        except HuoyanError as error:
            mistakes.extend(str(error).splitlines())

    attempt(lambda: registries.load(loaded))
    scene_file = loaded.config.scenes.file
    attempt(lambda: scenes.load(loaded.resolve(scene_file) if scene_file else None))
    return mistakes, warnings
