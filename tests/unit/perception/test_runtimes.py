"""Which runtime and precision a model gets, and that all of them say the same."""

from __future__ import annotations

import hashlib
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from huoyan.errors import MissingExtra, ModelError
from huoyan.perception import cards, models, onnx, openvino, runtimes
from huoyan.perception.detector import Detector
from huoyan.perception.runtimes import Choice, Timing, Wish

Factory = Callable[..., Path]
needs_openvino = pytest.mark.skipif(
    openvino.version() is None, reason="needs the extra openvino (pip install 'huoyan[openvino]')"
)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtimes, "cache_file", lambda: tmp_path / "cache" / "runtimes.json")
    monkeypatch.setattr(runtimes, "_wish", Wish())


@pytest.fixture
def with_copy(colours: Factory) -> Path:
    """A model whose card describes an eight-bit copy (of the same numbers; the runtime does not look inside)."""
    path = colours("pair")
    copy = cards.int8_path(path)
    copy.write_bytes(path.read_bytes() + b"\x32\x00")  # a `domain` of no letters: other bytes, the same graph
    card = yaml.safe_load(cards.card_path(path).read_text(encoding="utf-8"))
    card["int8"] = {"sha256": hashlib.sha256(copy.read_bytes()).hexdigest()}
    cards.card_path(path).write_text(yaml.safe_dump(card), encoding="utf-8")
    return path


