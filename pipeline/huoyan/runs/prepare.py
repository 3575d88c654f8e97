"""From a configuration to everything a run needs: registry, rules, calibrated cameras, what to look for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from huoyan import config as configuration
from huoyan import registry as registries
from huoyan import scenes
from huoyan.alerts.schema import ModelRef
from huoyan.config import Camera, LoadedConfig
from huoyan.config_watch import Preset
from huoyan.errors import ConfigError
from huoyan.georef import camera as camera_ground
from huoyan.perception import dust, models
from huoyan.perception.passage_story import TRUCK
from huoyan.perception.runtimes import Wish
from huoyan.records import Ground, Unplaced
from huoyan.registry import Registry
from huoyan.runs.look import LookSettings
from huoyan.runs.passages import EyeSettings, eye_settings
from huoyan.runs.road import road_cameras
from huoyan.runs.watch.poses import source
from huoyan.scenes import Rules
from huoyan.sources.sizes import picture_size

STREAM_SIZE = (1920, 1080)
"""Shape of a live camera's pictures where nothing tells it; pictures of another shape stay unplaced, and say so."""
CONFIG_NAMES = ("county.yaml", "huoyan.yaml", "county.yml")


@dataclass(frozen=True, slots=True)
class Prepared:
    """A checked county, ready to run."""

    loaded: LoadedConfig
    registry: Registry
    rules: Rules
    settings: LookSettings
    models: Mapping[str, ModelRef]
    """The models in use by name, as alerts name them."""


def config_file(target: Path) -> Path:
    """The configuration in a folder; what is none, and a folder without one, as it is given."""
    return next((target / name for name in CONFIG_NAMES if (target / name).is_file()), target)


def locate_config(target: Path, state: Path | None = None) -> LoadedConfig:
    """The configuration that a PATH on the command line means.

    A YAML file is read; a folder that holds a `county.yaml` is that county; any other folder or file is an
    archive described by its folders alone, its state kept in `state` (default `huoyan-state` here).

    Raises:
        ConfigError: there is nothing at `target`, or the configuration has mistakes.
    """
    if not target.exists():
        raise ConfigError("there is nothing here", subject=str(target), hint="give an archive or a YAML file")
    file = config_file(target)
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
    rules = load_rules(loaded, only)
    registry = registries.load(loaded)
    settings = look_settings(loaded, rules)
    return Prepared(loaded, registry, rules, settings, _model_refs(settings))


def load_rules(loaded: LoadedConfig, only: Sequence[str] = ()) -> Rules:
    """The scenes in force: the county's own or the shipped ones, restricted to `only` (default `scenes.only`).

    Raises:
        ConfigError: scenes or codes hold mistakes.
    """
    chosen = loaded.config.scenes
    return scenes.load(
        loaded.resolve(chosen.file) if chosen.file else None,
        tuple(only) or tuple(chosen.only),
        loaded.resolve(chosen.codes) if chosen.codes else None,
    )


def _model_refs(settings: LookSettings) -> dict[str, ModelRef]:
    single = [name for name in (settings.change, settings.dust) if name]
    names = [*settings.detectors, *single, *(settings.plates or ())]
    loaded = [models.load(name, settings.models_folder) for name in names]
    return {
        model.name: ModelRef(
            name=model.name,
            version=model.card.version,
            sha256=models.choose(model, settings.wish).sha256,
        )
        for model in loaded
    }


def look_settings(loaded: LoadedConfig, rules: Rules, threads: int = 1) -> LookSettings:
    """What *look* must know: the models that some scene needs, and the calibrated cameras."""
    chosen = loaded.config.models
    folder = loaded.resolve(chosen.folder) if chosen.folder else None
    wanted = rules.labels
    detectors = tuple(
        name
        for name in (chosen.site, chosen.street)
        if name and wanted & set(models.load(name, folder).card.classes)
    )
    plumes = any(dust.LABEL in models.load(name, folder).card.classes for name in detectors)
    # Without a register there is nothing to compare a plate with: then none is read.
    compared = rules.plate_labels if loaded.config.registry.vehicles else frozenset()
    passing = _passing(loaded, compared, folder, threads) if road_cameras(loaded) else None
    return LookSettings(
        detectors=detectors,
        change=chosen.change if "change" in wanted else None,
        labels=wanted,
        grounds=grounds(loaded),
        dem=loaded.resolve(loaded.config.drone.dem) if loaded.config.drone.dem else None,
        ground_m=loaded.config.drone.ground_m,
        models_folder=folder,
        second_look=chosen.second_look,
        tile=chosen.tile,
        threads=chosen.threads or threads,
        wish=Wish(chosen.runtime, chosen.precision),
        dust=chosen.dust if plumes and dust.LABEL in wanted else None,
        plates=(chosen.plates, chosen.plate_corners) if compared and chosen.plates else None,
        plate_labels=compared,
        roads=road_cameras(loaded) if passing else frozenset(),
        passing=passing,
    )


def _passing(
    loaded: LoadedConfig, compared: frozenset[str], folder: Path | None, threads: int
) -> EyeSettings | None:
    """What looks at roads: the vehicles that a scene compares with the register, trucks of no certain kind, and dust.

    None: there is no register, no scene asks for one, or no detector knows such vehicles.
    """
    chosen = loaded.config.models
    labels = compared & set(models.load(chosen.site, folder).card.classes) if chosen.site else frozenset()
    if not labels:
        return None
    return eye_settings(chosen, folder, labels=labels | {TRUCK}, plumes=True, threads=threads)


def grounds(loaded: LoadedConfig) -> dict[str, Ground]:
    """The ground plane of every configured camera, by camera id, and of every preset, by `camera/preset`.

    Raises:
        ConfigError: a calibration cannot be read or does not determine a plane.
    """
    found = {camera.id: ground_of_camera(camera, loaded) for camera in loaded.config.cameras}
    for camera in loaded.config.cameras:
        for preset in camera.stream.presets if camera.stream else ():
            found[source(camera.id, preset.id)] = _ground_of_preset(camera, preset, loaded)
    return found


def _ground_of_preset(camera: Camera, preset: Preset, loaded: LoadedConfig) -> Ground:
    """The ground plane of a pose; its control points are of pictures of the size of its reference picture."""
    if preset.calibration is None:
        return Unplaced(f"no calibration of preset {preset.id}")
    size = camera.size or picture_size(loaded.resolve(preset.picture))
    here = {"calibration": preset.calibration, "pose": None, "size": size}
    return ground_of_camera(camera.model_copy(update=here), loaded)


def size_of_camera(camera: Camera, loaded: LoadedConfig) -> tuple[int, int] | None:
    """(width, height) of a camera's frames, from the configuration or its first picture; None where neither tells."""
    return camera.size or picture_size(loaded.archive / (camera.archive or Path("camera") / camera.id))


def ground_of_camera(camera: Camera, loaded: LoadedConfig) -> Ground:
    """The ground plane of one camera, for pictures of the size that the configuration or its first picture tells.

    Raises:
        ConfigError: see `grounds`.
    """
    if camera.calibration is None and camera.pose is None:
        return Unplaced("no calibration")
    size = size_of_camera(camera, loaded)
    if size is None and camera.calibration is None and camera.stream is not None:
        # Control points are of a picture of some size; a pose holds for every picture of this shape.
        size = STREAM_SIZE
    if size is None:
        return Unplaced("no picture tells the size of its frames, and the configuration does not")
    return camera_ground.load(camera, loaded, size)
