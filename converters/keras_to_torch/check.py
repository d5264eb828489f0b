"""The weights that are about to be written, loaded by torch and run."""

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from converters.errors import ConversionError, MismatchError
from converters.nested import innermost
from converters.onnx_to_keras.convert import TOLERANCE
from converters.parity import compare
from converters.parity.network import Network
from converters.parity.result import Parity
from converters.torch_to_keras.example import Inputs
from converters.torch_to_keras.export import run_torch

if TYPE_CHECKING:
    import keras
    import torch
    from torch import nn


def filled(module: "nn.Module", state: "Mapping[str, torch.Tensor]") -> "nn.Module":
    """A copy of the module on the CPU with these weights, every name matched."""
    fresh = copy.deepcopy(module).cpu()
    fresh.load_state_dict(dict(state), strict=True)
    return fresh


def check_answers(model: "keras.Model", module: "nn.Module") -> None:
    """MismatchError unless torch and Keras answer alike on random inputs at two batch sizes.

    Pictures are given to torch channels first; where torch refuses them, and where the answers
    differ, in the model's own axis order too. An activation that the Keras model ends with and the
    module does not have is applied to torch's answers.
    """
    problems: list[str] = []
    closest: Parity | None = None
    for channels_first in (True, False):
        for activation in (None, _last_activation(model)):
            try:
                parity = compare(
                    _network(module, activation, channels_first), model, tolerance=TOLERANCE
                )
            except (RuntimeError, ValueError, TypeError, IndexError, ConversionError) as err:
                problems.append(str(err).splitlines()[0] if str(err) else type(err).__name__)
                continue
            if parity.passed:
                return
            closest = parity if closest is None or parity.max_rel < closest.max_rel else closest
    told = str(closest) if closest is not None else "\n  ".join(dict.fromkeys(problems))
    raise MismatchError(
        f"Expected {type(module).__name__} with the new weights to answer as '{model.name}' does, "
        f"got:\n  {told}\nGive the module that the model was made from, with the same layers and "
        "settings (strides, epsilon). Preprocessing that only the Keras model has is left "
        "out: write the model that stands behind it."
    )


def _last_activation(model: "keras.Model") -> str | None:
    """softmax or sigmoid, where the model ends with it."""
    operation = innermost(model.outputs[0])._keras_history.operation
    if type(operation).__name__ in {"Softmax", "Sigmoid"}:
        return type(operation).__name__.lower()
    name = getattr(getattr(operation, "activation", None), "__name__", "")
    return name if name in {"softmax", "sigmoid"} else None


def _network(module: "nn.Module", activation: str | None, channels_first: bool) -> Network:
    import torch

    finish: Mapping[str, Callable[[torch.Tensor], torch.Tensor]] = {
        "softmax": lambda answer: answer.softmax(-1),
        "sigmoid": torch.sigmoid,
    }

    def run(arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        tensors = {f"input_{n}": torch.from_numpy(np.array(a)) for n, a in enumerate(arrays)}
        answers = run_torch(module, Inputs(tensors, {})).values()
        last = finish.get(activation or "", lambda answer: answer)
        return [last(answer).numpy() for answer in answers]

    return Network(f"PyTorch {torch.__version__}", run, channels_first=channels_first)
