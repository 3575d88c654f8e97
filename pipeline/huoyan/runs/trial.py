"""A copy of a state on which things can be tried out; the state itself stays as it is."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from huoyan.incidents import Store, open_store
from huoyan.incidents.database import DATABASE
from huoyan.sqlite import mapped


@contextmanager
def trial_store(folder: Path) -> Iterator[Store]:
    """A throw-away copy of the state in `folder`; of an empty one where there is none, which is not made.

    A scan may be running on the state: the copy is of its last commit.

    Raises:
        StorageError: the state is damaged or of a later version.
    """
    with TemporaryDirectory(prefix="huoyan-") as scratch:
        file = folder / DATABASE
        if file.is_file():
            _copy(file, Path(scratch) / DATABASE)
        with open_store(Path(scratch), exclusive=False) as store:
            yield store


def _copy(file: Path, target: Path) -> None:
    # Even reading leaves two small files beside a database in WAL mode. Where there are none, nobody has it
    # open, and it can be read as a file that does not change.
    in_use = file.with_name(file.name + "-wal").exists()
    uri = f"{file.resolve().as_uri()}?{'mode=ro' if in_use else 'immutable=1'}"
    with (
        mapped(file),
        closing(sqlite3.connect(uri, uri=True)) as source,
        closing(sqlite3.connect(target)) as copy,
    ):
        source.backup(copy)
