"""The door from PyTorch: a module or file in, a trainable Keras model out, proven against torch.

source ─▶ nn.Module ─ export ─▶ ONNX in memory ─ onnx_to_keras ─▶ model ─ compare ─▶ torch
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from converters.errors import ConversionError, MismatchError, UnsupportedError
from converters.torch_to_keras.example import Example, Inputs, make_inputs
from converters.torch_to_keras.export import exporters, run_torch
from converters.torch_to_keras.files.opened import Opened, open_source

if TYPE_CHECKING:
    import keras
    import onnx
    from torch import nn

_LOG = logging.getLogger(__name__)


def torch_to_keras(
    source: "nn.Module | str | Path",
    example_input: "Example | None" = None,
    *,
    architecture: "nn.Module | Callable[[], nn.Module] | None" = None,
    input_shapes: Mapping[str, Sequence[int | None]] | None = None,
    ops: Mapping[str, Callable[..., object]] | None = None,
    allow_mismatch: bool = False,
    name: str | None = None,
) -> "keras.Model":
    """Trainable Keras model, channels last, that answers as the torch network does.

    BatchNorm, names and every weight are kept; parameters are trainable, buffers are not. The
    result is compared with torch itself at two batch sizes before it is returned. The module is
    left as it was, modes and random state included.

    Args:
        source: an `nn.Module`, or a file, whose kind is told by its content: `.pt2` of
            torch.export.save, TorchScript, a `state_dict` of torch.save (also inside a
            checkpoint) or `.safetensors`. Pickled modules are refused: they run code when opened.
            A `.pt2` or TorchScript file is code of a restricted kind; it is refused where it
            reaches more than tensors, and may still take long, as any network may.
        example_input: what forward takes, batch first, as in torch: a tensor or array, a tuple
            of them, or a dict by argument name. A batch of one is doubled. Without it the input is
            taken from the `.pt2` file, from a timm module's settings, or, if the first layer with
            weights is a convolution over 1 or 3 channels, is `(2, channels, 224, 224)`.
        architecture: with weights alone: the module they belong to (copied), or a function
            without arguments that returns it.
        input_shapes: shape of each input by argument name; None where a size may vary.
        ops: functions for operators without a converter, as for onnx_to_keras.
        allow_mismatch: return a model that answers differently, with a warning in its report.
        name: of the Keras model; the class of the module otherwise.

    Raises:
        ArchitectureNeededError: weights alone, or those of another network.
        UnsafeFileError: a file that would run code.
        UnsupportedError: operators without a converter, all at once.
        MismatchError: the model answers differently from torch.

    Example::

        model = converters.torch_to_keras(module, torch.zeros(2, 3, 224, 224))
        model = converters.torch_to_keras("weights.pth", architecture=MyNetwork)
    """
    opened = open_source(source, architecture)
    inputs = _inputs(opened, example_input, input_shapes)
    outputs = list(_checked_run(opened, inputs))
    problems: list[str] = []
    mismatch: MismatchError | None = None
    for export in exporters():
        try:
            proto = export(opened.module, inputs, outputs)
        except Exception as err:  # both exporters raise whatever their passes raise
            _LOG.debug("%s cannot export %s", export.__name__, opened.label, exc_info=True)
            problems.append(f"{export.__name__}: {type(err).__name__}: {_first_line(err)}")
            continue
        try:
            return _import(proto, opened, inputs, ops, allow_mismatch, name or opened.label)
        except MismatchError as err:
            mismatch = mismatch or err  # tracing may have missed a branch; the other may see it
        except UnsupportedError:
            raise
    if mismatch is not None:
        raise mismatch
    raise ConversionError(
        f"Expected a network that torch can export, got {opened.label}:\n  "
        + "\n  ".join(problems)
        + "\nMake forward a function of tensors without Python branches on their values, or "
        "export the network to ONNX another way and use onnx_to_keras."
    )


def _inputs(
    opened: Opened,
    example: "Example | None",
    input_shapes: Mapping[str, Sequence[int | None]] | None,
) -> Inputs:
    if example is None and input_shapes is None:
        example = opened.example
    if not opened.fixed_batch:
        return make_inputs(opened.module, example, input_shapes)
    return make_inputs(opened.module, opened.example, None, double=False).fixed()


def _checked_run(opened: Opened, inputs: Inputs) -> "Mapping[str, object]":
    """The network's answers to the example, so that a wrong shape is told before any export."""
    try:
        return run_torch(opened.module, inputs)
    except ConversionError:
        raise
    except Exception as err:  # whatever the user's forward raises
        shapes = {name: tuple(tensor.shape) for name, tensor in inputs.tensors.items()}
        raise ValueError(
            f"Expected an example_input that {opened.label} takes, got {shapes}: "
            f"{type(err).__name__}: {_first_line(err)}. Give a tensor of the right shape and "
            "type, batch first, as example_input=."
        ) from err


def _import(
    proto: "onnx.ModelProto",
    opened: Opened,
    inputs: Inputs,
    ops: Mapping[str, Callable[..., object]] | None,
    allow_mismatch: bool,
    name: str,
) -> "keras.Model":
    from converters.onnx_to_keras import onnx_to_keras
    from converters.torch_to_keras.certify import certify

    model = onnx_to_keras(proto, ops=ops, verify=False, name=name)
    certify(model, proto, opened, inputs, allow_mismatch=allow_mismatch)
    return model


def _first_line(err: Exception) -> str:
    return (str(err).strip() or "no message").splitlines()[0][:300]
