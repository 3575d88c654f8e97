"""OpenVINO as a second engine for ONNX files: the extra `openvino`. Sessions are made in `onnx`, nowhere else."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import threading
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from huoyan.errors import MissingExtra

Array = npt.NDArray[Any]


def version() -> str | None:
    """The installed version; None where the extra is missing. Loads nothing."""
    if importlib.util.find_spec("openvino") is None:
        return None
    return importlib.metadata.version("openvino")


class Engine:
    """A compiled model on the CPU.

    Several threads may share one: each gets a request of its own.
    """

    def __init__(self, content: bytes, threads: int, precision: str) -> None:
        """Compile a model.

        Args:
            content: bytes of the ONNX file.
            threads: threads inside one run; 0 takes all cores.
            precision: `bfloat16` lets OpenVINO calculate in it where the CPU can; anything else keeps to the
                precision of the file.

        Raises:
            MissingExtra: OpenVINO is not installed.
        """
        if version() is None:
            raise MissingExtra.named("OpenVINO", "openvino")
        import openvino

        settings: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1}
        if threads:
            settings["INFERENCE_NUM_THREADS"] = threads
        if precision != "bfloat16":
            settings["INFERENCE_PRECISION_HINT"] = "f32"
        core = openvino.Core()
        self._compiled = core.compile_model(core.read_model(model=content), "CPU", settings)
        self._requests = threading.local()
        self.inputs = [_describe(port) for port in self._compiled.inputs]
        self.outputs = [_describe(port) for port in self._compiled.outputs]

    def run(self, feeds: Mapping[str, Array]) -> list[Array]:
        """All outputs for `feeds` (array by input name); whatever OpenVINO raises on them comes out."""
        if set(feeds) != {name for name, _, _ in self.inputs}:
            raise ValueError(f"expected inputs {', '.join(name for name, _, _ in self.inputs)}")
        for name, dtype, shape in self.inputs:
            # It would cast or compute on, where ONNX Runtime refuses.
            given = feeds[name]
            fits = given.ndim == len(shape) and all(
                size in (None, got) for size, got in zip(shape, given.shape, strict=True)
            )
            if given.dtype != dtype or not fits:
                raise ValueError(f"{name}: expected {dtype} of shape {shape}")
        if not hasattr(self._requests, "own"):
            self._requests.own = self._compiled.create_infer_request()
        request = self._requests.own
        request.infer({name: np.ascontiguousarray(value) for name, value in feeds.items()})
        # Copies: the memory of a request is used again by its next run.
        return [np.array(request.get_output_tensor(i).data) for i in range(len(self.outputs))]


def _describe(port: Any) -> tuple[str, str, tuple[int | None, ...]]:
    shape = tuple(None if size.is_dynamic else int(size.get_length()) for size in port.get_partial_shape())
    return port.get_any_name(), np.dtype(port.get_element_type().to_dtype()).name, shape
