"""torch modules to ONNX files, kept in a folder so that measuring again is fast.

torchscript           <name>.ts.onnx     BatchNorm kept, the form for training
dynamo                <name>.dyn.onnx    as torch.onnx.export does it today: BatchNorm folded
torchscript-folded    <name>.tsf.onnx    as it did it before
dynamo-unoptimised    <name>.dynu.onnx   BatchNorm kept, shape arithmetic left in the graph
"""

import contextlib
import hashlib
import inspect
import io
import json
import logging
import time
import warnings
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from . import randomise
from .networks import Network
from .networks import network as network_module

SUFFIXES = {
    "torchscript": "ts",
    "dynamo": "dyn",
    "torchscript-folded": "tsf",
    "dynamo-unoptimised": "dynu",
}
EXAMPLE_BATCH = 2  # with one example, dynamo takes the batch for a constant


def exported(network: Network, exporter: str, cache: Path) -> Path:
    """The network as an ONNX file in `cache`, exported unless the same one is there already."""
    path = cache / f"{network.name}.{SUFFIXES[exporter]}.onnx"
    note = path.with_suffix(".json")
    mark = fingerprint(network)
    if path.exists() and note.exists() and json.loads(note.read_text())["fingerprint"] == mark:
        return path
    cache.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    unfinished = path.with_suffix(".part")
    module = randomise.randomised(network)
    with _quiet():
        _export(module, network, exporter, unfinished)
    unfinished.replace(path)
    notes = {
        "fingerprint": mark,
        "export_s": round(time.perf_counter() - started, 1),
        "parameters": sum(weight.numel() for weight in module.parameters()),
        "norm_parameters": sum(
            weight.numel()
            for part in module.modules()
            if isinstance(part, _BatchNorm)
            for weight in part.parameters()
        ),
    }
    note.write_text(json.dumps(notes))
    return path


def parameters(path: Path) -> tuple[int, int]:
    """Numbers that torch trains in the network of `path`, and how many of them BatchNorm has."""
    notes = json.loads(path.with_suffix(".json").read_text())
    return notes["parameters"], notes["norm_parameters"]


def fingerprint(network: Network) -> str:
    """Changes when another file would come out: the recipe, the inputs, torch."""
    make = network.make
    arguments = (make.args, make.keywords) if isinstance(make, partial) else ()
    made_by = inspect.getmodule(make.func if isinstance(make, partial) else make)
    parts = [torch.__version__, network.name, repr(network.inputs), repr(arguments)]
    parts += [inspect.getsource(m) for m in (randomise, network_module, made_by) if m]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _export(module: nn.Module, network: Network, exporter: str, path: Path) -> None:
    example = tuple(torch.from_numpy(values) for values in network.sample(EXAMPLE_BATCH, seed=2))
    names = [f"input_{number}" for number in range(len(example))]
    if exporter.startswith("dynamo"):
        program = torch.onnx.export(
            module,
            example,
            dynamo=True,
            dynamic_shapes=tuple({0: torch.export.Dim("batch")} for _ in example),
            input_names=names,
            optimize=exporter == "dynamo",
            verbose=False,
        )
        program.save(path)
        return
    folded = exporter == "torchscript-folded"
    torch.onnx.export(
        module,
        example,
        path,
        dynamo=False,
        opset_version=17,
        input_names=names,
        output_names=["output"],
        dynamic_axes={name: {0: "batch"} for name in (*names, "output")},
        do_constant_folding=folded,
        training=torch.onnx.TrainingMode.EVAL if folded else torch.onnx.TrainingMode.PRESERVE,
    )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The exporters' progress and their advice about each other stay off the terminal."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(logging.NOTSET)
