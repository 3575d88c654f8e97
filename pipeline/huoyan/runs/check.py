"""Examining a county: every mistake of the configuration and of all that it names, at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from huoyan import config as configuration
from huoyan import registry as registries
from huoyan.config import LoadedConfig
from huoyan.errors import HuoyanError
from huoyan.georef.camera import fit_configured
from huoyan.perception import dust, models
from huoyan.records import Unplaced
from huoyan.runs.gate_check import check_gates, missing_videos
from huoyan.runs.prepare import ground_of_camera, load_rules, size_of_camera
from huoyan.runs.road import crowded


def check(path: Path, *, live: bool = False) -> tuple[list[str], list[str], dict[str, int]]:
    """Examine a configuration.

    Args:
        path: of the configuration.
        live: for the daemon: archives do not matter, and models are looked at elsewhere (`runs.doctor`).

    Returns:
        Mistakes, which would stop a run; warnings about what a run would have to do without; and counts of
        what was found.
    """
    mistakes: list[str] = []
    facts: dict[str, int] = {}

    def attempt(make: Callable[[], None]) -> None:
        try:
            make()
        except HuoyanError as error:
            mistakes.extend(str(error).splitlines())

    try:
        loaded = configuration.load(path)
    except HuoyanError as error:
        return str(error).splitlines(), [], facts
    attempt(lambda: facts.update(scenes=len(load_rules(loaded).scenes)))
    attempt(lambda: facts.update(_registry_facts(loaded)))
    if not live:
        attempt(lambda: mistakes.extend(_model_problems(loaded)))
    warnings = _warnings(loaded, attempt, live)
    facts["cameras"] = len(loaded.config.cameras)
    if loaded.config.gates:
        facts["gates"] = len(loaded.config.gates)
        attempt(lambda: check_gates(loaded, registries.load(loaded).zones))
    return list(dict.fromkeys(mistakes)), warnings, facts


def _model_problems(loaded: LoadedConfig) -> list[str]:
    return [f"{found.name}: {problem}" for found in verified_models(loaded) for problem in found.problems]


def verified_models(loaded: LoadedConfig) -> list[models.Verification]:
    """The models that a run would load, each with what is wrong with it.

    Raises:
        ModelError: one of them is not there.
    """
    chosen = loaded.config.models
    folder = loaded.resolve(chosen.folder) if chosen.folder else None
    verified = [models.verify(name, folder) for name in (chosen.site, chosen.street, chosen.change) if name]
    # The classifier of dust is only asked about plumes that a detector tells.
    plumes = any(found.card is not None and dust.LABEL in found.card.classes for found in verified)
    beside = [chosen.dust if plumes else None]
    if loaded.config.registry.vehicles is not None and chosen.plates:
        beside += [chosen.plates, chosen.plate_corners]
    return verified + [models.verify(name, folder) for name in beside if name]


def _registry_facts(loaded: LoadedConfig) -> dict[str, int]:
    registry = registries.load(loaded)
    return {
        "zones": len(registry.zones),
        "permits": len(registry.permits),
        "footprints": len(registry.footprints),
        "vehicles": len(registry.vehicles or ()),
    }


def _warnings(loaded: LoadedConfig, attempt: Callable[[Callable[[], None]], None], live: bool) -> list[str]:
    warnings: list[str] = []
    if not live and not loaded.archive.is_dir():
        warnings.append(f"the archive {loaded.archive} is not there yet")
    for camera in loaded.config.cameras:
        folder = loaded.archive / (camera.archive or Path("camera") / camera.id)
        if not live and loaded.archive.is_dir() and not folder.exists():
            warnings.append(f"camera {camera.id}: {folder} is not there")

        def calibrated(camera: configuration.Camera = camera) -> None:
            ground = ground_of_camera(camera, loaded)
            if isinstance(ground, Unplaced):
                warnings.append(f"camera {camera.id}: {ground.reason}: what it sees gets no place on the map")
                return
            size = size_of_camera(camera, loaded)
            if size is not None and camera.calibration is not None and camera.calibration.suffix == ".csv":
                fitted = fit_configured(camera, loaded.resolve(camera.calibration), size)
                warnings.extend(f"camera {camera.id}: {note}" for note in fitted.notes)

        attempt(calibrated)
    roads = ", ".join(camera.id for camera in loaded.config.cameras if camera.road)
    if roads and (loaded.config.registry.vehicles is None or loaded.config.models.site is None):
        warnings.append(f"{roads}: road: true does nothing without registry.vehicles and models.site")
    streams = [camera.stream for camera in loaded.config.cameras if camera.stream is not None]
    crowd = crowded(sum(stream.passages for stream in streams), len(streams))
    warnings += [crowd] if crowd else []
    warnings += [] if live else missing_videos(loaded)
    if loaded.config.registry.zones is None:
        warnings.append("no zones: every place is watched for every scene")
    if loaded.config.registry.permits is None:
        warnings.append("no permits: nothing is lawful")
    return warnings
