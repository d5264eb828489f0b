"""ONNX models run by ONNX Runtime, or by onnx's own reference where that is not installed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from converters.errors import ConversionError, TooLargeError
from converters.onnx_to_keras.read import read
from converters.parity.float32 import in_float32
from converters.parity.inputs import InputSpec, onnx_inputs
from converters.parity.network import Arrays, Network

if TYPE_CHECKING:
    import onnx

_Run = Callable[[Arrays], list[np.ndarray]]

_LOG = logging.getLogger(__name__)
_THREADS = 2
_ONLY_ERRORS = 4  # ONNX Runtime writes warnings straight to the terminal
_LACKING = ("NOT_IMPLEMENTED", "is not a registered function", "No Op registered", "opset")


def onnx_network(
    source: str | Path | bytes | onnx.ModelProto, extra: Sequence[str] = ()
) -> Network:
    """A runnable ONNX model whose file was checked first; `extra` values become outputs too.

    ONNX Runtime is never given the user's path: it would follow external data out of the folder.

    Raises:
        ReadError: not an ONNX model, or not a safe one.
        ConversionError: neither runtime takes it.
    """
    import onnx

    model = in_float32(read(source))
    names = [value.name for value in model.graph.output]
    more = [name for name in extra if name not in names]
    if more:
        model = _with_outputs(model, more)
    specs = onnx_inputs(model)
    with TemporaryDirectory(prefix="converters-", ignore_cleanup_errors=True) as folder:
        # Weights in a file of our own are read one by one; as bytes they are there three times.
        path = Path(folder) / "model.onnx"
        # (ByteSize and SerializeToString are such bytes; a model that is not ours stays as it is.)
        if model is source:
            path.write_bytes(model.SerializeToString())
        else:
            onnx.save_model(model, path, save_as_external_data=True, location="weights")
        del model
        label, run = _runner(path, [*names, *more], specs)
    return Network(label, run, specs, (*names, *more))


def check_values(source: object) -> None:
    """Nothing for what is no ONNX, and for ONNX whose values are no larger than a network's.

    A runtime makes what a file asks for, however much that is.

    Raises:
        TooLargeError: a value of more numbers than that.
        ReadError: not an ONNX model, or not a safe one.
    """
    from converters.onnx_to_keras.fold import fold
    from converters.onnx_to_keras.parse import parse

    named = isinstance(source, (str, Path)) and Path(source).suffix.lower() == ".onnx"
    if not (named or isinstance(source, bytes) or type(source).__name__ == "ModelProto"):
        return
    model = read(source)  # type: ignore[arg-type]
    try:
        fold(parse(model, None))
    except TooLargeError:
        raise
    except Exception as err:  # what does not fit together is told by the runtime
        _LOG.debug("%s", err)


def onnx_runtime(file: Path, *, threads: int = 0, optimised: bool = True) -> Any:
    """An `onnxruntime.InferenceSession` on the CPU.

    Args:
        file: an ONNX file that was checked: the runtime follows external data out of its folder.
        threads: within an operator; 0 for as many as there are processors.
        optimised: off, every node runs as it is written. Of ONNX Runtime 1.23's own rewritings
            some answer wrongly (a zero padding fused into a pooling).

    Raises:
        ImportError: onnxruntime is not installed.
        Exception: of several classes that onnxruntime does not name: it cannot run the file.
    """
    import onnxruntime  # type: ignore[import-untyped,unused-ignore]

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _ONLY_ERRORS
    if not optimised:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    # Weights are used as they are read: no second copy in the kernels' own layout, no arena.
    options.add_session_config_entry("session.disable_prepacking", "1")
    options.enable_cpu_mem_arena = False
    return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])


def _with_outputs(model: onnx.ModelProto, names: Sequence[str]) -> onnx.ModelProto:
    import onnx

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for name in names:
        copy.graph.output.append(onnx.ValueInfoProto(name=name))  # its type is found by the runtime
    return copy


def _feeds(arrays: Arrays, specs: Sequence[InputSpec]) -> dict[str, np.ndarray]:
    if len(arrays) != len(specs):
        raise ConversionError(
            f"Expected {len(specs)} inputs ({', '.join(s.name for s in specs)}), got "
            f"{len(arrays)}. Give one array for each."
        )
    return {
        spec.name: np.asarray(array, spec.dtype) for spec, array in zip(specs, arrays, strict=True)
    }


def _runner(path: Path, names: list[str], specs: Sequence[InputSpec]) -> tuple[str, _Run]:
    import onnx

    try:
        import onnxruntime  # type: ignore[import-untyped,unused-ignore]

        session = onnx_runtime(path, threads=_THREADS, optimised=False)
    except ImportError:
        return _reference_runner(onnx.load(path), names, specs)
    except Exception as err:  # pybind raises classes of its own, which onnxruntime does not name
        if any(words in str(err) for words in _LACKING):  # onnx's reference may have it
            return _reference_runner(onnx.load(path), names, specs)
        raise _cannot_run(err) from err

    def run(arrays: Arrays) -> list[np.ndarray]:
        given = _feeds(arrays, specs)
        try:
            return [np.asarray(value) for value in session.run(names, given)]
        except Exception as err:
            raise _cannot_run(err) from err

    return f"ONNX Runtime {onnxruntime.__version__}", run


def _reference_runner(
    model: onnx.ModelProto, names: list[str], specs: Sequence[InputSpec]
) -> tuple[str, _Run]:
    import onnx
    from onnx.reference import ReferenceEvaluator

    try:
        evaluator = ReferenceEvaluator(model)
    except Exception as err:
        raise _cannot_run(err) from err

    def run(arrays: Arrays) -> list[np.ndarray]:
        given = _feeds(arrays, specs)
        try:
            return [np.asarray(value) for value in evaluator.run(names, given)]
        except Exception as err:
            raise _cannot_run(err) from err

    return f"onnx.reference {onnx.__version__}", run


def _cannot_run(err: Exception) -> ConversionError:
    reason = (str(err).strip() or type(err).__name__).splitlines()[0][:300]
    return ConversionError(
        f"Expected a network that can be run for comparison, but: {reason}. Check the input "
        "shapes, or import with verify=False and compare by yourself."
    )
