"""Network → one flat Keras 3 Functional model: nested models are laid out in place.

A layer that the source shares is one layer here too, a nested model that is called twice is laid
out twice with the same layers. Weights are allocated only up to what the file holds.
"""

import inspect
from collections.abc import Mapping
from typing import Any

import keras

from converters.errors import ConversionError, NodeError, ReadError
from converters.tf_to_keras.keras2.masks import Masks
from converters.tf_to_keras.keras2.names import name_operations
from converters.tf_to_keras.keras2.parse import flat
from converters.tf_to_keras.keras2.sizes import numbers
from converters.tf_to_keras.keras2.tree import Leaf, Network, Ref, plain

MAX_CALLS = 20_000
_FLOATS = ("float16", "bfloat16", "float64")
_RECURRENT = (keras.layers.RNN, keras.layers.Bidirectional)


def build(
    network: Network, stored_numbers: int, name: str | None = None
) -> tuple[keras.Model, tuple[str, ...]]:
    """A Functional model whose weights are not the file's yet, and what a user should know.

    Raises ReadError where layers want more than `stored_numbers` weights, NodeError where a call
    cannot be made.
    """
    attention = any(leaf.class_name == "MultiHeadAttention" for leaf in network.leaves())
    builder = _Builder(stored_numbers, Masks(attention))
    return builder.model(network, name or network.name), tuple(builder.masks.warnings)


class _Builder:
    """What is left of the numbers the file holds, and of the calls a network may make."""

    def __init__(self, stored_numbers: int, masks: Masks) -> None:
        self.left = stored_numbers
        self.masks = masks
        self.calls = 0
        self.done: set[Leaf] = set()
        self.sources: dict[int, str] = {}  # operation made by a function → the function's name

    def model(self, network: Network, name: str) -> keras.Model:
        """The network as a model of its own."""
        given = _inputs(network)
        outputs = self.run(network, list(flat(given)), None)
        if not all(isinstance(item, keras.KerasTensor) for item in flat(outputs)):
            raise ReadError(
                f"Expected tensors as outputs of {network.name}, got {outputs}. "
                "Leave outputs that are shapes or constants out of the network."
            )
        given, outputs = _bare(given), _bare(outputs)
        name_operations(list(flat(given)), list(flat(outputs)), self.sources)
        return keras.Model(given, outputs, name=name.replace("/", "_"))

    def run(self, network: Network, tensors: list[Any], training: bool | None) -> Any:
        """Outputs of the network for these inputs, laid out in place."""
        if network.class_name == "Sequential":
            value = tensors[0] if len(tensors) == 1 else tensors
            for entry in network.entries.values():
                if not _is_input(entry):
                    value = self.call(entry, value, {}, training)
            return value
        wanted = list(flat(network.inputs))
        if len(wanted) != len(tensors):
            raise ReadError(
                f"Expected {len(wanted)} inputs for {network.name}, got {len(tensors)}. "
                "Save the network again."
            )
        values = {(ref.layer, ref.node): [x] for ref, x in zip(wanted, tensors, strict=True)}
        for call in network.calls:
            args, kwargs = _bound(call.args, values), _bound(dict(call.kwargs), values)
            entry = network.entries[call.entry]
            if not _keeps_structure(entry):
                args = _bare(args)
            output = self.call(entry, args, kwargs, training)
            values[call.entry, call.node] = _outputs(entry, output)
        return _bare(_bound(network.outputs, values))

    def call(
        self, entry: Leaf | Network, args: Any, kwargs: Mapping[str, Any], training: bool | None
    ) -> Any:
        """Output of one layer, function or nested model."""
        self.calls += 1
        if self.calls > MAX_CALLS:
            raise ReadError(
                f"Expected at most {MAX_CALLS} layer calls, got more. "
                "The file is damaged or made to exhaust memory."
            )
        kwargs = {key: value for key, value in kwargs.items() if value is not None}
        if isinstance(kwargs.get("training"), bool):
            training = kwargs["training"]
            self.masks.warnings.append(
                f"{entry.path}: called with training={training} in the source. Keras 3 forgets "
                "that in fit and predict: freeze its BatchNormalization to keep the statistics."
            )
        if isinstance(entry, Network):
            return self.run(entry, list(flat(args)), training)
        try:
            if entry.function is not None:
                output = entry.function(args, **kwargs)
                for tensor in flat(output):
                    if isinstance(tensor, keras.KerasTensor):
                        self.sources.setdefault(id(tensor._keras_history.operation), entry.name)
                return output
            return self.layer(entry, args, kwargs, training)
        except ConversionError:
            raise
        except Exception as err:  # whatever Keras finds wrong is a fact about this call
            shapes = [getattr(x, "shape", x) for x in flat(args)]
            raise NodeError(
                f"Expected a call that Keras 3 can make, got {entry.class_name} '{entry.path}' on "
                f"{shapes} with {sorted(kwargs)}: {err}. Replace this layer in the source."
            ) from err

    def layer(self, leaf: Leaf, args: Any, kwargs: dict[str, Any], training: bool | None) -> Any:
        """Output of a Keras layer and of what is applied after it."""
        if leaf.inner is not None and leaf.layer is None:
            inner = self.model(leaf.inner, leaf.inner.name)
            leaf.layer = keras.layers.TimeDistributed(
                inner, name=leaf.name.replace("/", "_"), dtype="float32"
            )
        layer = leaf.layer
        if layer is None:
            raise ReadError(f"Expected a layer to call, got {leaf.class_name} '{leaf.path}'.")
        if isinstance(layer, _RECURRENT) and isinstance(args, list):
            kwargs["initial_state"] = args[1:]
            args = args[0]
        if isinstance(layer, keras.layers.MultiHeadAttention):
            args, kwargs = _attention(args, kwargs)
        accepted = inspect.signature(layer.call).parameters
        kwargs.pop("training", None)
        if training is not None and "training" in accepted:
            kwargs["training"] = bool(training)
        self.allow(leaf, layer, args)
        mask = self.masks.arguments(layer, args, kwargs)
        output = layer(args, **kwargs)
        self.masks.keep(output, mask)
        for after in leaf.after:
            output = after(output)
            self.masks.keep(output, mask)
        return output

    def allow(self, leaf: Leaf, layer: keras.layers.Layer, args: Any) -> None:
        """Refuses a layer whose weights would outnumber what the file holds."""
        if leaf in self.done:
            return
        self.done.add(leaf)
        shape = getattr(next(flat(args), None), "shape", ())
        need = numbers(layer, shape)
        self.left -= need
        if self.left < 0:
            raise ReadError(
                f"Expected layers with no more weights than the file holds, got {leaf.class_name} "
                f"'{leaf.path}' that declares {need} more. The file is damaged or incomplete."
            )


