"""Any Keras model as a .pt2 program: Keras itself, on torch, traced by torch.export.

    model ─ .keras ─▶ a process with KERAS_BACKEND=torch ─ torch.export ─▶ .pt2 ─ the same answers

A process, since Keras chooses its backend once, when it is imported.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from converters.errors import ConversionError, MismatchError
from converters.parity.inputs import InputSpec, random_inputs
from converters.parity.network import Network, keras_network

if TYPE_CHECKING:
    import keras

BATCH_SIZES = (2, 3)
LONGEST_S = 900
_OPEN = (
    " The model leaves sizes open, and torch may want them fixed: pixels = keras.Input((224, 224, "
    "3)), then write keras.Model(pixels, model(pixels))."
)
DIFFERS = 3


def write_program(model: "keras.Model", path: Path) -> None:
    """Writes the model as a .pt2 file; MismatchError where it answers differently on torch."""
    network = keras_network(model)
    cases = _cases(network.inputs or (), network.fixed_batch)
    with TemporaryDirectory(prefix="keras_to_torch_") as folder:
        saved, answers = Path(folder, "model.keras"), Path(folder, "answers.npz")
        model.save(saved)
        arrays: dict[str, np.ndarray] = {}
        for number, given in enumerate(cases):
            arrays |= {f"{number}/input/{n}": array for n, array in enumerate(given)}
            arrays |= {f"{number}/output/{n}": a for n, a in enumerate(network.run(given))}
        np.savez(answers, **arrays)
        _run_child(saved, answers, path, model.name, _OPEN if _leaves_open(network) else "")


def _cases(specs: Sequence[InputSpec], fixed_batch: int | None) -> list[list[np.ndarray]]:
    """Inputs of two batch sizes, and of two sizes wherever the model leaves them open."""
    first = random_inputs(specs, fixed_batch or BATCH_SIZES[0], seed=0)
    shapes = [array.shape for array in first]
    other = [_of_other_size(*pair) for pair in zip(specs, shapes, strict=True)]
    if fixed_batch and list(specs) == other:
        return [first]
    return [first, random_inputs(other, fixed_batch or BATCH_SIZES[1], seed=0)]


def _of_other_size(spec: InputSpec, shape: tuple[int, ...]) -> InputSpec:
    """The spec with twice the sizes that stand for open ones, the last of them first."""
    free = [axis for axis, size in enumerate(spec.shape) if axis and size is None]
    sizes = dict(zip(free, (2 * shape[axis] for axis in reversed(free)), strict=True))
    return replace(spec, shape=tuple(sizes.get(axis, size) for axis, size in enumerate(spec.shape)))


def _leaves_open(network: Network) -> bool:
    return any(None in spec.shape[1:] for spec in network.inputs or ())


def _run_child(saved: Path, answers: Path, path: Path, name: str, advice: str) -> None:
    # The child's search path is ours, so that it finds the same packages wherever it is started.
    search = os.pathsep.join(entry for entry in sys.path if entry)
    environment = {
        **os.environ,
        "KERAS_BACKEND": "torch",
        "PYTHONPATH": search,
        "CUDA_VISIBLE_DEVICES": "",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    command = [sys.executable, "-m", "converters.keras_to_torch.child", saved, answers, path]
    try:
        done = subprocess.run(
            list(map(str, command)),
            env=environment,
            capture_output=True,
            text=True,
            timeout=LONGEST_S,
            check=False,
        )
    except subprocess.TimeoutExpired as err:
        raise ConversionError(
            f"Expected '{name}' as a torch program within {LONGEST_S} s, got none. "
            "Write its weights instead (.pt with module=), or ONNX with keras_to_onnx."
        ) from err
    last = "\n  ".join(done.stderr.strip().splitlines()[-5:])
    if done.returncode == DIFFERS:
        raise MismatchError(
            f"Expected the same answers from '{name}' on torch, got others:\n  {last}\n"
            "Write the model with keras_to_onnx instead."
        )
    if done.returncode:
        raise ConversionError(
            f"Expected '{name}' to run on Keras' torch backend, got:\n  {last}\nLayers of your own "
            "have to be written with keras.ops and be registered in a module that Keras imports; "
            f"otherwise write the model with keras_to_onnx.{advice}"
        )
