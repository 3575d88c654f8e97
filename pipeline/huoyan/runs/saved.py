"""The alerts of a state that an earlier run left behind."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from huoyan import interop
from huoyan.dispatch import items, open_queue

if TYPE_CHECKING:
    import geopandas


def load_alerts(state: str | Path, *, latest: bool = False) -> geopandas.GeoDataFrame:
    """All alerts on the queue of a state folder as a table, most urgent first, then oldest first.

    Args:
        state: the state folder (`county.data` of the configuration), or the database in it.
        latest: only the last revision of each incident.

    Returns:
        The columns of `ScanResult.to_geodataframe`, then those of the queue: `queue_state` (ready, leased,
        acked, dead), `owner`, `verdict` and `note`.

    Raises:
        DispatchError: the folder holds no queue.
        StorageError: the database is locked or damaged.
        MissingExtra: GeoPandas is not installed.
    """
    with closing(open_queue(Path(state))) as connection:
        found = items.select(connection)
    if latest:
        last = {item.incident_id: item.revision for item in sorted(found, key=lambda item: item.revision)}
        found = [item for item in found if last[item.incident_id] == item.revision]
    table = interop.geodataframe([item.document for item in found])
    table["queue_state"] = [item.state for item in found]
    table["owner"] = [item.owner for item in found]
    table["verdict"] = [item.verdict for item in found]
    table["note"] = [item.note for item in found]
    return table.astype(dict.fromkeys(("queue_state", "owner", "verdict", "note"), "string"))
