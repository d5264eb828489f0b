"""A torch network as ONNX in memory, made for training on: nothing folded, every name kept.

The TorchScript exporter is asked first. Of 23 architectures it took all, in a fifth of the time of
the other one, and its graphs are plain. What it cannot trace goes to the dynamo exporter,
unoptimised. Three things are done that a bare `torch.onnx.export` does not do:

- the network is wrapped, and the wrapper, it alone, claims to be in training: otherwise the
  exporter merges weights of equal value, and all fresh BatchNorms become one layer;
- the network's modes, the random state and the warning filters are as before afterwards;
- the names of buffers are written beside the graph, so that the importer does not train them.
"""

import contextlib
import io
import json
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from converters.errors import ConversionError
from converters.exported import quiet
from converters.torch_to_keras.example import Inputs
from converters.torch_to_keras.tidy import without_zero_biases

if TYPE_CHECKING:
    import onnx
    import torch
    from torch import nn

# 20 has Gelu as one operator; the TorchScript exporter knows nothing later.
OPSET = 20
BUFFERS_KEY = "converters.buffers"
SOURCE_KEY = "converters.source"
# The wrapper's attribute; it is taken out of all names again.
INNER = "wrapped_network"

Exporter = Callable[["nn.Module", Inputs, list[str]], "onnx.ModelProto"]


def exporters() -> tuple[Exporter, ...]:
    """The ways to a graph, the preferred one first."""
    return (export_torchscript, export_dynamo)


def export_torchscript(
    module: "nn.Module", inputs: Inputs, output_names: list[str]
) -> "onnx.ModelProto":
    """The network traced by running it once: the operators that the example meets."""
    import onnx
    import torch

    buffer = io.BytesIO()
    dynamic = {n: {a: symbol(n, a) for a in axes} for n, axes in inputs.dynamic.items()}
    dynamic |= {name: {0: "N"} for name in output_names}
    with _undisturbed(module), _wrapped(module, inputs, training=True) as wrapper:
        torch.onnx.export(
            wrapper,
            inputs.values,
            buffer,  # type: ignore[arg-type]
            dynamo=False,
            training=torch.onnx.TrainingMode.PRESERVE,
            do_constant_folding=False,
            opset_version=OPSET,
            input_names=list(inputs.tensors),
            output_names=output_names,
            dynamic_axes=dynamic,
        )
    return _with_own_names(onnx.load_from_string(buffer.getvalue()), module)


def export_dynamo(
    module: "nn.Module", inputs: Inputs, output_names: list[str]
) -> "onnx.ModelProto":
    """The network captured by torch.export: also what tracing cannot see."""
    import torch

    shapes = tuple(
        {axis: torch.export.Dim.DYNAMIC for axis in inputs.dynamic.get(name, ())}
        for name in inputs.tensors
    )
    with _undisturbed(module), _wrapped(module, inputs, training=False) as wrapper:
        program = torch.onnx.export(
            wrapper,
            inputs.values,
            dynamo=True,
            optimize=False,
            verbose=False,
            input_names=list(inputs.tensors),
            output_names=output_names,
            dynamic_shapes=(shapes,),
        )
    if program is None:
        raise ConversionError("Expected a graph from torch.onnx.export, got none.")
    return _with_own_names(without_zero_biases(program.model_proto), module)


def run_torch(module: "nn.Module", inputs: Inputs) -> "dict[str, torch.Tensor]":
    """The network's own outputs by name, in inference mode: what an import is compared with."""
    import torch

    copies = Inputs({n: t.clone() for n, t in inputs.tensors.items()}, {}, inputs.by_keyword)
    with _undisturbed(module), torch.no_grad():
        return _named_outputs(_call(module, copies.tensors, inputs.by_keyword), set(inputs.tensors))


def symbol(name: str, axis: int) -> str:
    """The name of an axis that may vary: all inputs share the batch."""
    return "N" if axis == 0 else f"{name}_{axis}"


