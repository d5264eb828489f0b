"""An imported model against torch itself: the same answers at two batch sizes, or an error."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from converters.errors import MismatchError
from converters.onnx_to_keras.convert import TOLERANCE
from converters.parity import compare
from converters.parity.certificate import certify as prove
from converters.parity.inputs import InputSpec
from converters.parity.network import Network
from converters.report import import_report, record
from converters.torch_to_keras.example import Inputs
from converters.torch_to_keras.export import run_torch, symbol
from converters.torch_to_keras.files.opened import Opened
from converters.torch_to_keras.origin import remember

if TYPE_CHECKING:
    import keras
    import onnx
    from torch import nn


def certify(
    model: "keras.Model",
    proto: "onnx.ModelProto",
    opened: Opened,
    inputs: Inputs,
    *,
    allow_mismatch: bool,
) -> None:
    """Proof against torch, with gradients, in the model's report; MismatchError where it fails."""
    rows = remember(model, opened.module)
    known = replace(import_report(model), source=opened.label, kind="PyTorch", weights=rows)
    reference = torch_network(opened.module, inputs)
    report = prove(model, reference, known, tolerance=TOLERANCE, allow_mismatch=True)
    parity = report.parity
    if parity is None or parity.passed or allow_mismatch:
        return
    bisected = compare(proto, model, tolerance=TOLERANCE, bisect=True)
    where = "The exported graph agrees: torch's exporter has not seen all of forward"
    if bisected.first_divergence:
        where = f"It begins at {bisected.first_divergence}"
        report = replace(report, parity=replace(parity, first_divergence=bisected.first_divergence))
        record(model, report)
    raise MismatchError(
        f"Expected the answers of {opened.label}, got others:\n{parity}\n{where}. "
        "Look at the model with allow_mismatch=True, or give the operator with ops=.",
        report,
    )


def torch_network(module: "nn.Module", inputs: Inputs) -> Network:
    """The module as something that runs on arrays, with the shapes it was exported with."""
    import torch

    outputs = tuple(run_torch(module, inputs))
    device = next((t.device for t in module.parameters()), torch.device("cpu"))

    def run(arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        tensors = [torch.from_numpy(np.array(array)).to(device) for array in arrays]
        named = dict(zip(inputs.tensors, tensors, strict=True))
        answers = run_torch(module, replace(inputs, tensors=named))
        return [answer.cpu().numpy() for answer in answers.values()]

    specs = tuple(
        InputSpec(
            name,
            tuple(
                symbol(name, axis) if axis in inputs.dynamic.get(name, ()) else size
                for axis, size in enumerate(tensor.shape)
            ),
            str(tensor.dtype).removeprefix("torch."),
        )
        for name, tensor in inputs.tensors.items()
    )
    return Network(f"PyTorch {torch.__version__}", run, specs, outputs, channels_first=True)
