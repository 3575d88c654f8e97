from __future__ import annotations

import inspect
import pickle

import pytest

from huoyan import errors
from huoyan.errors import HuoyanError, MissingExtra, UnreadableFile

CODES = {
    "HuoyanError": 1, "ConfigError": 2, "RegistryError": 2, "SourceError": 3, "UnreadableFile": 3,
    "FrameTooLarge": 3, "BadMetadata": 3, "GeoreferenceError": 3, "ModelError": 4, "StorageError": 5,
    "DispatchError": 6, "MissingExtra": 7,
}  # fmt: skip
KINDS = {
    name: kind for name, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, HuoyanError)
}


def test_exit_codes() -> None:
    assert {name: kind.exit_code for name, kind in KINDS.items()} == CODES


@pytest.mark.parametrize("name", sorted(CODES))
def test_they_cross_processes(name: str) -> None:
    told = KINDS[name]("is cut", subject="一.jpg", hint="send it again", code="cut")
    back = pickle.loads(pickle.dumps(told))
    assert type(back) is KINDS[name]
    assert vars(back) == vars(told)
    assert str(back) == str(told) == "一.jpg: is cut (send it again)"


def test_what_they_say() -> None:
    assert str(HuoyanError("broke")) == "broke"
    assert str(HuoyanError("broke", subject="a")) == "a: broke"
    assert str(HuoyanError("broke", hint="mend it")) == "broke (mend it)"
    assert UnreadableFile("x").code == "unreadable"
    assert UnreadableFile("x", code="truncated").code == "truncated"
    assert str(MissingExtra.named("ray", "cluster")) == (
        "this needs ray, which is not installed (run: pip install 'huoyan[cluster]')"
    )


def test_each_kind_is_counted_by_its_own_word() -> None:
    words = [kind.default_code for kind in KINDS.values() if "default_code" in vars(kind)]
    assert len(set(words)) == len(words)