def _call(module: "nn.Module", tensors: "Mapping[str, torch.Tensor]", by_keyword: bool) -> object:
    return module(**tensors) if by_keyword else module(*tensors.values())


def _named_outputs(result: object, taken: set[str]) -> "dict[str, torch.Tensor]":
    """Every tensor in what forward returned; dict keys are names, others are output_0, …"""
    found: dict[str, torch.Tensor] = {}

    def walk(value: object, name: str) -> None:
        import torch

        if isinstance(value, torch.Tensor):
            found[f"{name}_out" if name in taken else name] = value
        elif isinstance(value, Mapping):
            for key, item in value.items():
                walk(item, str(key) if name == "output" else f"{name}_{key}")
        elif isinstance(value, tuple | list):
            for number, item in enumerate(value):
                walk(item, f"{name}_{number}")
        elif value is not None:
            raise ConversionError(
                f"Expected tensors from forward, got {type(value).__name__}. Wrap the module in "
                "one whose forward returns tensors, or a tuple or dict of them."
            )

    walk(result, "output")
    if not found:
        raise ConversionError("Expected a tensor from forward, got none.")
    return found


@contextlib.contextmanager
def _wrapped(module: "nn.Module", inputs: Inputs, *, training: bool) -> Iterator["nn.Module"]:
    """The network as one that takes the tensors in order and returns a tuple of tensors."""
    import torch
    from torch import nn

    if isinstance(module, torch.jit.ScriptModule):  # cannot be traced from outside, and need not
        yield module
        return
    names, by_keyword = list(inputs.tensors), inputs.by_keyword

    class Wrapper(nn.Module):
        def forward(self, *values: "torch.Tensor") -> "tuple[torch.Tensor, ...]":
            network = getattr(self, INNER)
            result = _call(network, dict(zip(names, values, strict=True)), by_keyword)
            return tuple(_named_outputs(result, set()).values())

    wrapper = Wrapper()
    setattr(wrapper, INNER, module)
    wrapper.training = training  # this one flag; `train()` would reach the network
    yield wrapper


@contextlib.contextmanager
def _undisturbed(module: "nn.Module") -> Iterator[None]:
    """Everything in inference mode inside; modes, random state, filters as before afterwards.

    Flags are set one by one: `eval()` may be overridden, and merges weights in some networks.
    """
    import torch

    modes = [(part, part.training) for part in module.modules()]
    calm = quiet("torch.onnx", logging.ERROR)  # it warns of a missing torchvision, for one
    with calm, warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        warnings.simplefilter("ignore")  # both exporters warn that the other one exists
        try:
            for part, _ in modes:
                part.training = False
            yield
        finally:
            for part, mode in modes:
                part.training = mode


def _with_own_names(proto: "onnx.ModelProto", module: "nn.Module") -> "onnx.ModelProto":
    """The wrapper's name taken out everywhere, and the buffers' names written beside the graph."""
    graph = proto.graph
    taken = {i.name for i in graph.input} | {o.name for o in graph.output}

    def own(name: str) -> str:
        plain = name.replace(f"{INNER}.", "").replace(f"{INNER}/", "")
        return f"{plain}_weight" if plain in taken and plain != name else plain

    def rename(graph: Any) -> None:
        for node in graph.node:
            node.name = own(node.name)
            node.input[:] = [own(name) for name in node.input]
            node.output[:] = [own(name) for name in node.output]
            for attribute in node.attribute:
                for inner in [attribute.g, *attribute.graphs]:
                    rename(inner)
        for value in [*graph.initializer, *graph.value_info, *graph.output]:
            value.name = own(value.name)

    rename(graph)
    buffers = {name for name, _ in module.named_buffers(remove_duplicate=False)}
    present = [i.name for i in graph.initializer if i.name in buffers]
    for key, text in ((BUFFERS_KEY, json.dumps(present)), (SOURCE_KEY, "torch")):
        proto.metadata_props.add(key=key, value=text)
    return proto
