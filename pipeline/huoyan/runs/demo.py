"""The demonstration: scan the sample county, run its gate, and write one page that shows what came of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from huoyan import incidents
from huoyan.errors import ConfigError, StorageError
from huoyan.runs import demo_gate
from huoyan.runs.demo_page import page
from huoyan.runs.prepare import locate_config, prepare
from huoyan.runs.result import ScanResult
from huoyan.runs.scan import scan


def demo(
    samples: Path, out: Path, *, workers: int = 1, progress: Callable[[int, int, str], None] | None = None
) -> tuple[ScanResult, Path]:
    """Scan a county, replay its gates, and write `index.html` into `out`, with nothing in it that lies elsewhere.

    Args:
        samples: folder with a `county.yaml`.
        out: made if missing; the state is kept in `out/state`, and begun anew each time.
        workers: processes that look.
        progress: see `scan`.

    Returns:
        The figures of the scan and the page.

    Raises:
        ConfigError: there is no county at `samples`.
        StorageError: `out` cannot be written.
    """
    if not (samples / "county.yaml").is_file():
        raise ConfigError(
            "holds no county.yaml", subject=str(samples), hint="run it in a checkout, or give --samples DIR"
        )
    state = out / "state"
    _clear(state)
    loaded = locate_config(samples, state)
    result = scan(loaded, workers=workers, progress=progress)
    prepared = prepare(loaded)
    with incidents.open_store(loaded.state) as store:
        permitted = store.permitted()
    events = demo_gate.replay(loaded)
    passed = demo_gate.cards(events, loaded)
    text = page(prepared, permitted, [dict(alert.document) for alert in result.alerts], result, passed)
    target = out / "index.html"
    try:
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StorageError(f"cannot be written: {error.strerror}", subject=str(target)) from error
    return result, target


def _clear(state: Path) -> None:
    """Remove the databases of an earlier demonstration; its pictures are overwritten."""
    for name in ("huoyan.db", "huoyan.db-wal", "huoyan.db-shm", *demo_gate.STATE_FILES):
        (state / name).unlink(missing_ok=True)
