"""Goes through a Keras graph from the inputs on, and has every layer and operation written.

    nested model             walked in place
    layer with a writer      its writer
    operation of keras.ops   its writer
    any other layer          its `call` is traced to operations of keras.ops, and these are written

What cannot be written is noted in `Graph.unwritten`, and the walk goes on: all of it comes to
light at once.
"""

import contextlib
import inspect
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from converters.keras_to_onnx.graph import Graph
from converters.keras_to_onnx.masks import hand_on, with_masks
from converters.keras_to_onnx.parts.align import number
from converters.keras_to_onnx.registry import LAYERS, OPERATIONS, Writer
from converters.keras_to_onnx.value import Spec, UnwrittenError, Value, spec_of, straight
from converters.nested import graph_of


def walk(g: Graph, function: Any, inputs: Sequence[Value]) -> list[Value]:
    """The outputs of a Functional model or a keras.Function, written into the graph."""
    known: dict[int, Any] = {}
    respecified = False
    for tensor, value in zip(function.inputs, inputs, strict=True):
        known[id(tensor)] = value
        respecified |= tuple(tensor.shape) != value.shape
    by_depth = function._nodes_by_depth
    for depth in sorted(by_depth, reverse=True):
        for node in by_depth[depth]:
            if node.is_input or not node.operation:
                continue
            args, kwargs = node.arguments.fill_in(known)
            outs = [spec_of(tensor) for tensor in node.outputs]
            if respecified:
                outs = _specified_again(node.operation, args, kwargs)
            values = _written(g, node.operation, outs, args, kwargs)
            known.update(zip(map(id, node.outputs), values, strict=True))
    return [known[id(tensor)] for tensor in function.outputs]


def call(g: Graph, op: Any, x: Value) -> Value:
    """One layer on one value, as a writer of another layer needs it."""
    return _written(g, op, _specified_again(op, (x,), {}), (x,), {})[0]


def trace(g: Graph, function: Callable[..., Any], *args: Any, **kwargs: Any) -> list[Value]:
    """What a function made of keras.ops gives for these values, written into the graph."""
    import keras

    fed: list[tuple[Any, Value]] = []

    def stand_in(leaf: Any) -> Any:
        if not isinstance(leaf, Value):
            return leaf
        fed.append((keras.Input(batch_shape=leaf.shape, dtype=leaf.dtype), leaf))
        return fed[-1][0]

    args, kwargs = keras.tree.map_structure(stand_in, (args, kwargs))
    try:
        outputs = keras.tree.flatten(function(*args, **kwargs))
    except (TypeError, ValueError, AttributeError, NotImplementedError) as err:
        raise UnwrittenError(f"it cannot be taken apart into keras.ops ({err})") from err
    inputs = [tensor for tensor, _ in fed]
    made = [o for o in outputs if keras.backend.is_keras_tensor(o)]
    new = [o for o in made if not any(o is tensor for tensor in inputs)]
    found = {id(tensor): value for tensor, value in fed}
    if new:
        written = walk(g, keras.Function(inputs, new), [value for _, value in fed])
        found.update(zip(map(id, new), written, strict=True))
    return [found[id(o)] if id(o) in found else number(g, o) for o in outputs]


def _written(
    g: Graph, op: Any, outs: list[Spec], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> list[Value]:
    """The operation's outputs; where it cannot be written, the note of it and hollow values."""
    import keras

    with g.scoped(op.name, owner=isinstance(op, keras.layers.Layer)):
        noted = len(g.unwritten)
        try:
            if isinstance(op, keras.Model) and graph_of(op) is not None:
                fed = [leaf for leaf in keras.tree.flatten((args, kwargs)) if _is_value(leaf)]
                return walk(g, graph_of(op), fed)
            # As a call of the model with training=False overrides it, wherever it was given.
            kwargs = {name: value for name, value in kwargs.items() if name != "training"}
            return _by_writer(g, op, outs, args, kwargs)
        except UnwrittenError as err:
            if len(g.unwritten) == noted:
                g.unwritten.setdefault(type(op).__name__, []).append(f"{g.scope}: {err}")
            return [Value("?", out.shape, out.dtype, straight(len(out.shape))) for out in outs]


def _by_writer(
    g: Graph, op: Any, outs: list[Spec], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> list[Value]:
    import keras

    is_layer = isinstance(op, keras.layers.Layer)
    if is_layer:
        kwargs = with_masks(g.masks, op, args, kwargs)
    writer = _writer_of(op)
    if writer is not None:
        made: Any = writer(g, op, outs[0] if len(outs) == 1 else outs, *args, **kwargs)
    else:
        made = _taken_apart(g, op, args, kwargs)
    values = [made] if isinstance(made, Value) else list(made)
    if is_layer:
        hand_on(g.masks, op, args, kwargs, values, partial(trace, g))
    return values


def _writer_of(op: Any) -> Writer | None:
    """The writer of the class, or of the Keras class whose `call` a subclass has kept."""
    import keras

    table = LAYERS if isinstance(op, keras.layers.Layer) else OPERATIONS
    kinds: list[Any] = list(type(op).__mro__)
    for kind in kinds:
        ours = kind.__module__.partition(".")[0] == "keras" and kind.__name__ in table
        if ours and type(op).call is kind.call:
            return table[kind.__name__]
    return None


def _taken_apart(g: Graph, op: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Value]:
    import keras

    if not isinstance(op, keras.layers.Layer):
        raise UnwrittenError("this operation of keras.ops has no writer")
    accepted = inspect.signature(op.call).parameters
    kwargs = {name: value for name, value in kwargs.items() if name in accepted}
    with _left_alone(op):
        return trace(g, op.call, *args, **(kwargs | _inference(op.call)))


def _inference(function: Callable[..., Any]) -> dict[str, bool]:
    return {"training": False} if "training" in inspect.signature(function).parameters else {}


@contextlib.contextmanager
def _left_alone(layer: Any) -> Iterator[None]:
    """After the block, no layer inside remembers that it was called on a stand-in."""
    inside = layer._flatten_layers(include_self=True, recursive=True)
    before = [(sub, len(sub._inbound_nodes)) for sub in inside]
    try:
        yield
    finally:
        for sub, count in before:
            del sub._inbound_nodes[count:]


def _specified_again(op: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Spec]:
    """Output shapes for the shapes that the values have here, not where the model was built."""
    import keras

    def hollow(leaf: Any) -> Any:
        return keras.KerasTensor(leaf.shape, leaf.dtype) if _is_value(leaf) else leaf

    args, kwargs = keras.tree.map_structure(hollow, (args, kwargs))
    return [
        spec_of(tensor) for tensor in keras.tree.flatten(op.compute_output_spec(*args, **kwargs))
    ]


def _is_value(leaf: Any) -> bool:
    return isinstance(leaf, Value)


def traced_model(model: Any, inputs: Sequence[Any]) -> Any:
    """The graph of a model that is code, for inputs of these shapes; the batch is open."""
    import keras

    fed = [keras.Input(array.shape[1:], dtype=str(array.dtype)) for array in inputs]
    with _left_alone(model):
        outputs = model.call(fed[0] if len(fed) == 1 else fed, **_inference(model.call))
        return keras.Function(fed, outputs)