def flags(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    monkeypatch.setattr(runtimes, "cpu_flags", lambda: frozenset(names))


@pytest.mark.parametrize(
    ("cpu", "precision", "expected"),
    [
        (("avx2", "avx512_vnni"), "auto", "int8"),
        (("asimd", "asimddp"), "auto", "int8"),
        (("avx2",), "auto", "float32"),
        ((), "auto", "float32"),
        ((), "int8", "int8"),
        (("avx_vnni",), "float32", "float32"),
    ],
)
def test_the_copy_is_used_where_the_cpu_is_made_for_it(
    with_copy: Path, monkeypatch: pytest.MonkeyPatch, cpu: tuple[str, ...], precision: Any, expected: str
) -> None:
    flags(monkeypatch, *cpu)
    model = models.load("pair", with_copy.parent)
    choice = models.choose(model, Wish("onnxruntime", precision))
    assert (choice.runtime, choice.precision) == ("onnxruntime", expected)
    assert choice.path == (cards.int8_path(with_copy) if expected == "int8" else with_copy)
    runtimes.prefer(Wish("onnxruntime", precision))
    digest = hashlib.sha256(choice.path.read_bytes()).hexdigest()
    assert Detector("pair", folder=with_copy.parent).sha256 == digest


def test_without_a_copy_int8_means_float32(colours: Factory, monkeypatch: pytest.MonkeyPatch) -> None:
    flags(monkeypatch, "avx512_vnni")
    model = models.load("plain", colours("plain").parent)
    assert models.choose(model, Wish("onnxruntime", "int8")).precision == "float32"


def test_a_path_means_that_file(with_copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flags(monkeypatch, "avx512_vnni")
    assert models.choose(models.load(with_copy)).path == with_copy
    copy = models.load(str(cards.int8_path(with_copy)))
    assert copy.name == "pair"
    assert models.choose(copy).precision == "int8"
    assert Detector(cards.int8_path(with_copy)).sha256 == copy.card.int8.sha256  # type: ignore[union-attr]


def test_providers_run_the_float32_file(with_copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flags(monkeypatch, "avx512_vnni")
    detector = Detector("pair", folder=with_copy.parent, providers=(onnx.CPU,))
    assert detector.sha256 == detector.card.sha256


def test_a_copy_is_no_model_of_its_own(with_copy: Path) -> None:
    assert [one.name for one in models.list_models(with_copy.parent)] == ["pair"]
    assert models.verify("pair", with_copy.parent).problems == ()


def test_copies_that_do_not_fit_are_found(with_copy: Path, colours: Factory) -> None:
    copy = cards.int8_path(with_copy)
    copy.write_bytes(with_copy.read_bytes())
    assert "not the one its card describes" in models.verify("pair", with_copy.parent).problems[0]
    copy.unlink()
    assert "pair.int8.onnx is missing" in models.verify("pair", with_copy.parent).problems[0]
    other = colours("other")
    shutil.copy(other, cards.int8_path(other))
    assert "does not describe it" in models.verify("other", other.parent).problems[0]
    with pytest.raises(ModelError, match="no eight-bit copy"):
        models.choose(models.load(cards.int8_path(other)))


def clock(monkeypatch: pytest.MonkeyPatch, times_as_fast: float) -> list[Choice]:
    """OpenVINO as if installed and so many times as fast; returns what was opened to be measured."""
    opened: list[Choice] = []

    def open_way(way: Choice, threads: int = 1) -> Choice:
        opened.append(way)
        return way

    def measure(way: Choice, card: object) -> Timing:
        return Timing(0, 10 if way.runtime == "openvino" else 10 * times_as_fast)

    monkeypatch.setattr(openvino, "version", lambda: "2026.0")
    monkeypatch.setattr(runtimes, "open_way", open_way)
    monkeypatch.setattr(runtimes, "measure", measure)
    return opened


@pytest.mark.parametrize(("times_as_fast", "expected"), [(1.31, "openvino"), (1.29, "onnxruntime")])
def test_openvino_must_win_and_is_measured_once(
    colours: Factory, monkeypatch: pytest.MonkeyPatch, times_as_fast: float, expected: str
) -> None:
    opened = clock(monkeypatch, times_as_fast)
    model = models.load("one", colours("one").parent)
    assert {models.choose(model).runtime for _ in range(3)} == {expected}
    assert len(opened) == 2
    # On another machine it is another question.
    flags(monkeypatch, "avx512_bf16")
    assert models.choose(model).runtime == expected
    assert len(opened) == 4
    assert models.choose(model, Wish("onnxruntime")).runtime == "onnxruntime"
    assert models.choose(model, Wish("openvino")).runtime == "openvino"
    assert len(opened) == 4


@pytest.mark.parametrize("content", ["", "[]", "{"])
def test_a_damaged_cache_is_none(colours: Factory, monkeypatch: pytest.MonkeyPatch, content: str) -> None:
    clock(monkeypatch, 2)
    path = runtimes.cache_file()
    path.parent.mkdir()
    path.write_text(content, encoding="utf-8")
    assert models.choose(models.load("one", colours("one").parent)).runtime == "openvino"


def test_a_cache_that_cannot_be_written_is_none(
    colours: Factory, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    opened = clock(monkeypatch, 2)
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setattr(runtimes, "cache_file", lambda: tmp_path / "file" / "runtimes.json")
    model = models.load("one", colours("one").parent)
    assert [models.choose(model).runtime for _ in range(2)] == ["openvino"] * 2
    assert len(opened) == 4


def test_measuring(colours: Factory, difference: Factory) -> None:
    for path in (colours(), difference()):
        model = models.load(path)
        timing = runtimes.measure(models.open_session(model), model.card, rounds=3)
        assert timing.wall_ms > 0 and timing.cpu_ms >= 0


def test_openvino_that_is_missing_says_how_to_get_it(
    colours: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openvino, "version", lambda: None)
    with pytest.raises(MissingExtra, match=r"huoyan\[openvino\]"):
        onnx.session(colours(), runtime="openvino")


@needs_openvino
def test_back_ends_agree(colours: Factory, difference: Factory) -> None:
    rng = np.random.default_rng(0)
    for path in (colours(), difference()):
        one, other = onnx.session(path), onnx.session(path, runtime="openvino")
        assert (one.inputs, one.outputs) == (other.inputs, other.outputs)
        assert other.providers == ("OpenVINO",) and one.sha256 == other.sha256
        for size in ((64, 96), (96, 64)):
            feeds = {t.name: rng.integers(0, 256, (2, *size, 3), dtype=np.uint8) for t in one.inputs}
            for wanted, got in zip(one.run(feeds), other.run(feeds), strict=True):
                assert got.dtype == wanted.dtype
                np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-4)


@needs_openvino
@pytest.mark.parametrize("name", ["site-n", "street-n", "change-s"])
def test_back_ends_agree_on_the_shipped_models(name: str) -> None:
    model = models.load(name)
    rng = np.random.default_rng(1)
    one, other = onnx.session(model.path), onnx.session(model.path, runtime="openvino")
    feeds = {t.name: rng.integers(0, 256, (1, 96, 160, 3), dtype=np.uint8) for t in one.inputs}
    for wanted, got in zip(one.run(feeds), other.run(feeds), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-3, atol=2e-2)


@needs_openvino
def test_outputs_outlive_the_next_run_and_threads_do_not_mix(colours: Factory) -> None:
    session = onnx.session(colours(), runtime="openvino")
    red, green = (np.zeros((1, 32, 32, 3), np.uint8) for _ in range(2))
    red[:, 4:8, 4:8, 0] = 255
    green[:, 4:8, 4:8, 1] = 255
    first = session.run({"images": red})[0]
    kept = first.copy()
    session.run({"images": green})
    np.testing.assert_array_equal(first, kept)
    answers: dict[int, set[bytes]] = {0: set(), 1: set()}

    def ask(which: int, picture: np.ndarray[Any, Any]) -> None:
        for _ in range(50):
            answers[which].add(session.run({"images": picture})[0].tobytes())

    threads = [threading.Thread(target=ask, args=job) for job in enumerate((red, green))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(seen) for seen in answers.values()] == [1, 1]
    assert answers[0] != answers[1]


@needs_openvino
def test_its_errors_are_ours(colours: Factory, tmp_path: Path) -> None:
    session = onnx.session(colours(), runtime="openvino")
    for feeds in (
        {"images": np.zeros((1, 8, 8, 3), np.float32)},
        {"pictures": np.zeros((1, 8, 8, 3), np.uint8)},
        {"images": np.zeros((1, 8, 8, 5), np.uint8)},
    ):
        with pytest.raises(ModelError) as caught:
            session.run(feeds)
        assert caught.value.code == "run_failed"
    (tmp_path / "bad.onnx").write_bytes(b"not a model")
    with pytest.raises(ModelError) as caught:
        onnx.session(tmp_path / "bad.onnx", runtime="openvino")
    assert caught.value.code == "damaged"