def _keeps_structure(entry: Leaf | Network) -> bool:
    """Whether a list of one tensor is a list to this entry: only TensorFlow functions care."""
    return isinstance(entry, Leaf) and entry.class_name in ("TFOpLambda", "SlicingOpLambda")


def _attention(args: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The query alone, with value and key by name."""
    given = args if isinstance(args, list) else [args]
    named = dict(zip(("value", "key"), given[1:], strict=False))
    return given[0], named | kwargs


def _is_input(entry: Leaf | Network) -> bool:
    return isinstance(entry, Leaf) and entry.class_name == "InputLayer"


def _inputs(network: Network) -> Any:
    """Keras inputs in the structure of the network's own."""
    if network.class_name != "Sequential":
        return _bound(network.inputs, _KerasInputs(network))
    first = next(iter(network.entries.values()))
    if isinstance(first, Network):
        return _inputs(first)
    if first.class_name == "InputLayer":
        return _input(first)
    if network.inputs is None:
        raise ReadError(
            f"Expected the input shape of {network.name}, got a Sequential model that was saved "
            "before it was built. Call it once on data, then save it again."
        )
    dtype = "int32" if first.class_name == "Embedding" else "float32"
    return keras.Input(batch_shape=tuple(network.inputs), dtype=dtype)


class _KerasInputs(dict[tuple[str, int], list[Any]]):
    """Makes the Keras input of an InputLayer when it is asked for."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def __missing__(self, key: tuple[str, int]) -> list[Any]:
        entry = self.network.entries[key[0]]
        if not isinstance(entry, Leaf) or entry.class_name != "InputLayer":
            raise ReadError(f"Expected an InputLayer as input of the network, got '{key[0]}'.")
        self[key] = [_input(entry)]
        return self[key]


def _input(leaf: Leaf) -> Any:
    config = plain(leaf.config)
    shape = config.get("batch_input_shape") or config.get("batch_shape")
    if shape is None or config.get("sparse") or config.get("ragged"):
        kind = "sparse or ragged tensors" if shape is not None else "no shape"
        raise ReadError(
            f"Expected an input with a shape, got '{leaf.name}' with {kind}. "
            "Save the network with a dense input."
        )
    dtype = config.get("dtype") or "float32"
    dtype = "float32" if not isinstance(dtype, str) or dtype in _FLOATS else dtype
    return keras.Input(batch_shape=tuple(shape), dtype=dtype, name=leaf.name.replace("/", "_"))


def _outputs(entry: Leaf | Network, output: Any) -> list[Any]:
    """Outputs as they are numbered; a shape is one output, not one for each size."""
    if isinstance(entry, Leaf) and entry.function is not None and isinstance(output, tuple):
        return [output]
    return list(flat(output))


def _bound(structure: Any, values: Mapping[tuple[str, int], list[Any]]) -> Any:
    """The structure with tensors for the references."""
    if isinstance(structure, Ref):
        return values[structure.layer, structure.node][structure.tensor]
    if isinstance(structure, list):
        return [_bound(item, values) for item in structure]
    if isinstance(structure, dict):
        return {key: _bound(item, values) for key, item in structure.items()}
    return structure


def _bare(structure: Any) -> Any:
    """The tensor out of a list of one."""
    while isinstance(structure, list) and len(structure) == 1:
        structure = structure[0]
    return structure
