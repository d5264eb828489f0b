"""TRAPS.md, E6 and E7: exports to ONNX that fail, lie about themselves, or eat the machine."""

import subprocess
import sys
from pathlib import Path

import keras
import onnx
import pytest
from keras import layers

from converters.keras_to_onnx import keras_to_onnx
from tests.converters.keras_to_onnx.nets import randomised

_MEASURED = r"""
import re, sys
from pathlib import Path
import keras, numpy as np, onnx, onnxruntime
from converters.keras_to_onnx import keras_to_onnx

def net(width):
    image = keras.Input((8, 8, 64))
    return keras.Model(image, keras.layers.Dense(width)(keras.layers.Flatten()(image)))

def peak_mb():
    # Not getrusage: that begins with the peak of the process this one was cloned from.
    return int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024

keras_to_onnx(net(4), sys.argv[1])  # whatever is loaded only once
model = net(9000)
before = peak_mb()
keras_to_onnx(model, sys.argv[1], verify=False)
print(model.count_params() * 4 / 2**20, peak_mb() - before)
"""


@pytest.mark.parametrize("opset", [13, 18])
def test_e6_sequential_model_with_open_batch_and_the_opset_asked_for(
    tmp_path: Path, opset: int
) -> None:
    model = keras.Sequential(
        [
            keras.Input((8, 6, 3), name="image"),
            layers.Conv2D(4, 3),
            layers.Flatten(),
            layers.Dense(2),
        ]
    )
    proto = onnx.load(keras_to_onnx(randomised(model), tmp_path / "a.onnx", opset=opset))
    assert [entry.version for entry in proto.opset_import] == [opset]
    assert proto.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"


@pytest.mark.slow
def test_e7_writing_takes_no_second_copy_of_the_weights(tmp_path: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-c", _MEASURED, str(tmp_path / "a.onnx")],
        capture_output=True,
        text=True,
        check=True,
    )
    size_mb, grown_mb = map(float, told.stdout.split())
    assert size_mb > 140
    assert grown_mb < 0.5 * size_mb
