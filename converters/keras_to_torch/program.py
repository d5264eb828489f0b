"""Any Keras model as a .pt2 program: Keras itself, on torch, traced by torch.export.

    model ─ .keras ─▶ a process with KERAS_BACKEND=torch ─ torch.export ─▶ .pt2 ─ the same answers

A process, since Keras chooses its backend once, when it is imported.
"""

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from converters.errors import ConversionError, MismatchError
from converters.parity.inputs import random_inputs
from converters.parity.network import keras_network

if TYPE_CHECKING:
    import keras

BATCH_SIZES = (2, 3)
TOLERANCE = 1e-5
LONGEST_S = 900
DIFFERS = 3


def write_program(model: "keras.Model", path: Path) -> None:
    """Writes the model as a .pt2 file; MismatchError where it answers differently on torch."""
    network = keras_network(model)
    batches = (network.fixed_batch,) if network.fixed_batch else BATCH_SIZES
    with TemporaryDirectory(prefix="keras_to_torch_") as folder:
        saved, answers = Path(folder, "model.keras"), Path(folder, "answers.npz")
        model.save(saved)
        arrays: dict[str, np.ndarray] = {}
        for number, batch in enumerate(batches):
            given = random_inputs(network.inputs or (), batch, seed=0)
            arrays |= {f"{number}/input/{n}": array for n, array in enumerate(given)}
            arrays |= {f"{number}/output/{n}": a for n, a in enumerate(network.run(given))}
        np.savez(answers, **arrays)
        _run_child(saved, answers, path, model.name)


def _run_child(saved: Path, answers: Path, path: Path, name: str) -> None:
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
            "otherwise write the model with keras_to_onnx."
        )
