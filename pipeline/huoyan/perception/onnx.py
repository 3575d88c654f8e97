"""Sessions in one place: threads, providers and digest of a loaded model; the errors of its engine become ours.

The engine is ONNX Runtime, or OpenVINO where `runtimes` chose it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy.typing as npt

from huoyan.errors import MissingExtra, ModelError
from huoyan.perception import openvino

# ONNX Runtime reports its use to its makers, with an id of the machine kept in the user's cache folder. What a
# bureau looks at is nobody's business; only this variable, set before the import, keeps all of it from starting.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
import onnxruntime

Array = npt.NDArray[Any]
CPU = "CPUExecutionProvider"

# 3 = errors only: warnings about shapes and unused initialisers mean nothing to a user.
onnxruntime.set_default_logger_severity(3)


@dataclass(frozen=True, slots=True)
class Tensor:
    """Name, element type (`uint8`, `float32`) and shape of an input or output; free sizes are None."""

    name: str
    dtype: str
    shape: tuple[int | None, ...]

    def __str__(self) -> str:
        sizes = ",".join("?" if size is None else str(size) for size in self.shape)
        return f"{self.name} {self.dtype} [{sizes}]"


class Engine(Protocol):
    """What runs a model. `inputs` and `outputs`: name, element type and shape of each."""

    inputs: list[tuple[str, str, tuple[int | None, ...]]]
    outputs: list[tuple[str, str, tuple[int | None, ...]]]

    def run(self, feeds: Mapping[str, Array]) -> list[Array]: ...


class Session:
    """A loaded model.

    Attributes:
        path: the file.
        sha256: digest of the very bytes that were loaded.
        inputs, outputs: what it takes and gives.
        providers: what it runs on: execution providers of ONNX Runtime, or `OpenVINO`.
    """

    def __init__(self, path: Path, sha256: str, engine: Engine, providers: tuple[str, ...]) -> None:
        self.path = path
        self.sha256 = sha256
        self.inputs = tuple(Tensor(*tensor) for tensor in engine.inputs)
        self.outputs = tuple(Tensor(*tensor) for tensor in engine.outputs)
        self.providers = providers
        self._engine = engine

    def run(self, feeds: Mapping[str, Array]) -> list[Array]:
        """All outputs for `feeds` (array by input name).

        Raises:
            ModelError: the model refuses the input, or fails on it (memory).
        """
        try:
            return self._engine.run(feeds)
        except Exception as error:
            # The engines raise a dozen unrelated classes derived straight from Exception or RuntimeError.
            shapes = ", ".join(f"{name} {value.dtype}{list(value.shape)}" for name, value in feeds.items())
            raise ModelError(
                f"the model failed on {shapes}: {_first_line(error)}",
                subject=str(self.path),
                hint="huoyan models verify shows what the model expects",
                code="run_failed",
            ) from error


class _OnnxRuntime:
    """ONNX Runtime as an engine."""

    def __init__(self, content: bytes, threads: int, providers: Sequence[str]) -> None:
        self._session = onnxruntime.InferenceSession(content, _options(threads), providers=list(providers))
        self.inputs = [_describe(node) for node in self._session.get_inputs()]
        self.outputs = [_describe(node) for node in self._session.get_outputs()]
        self.providers = tuple(self._session.get_providers())

    def run(self, feeds: Mapping[str, Array]) -> list[Array]:
        outputs: list[Array] = self._session.run(None, dict(feeds))
        return outputs


def session(
    path: Path | str,
    threads: int = 1,
    providers: Sequence[str] | None = None,
    *,
    runtime: str = "onnxruntime",
    precision: str = "float32",
) -> Session:
    """Load a model.

    Args:
        path: the ONNX file.
        threads: threads inside one run; 1 is right where several processes share the cores, 0 takes all.
        providers: ONNX Runtime execution providers in order of preference; default the CPU.
        runtime: `onnxruntime`, or `openvino`, which is for the CPU only.
        precision: for OpenVINO, see `openvino.Engine`.

    Raises:
        ModelError: the file is missing, damaged or not a model, or a provider is not installed.
        MissingExtra: OpenVINO is not installed.
    """
    path = Path(path)
    wanted = list(providers or (CPU,))
    missing = [p for p in wanted if p not in onnxruntime.get_available_providers()]
    if missing:
        raise ModelError(
            f"this ONNX Runtime has no {', '.join(missing)}; "
            f"it has {', '.join(onnxruntime.get_available_providers())}",
            subject=str(path),
            hint="install the ONNX Runtime build of that device, or leave providers out",
            code="no_provider",
        )
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"the model cannot be read: {error.strerror or error}", subject=str(path), code="unreadable"
        ) from error
    sha256 = hashlib.sha256(content).hexdigest()
    try:
        if runtime == "openvino":
            return Session(path, sha256, openvino.Engine(content, threads, precision), ("OpenVINO",))
        engine = _OnnxRuntime(content, threads, wanted)
        return Session(path, sha256, engine, engine.providers)
    except MissingExtra:
        raise
    except Exception as error:
        raise ModelError(
            f"not a usable ONNX model ({len(content)} bytes): {_first_line(error)}",
            subject=str(path),
            hint="fetch the file again",
            code="damaged",
        ) from error


def _options(threads: int) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Planned memory is allocated anew for every input size, beside what the first run took: 330 MB more for the
    # change model on 1024 px, without being faster.
    options.enable_mem_pattern = False
    # Waiting threads that spin burn the cores that other workers need.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _describe(node: Any) -> tuple[str, str, tuple[int | None, ...]]:
    dtype = node.type.removeprefix("tensor(").removesuffix(")")
    shape = tuple(size if isinstance(size, int) else None for size in node.shape)
    return node.name, {"float": "float32", "double": "float64"}.get(dtype, dtype), shape


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:300] or type(error).__name__
