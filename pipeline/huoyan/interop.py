"""Handing detections and alerts to other libraries: supervision, GeoPandas, and the files that GIS programs read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from huoyan.errors import MissingExtra, StorageError

if TYPE_CHECKING:
    import geopandas

    from huoyan.records import Detection

_TYPES = {
    **dict.fromkeys(("time", "first_seen", "last_seen"), "datetime64[ms, UTC]"),
    **dict.fromkeys(("confidence", "error_m", "extent_m2"), "float64"),
    **dict.fromkeys(("revision", "priority", "looks"), "int64"),
}


def to_supervision(detections: Sequence[Detection], classes: Sequence[str] | None = None) -> Any:
    """Detections as `supervision.Detections`.

    Args:
        detections: of one picture.
        classes: labels in the order that gives their ids, for example `Detector.classes`; default the
            labels that occur, sorted.

    Returns:
        A `supervision.Detections`: xyxy in pixels, confidence, class_id, tracker_id where any is known
        (-1 for those without), and `data["class_name"]`, `data["text"]`.

    Raises:
        MissingExtra: supervision is not installed.
        ValueError: a label is not in `classes`.
    """
    try:
        import supervision
    except ImportError as error:
        raise MissingExtra.named("supervision", "analyst") from error
    import numpy as np

    if not detections:
        return supervision.Detections.empty()
    names = list(classes) if classes is not None else sorted({d.label for d in detections})
    unknown = sorted({d.label for d in detections} - set(names))
    if unknown:
        raise ValueError(f"labels that are not in classes: {', '.join(unknown)}; classes are {names}")
    tracked = any(d.track_id is not None for d in detections)
    ids = np.array([-1 if d.track_id is None else d.track_id for d in detections])
    return supervision.Detections(
        xyxy=np.array([d.box for d in detections], dtype=np.float32),
        confidence=np.array([d.score for d in detections], dtype=np.float32),
        class_id=np.array([names.index(d.label) for d in detections]),
        tracker_id=ids if tracked else None,
        data={
            "class_name": np.array([d.label for d in detections]),
            "text": np.array([d.text for d in detections]),
        },
    )


def geodataframe(documents: Sequence[Mapping[str, Any]]) -> geopandas.GeoDataFrame:
    """Alert documents as a table, a row each, with points in EPSG:4326.

    The columns are the same for no rows; lists (sensors, zones, reasons) are joined by `; ` so that every
    format of GIS programs can hold them; times are UTC. An alert without a place has a missing geometry and
    the reason in `no_place`.

    Args:
        documents: CloudEvents envelopes as in `Alert.document`.

    Raises:
        MissingExtra: GeoPandas is not installed.
    """
    try:
        import geopandas
    except ImportError as error:
        raise MissingExtra.named("geopandas", "analyst") from error
    from shapely.geometry import shape

    rows = [_row(document) for document in documents]
    points = [shape(d["data"]["geometry"]) if d["data"]["geometry"] else None for d in documents]
    places = geopandas.GeoSeries(points, crs="EPSG:4326")
    # The types are set, not found: a table without rows, or with a column of nothing but None, has them too.
    types = {column: _TYPES.get(column, "string") for column in _row(_EMPTY)}
    return geopandas.GeoDataFrame(rows, columns=list(types), geometry=places).astype(types)


def write_table(table: geopandas.GeoDataFrame, path: str | Path) -> Path:
    """Write a table of alerts as the suffix of `path` says: .geojson, .parquet (GeoParquet), .gpkg or .csv.

    Returns:
        The path.

    Raises:
        ValueError: the suffix is none of these.
        StorageError: the file cannot be written.
    """
    target = Path(path)
    writers: dict[str, Callable[[], object]] = {
        ".geojson": lambda: table.to_file(target, driver="GeoJSON", engine="pyogrio"),
        ".parquet": lambda: table.to_parquet(target, index=False),
        ".gpkg": lambda: table.to_file(target, driver="GPKG", layer="alerts", engine="pyogrio"),
        # With a byte order mark, or spreadsheets show Chinese as noise.
        ".csv": lambda: table.to_csv(target, index=False, encoding="utf-8-sig"),
    }
    suffix = target.suffix.lower()
    if suffix not in writers:
        raise ValueError(f"{target.name}: expected a name that ends in {', '.join(writers)}, got {suffix!r}")
    from pyogrio.errors import DataSourceError

    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        writers[suffix]()
    except (OSError, DataSourceError) as error:
        raise StorageError(
            f"the table cannot be written: {error}",
            subject=str(target),
            hint="check space and permissions of the folder",
        ) from error
    return target


_EMPTY: dict[str, Any] = {
    "id": "",
    "time": None,
    "data": {"properties": {"scene": {}, "position": {}, "permit": {}, "explanation": {}}},
}


def _row(document: Mapping[str, Any]) -> dict[str, Any]:
    told = document["data"]["properties"]
    scene, position, permit = told["scene"], told["position"], told["permit"]
    vehicle = told.get("vehicle") or {}
    return {
        "alert_id": document["id"],
        "incident_id": told.get("incident_id"),
        "revision": told.get("revision"),
        "time": document["time"],
        "scene": scene.get("id"),
        "scene_zh": scene.get("zh"),
        "scene_en": scene.get("en"),
        "stage": told.get("stage"),
        "code": told.get("code"),
        "priority": told.get("priority"),
        "status": told.get("status"),
        "confidence": told.get("confidence"),
        "first_seen": told.get("first_seen"),
        "last_seen": told.get("last_seen"),
        "looks": told.get("looks"),
        "sensors": "; ".join(told.get("sensors", ())),
        "sources": "; ".join(told.get("sources", ())),
        "zones": "; ".join(told.get("zones", ())),
        "footprint": told.get("footprint"),
        "extent_m2": told.get("extent_m2"),
        "error_m": position.get("error_m"),
        "method": position.get("method"),
        "no_place": position.get("reason"),
        "permit": permit.get("result"),
        "permit_id": permit.get("id"),
        "plate": vehicle.get("plate"),
        "reasons": "; ".join(reason["id"] for reason in vehicle.get("reasons", ())),
        "rule": told.get("rule"),
        "explanation_zh": told["explanation"].get("zh"),
        "explanation_en": told["explanation"].get("en"),
        "evidence": "; ".join(picture["href"] for picture in told.get("evidence", ())),
    }
