"""A Keras 2 model config → Network, with every layer translated, or all that cannot be at once."""

from collections.abc import Iterator
from typing import Any

from converters.errors import ReadError, UnsupportedError
from converters.tf_to_keras.keras2 import order
from converters.tf_to_keras.keras2.translate import layers, ops, raw_ops
from converters.tf_to_keras.keras2.tree import (
    Call,
    Json,
    Leaf,
    Network,
    Ref,
    UntranslatableError,
    plain,
)

MODELS = frozenset(("Functional", "Model", "Sequential", "Network"))
MAX_LAYERS = 20_000
MAX_NESTING = 16
_CONSTANT = "_CONSTANT_VALUE"
_OWN_MODULES = ("keras", "tf_keras", "builtins")


def parse(config: Json) -> Network:
    """The network of a config; raises UnsupportedError that lists all that has no counterpart."""
    reader = _Reader()
    network = reader.network(config, path="", depth=0)
    if reader.unsupported:
        found = "; ".join(
            f"{what} ({len(where)}: {', '.join(where[:3])}{', …' if len(where) > 3 else ''})"
            for what, where in sorted(reader.unsupported.items())
        )
        raise UnsupportedError(
            "Expected Keras 2's built-in layers with settings that Keras 3 has, got also "
            f"{found}. Code in a file is never run. Load the network where its code is (Keras 2 "
            "with custom_objects), replace these layers with built-in ones, or write it as a "
            "SavedModel and convert that.",
            {what: list(where) for what, where in reader.unsupported.items()},
        )
    return network


class _Reader:
    """Names taken, layers counted and unsupported ones found, over all nested models."""

    def __init__(self) -> None:
        self.unsupported: dict[str, list[str]] = {}
        self.taken: set[str] = set()
        self.count = 0

    def network(self, said: Json, path: str, depth: int) -> Network:
        """One model with its layers; `path` is "" for the outermost."""
        if depth > MAX_NESTING:
            raise ReadError(
                f"Expected models nested at most {MAX_NESTING} deep, got more. "
                "The file is damaged or made to exhaust memory."
            )
        class_name, config = said["class_name"], said["config"]
        if isinstance(config, list):  # Sequential of Keras before 2.2.3
            config = {"layers": config}
        name = str(said.get("name") or config.get("name") or class_name.lower())
        trainable = config.get("trainable", True) is not False
        network = Network(name, path, class_name, trainable)
        for number, one in enumerate(config["layers"]):
            own = str(one.get("name") or one["config"].get("name") or f"layer_{number}")
            if own in network.entries:
                own = f"{own}_{number}"
            network.entries[own] = self.entry(one, own, f"{path}/{own}" if path else own, depth)
        if class_name == "Sequential":
            network.inputs = _sequential_input(network, said, config)
        else:
            self.wire(network, config)
        return network

    def entry(self, said: Json, name: str, path: str, depth: int) -> Leaf | Network:
        """One layer or nested model."""
        self.count += 1
        if self.count > MAX_LAYERS:
            raise ReadError(
                f"Expected at most {MAX_LAYERS} layers, got more. "
                "The file is damaged or made to exhaust memory."
            )
        class_name, config = said["class_name"], said["config"]
        if class_name in MODELS:
            return self.network(said | {"name": name}, path, depth + 1)
        trainable = config.get("trainable", True) is not False
        leaf = Leaf(name, path, class_name, config, trainable)
        try:
            if _is_custom(said):
                raise UntranslatableError(f"custom layer {said.get('registered_name')}")
            if class_name != "InputLayer":
                self.translate(leaf, said, depth)
        except UntranslatableError as err:
            self.unsupported.setdefault(str(err), []).append(path)
        return leaf

    def translate(self, leaf: Leaf, said: Json, depth: int) -> None:
        """Fills in what the leaf is in Keras 3."""
        config = leaf.config
        if leaf.class_name in ("TFOpLambda", "SlicingOpLambda"):
            leaf.function = ops.find(str(config["function"]))
            if leaf.function is None:
                raise UntranslatableError(f"tf.{config['function']}")
        elif leaf.class_name == "TensorFlowOpLayer":
            leaf.function = raw_ops.find(config)
        elif leaf.class_name == "TimeDistributed" and config["layer"]["class_name"] in MODELS:
            leaf.inner = self.network(config["layer"], leaf.path, depth + 1)
        else:
            made = layers.translate(leaf.class_name, config, self.name(leaf))
            leaf.layer, leaf.after, leaf.adapt = made.layer, made.after, made.adapt

    def name(self, leaf: Leaf) -> str:
        """A layer name for Keras 3: the leaf's own, with the way to it where that is taken."""
        stem = name = leaf.name.replace("/", "_")
        outer = leaf.path.removesuffix(leaf.name).strip("/").split("/")
        while name in self.taken and outer and outer[-1]:
            stem = name = f"{outer.pop()}_{name}"
        number = 0
        while name in self.taken:
            number += 1
            name = f"{stem}_{number}"
        self.taken.add(name)
        return name

    def wire(self, network: Network, config: Json) -> None:
        """Calls, inputs and outputs of a Functional model."""
        known = network.entries
        calls = [
            Call(own, number, *_arguments(node, known))
            for own, one in zip(known, config["layers"], strict=True)
            for number, node in enumerate(one.get("inbound_nodes") or [])
        ]
        network.inputs = _refs(config["input_layers"], known)
        network.outputs = _refs(config["output_layers"], known)
        network.calls = order.sort(calls, network)


def _is_custom(said: Json) -> bool:
    """Whether the newer config format says that the class is nobody's but the author's."""
    module, registered = said.get("module"), said.get("registered_name")
    foreign = isinstance(module, str) and module.split(".")[0] not in _OWN_MODULES
    return foreign or (isinstance(registered, str) and ">" in registered)


def _sequential_input(network: Network, said: Json, config: Json) -> Any:
    """The InputLayer's name, or the input shape that the first layer or the model was built for."""
    first = next(iter(network.entries.values()), None)
    while isinstance(first, Network):  # a stack of models: the innermost one knows
        if first.class_name != "Sequential":
            return None
        first = next(iter(first.entries.values()), None)
    if first is None:
        raise ReadError(f"Expected layers in {network.name}, got none. Save the network again.")
    if first.class_name == "InputLayer":
        return None
    shape = first.config.get("batch_input_shape") or config.get("build_input_shape")
    return plain(shape or (said.get("build_config") or {}).get("input_shape"))


def _arguments(node: Any, known: Json) -> tuple[Any, Json]:
    """Arguments and keyword arguments of one call."""
    kwargs: Json = {}

    def read(value: Any) -> Any:
        if _is_ref(value, known):
            if len(value) > 3 and isinstance(value[3], dict):
                kwargs.update(value[3])
            return value[2] if value[0] == _CONSTANT else Ref(*value[:3])
        if isinstance(value, dict):
            return {key: read(item) for key, item in value.items()}
        if not isinstance(value, list | tuple):  # a text holds itself: reading on would not end
            raise ReadError(
                "Expected calls of a layer as lists of [layer, call, tensor] that name layers of "
                f"the network, got {value!r:.80}. The file is damaged: save the network again."
            )
        return [read(item) for item in value]

    args = read(node)
    return args, {key: _refs(plain(value), known) for key, value in kwargs.items()}


def _refs(value: Any, known: Json) -> Any:
    """A structure with its references to tensors read; the rest as it is."""
    if _is_ref(value, known):
        return value[2] if value[0] == _CONSTANT else Ref(*value[:3])
    if isinstance(value, list):
        return [_refs(item, known) for item in value]
    if isinstance(value, dict):
        return {key: _refs(item, known) for key, item in value.items()}
    return value


def _is_ref(value: Any, known: Json) -> bool:
    if not isinstance(value, list | tuple) or len(value) not in (3, 4):
        return False
    if not isinstance(value[0], str) or not isinstance(value[1], int):
        return False
    return value[0] in known or (value[0] == _CONSTANT and value[1] == -1)


def flat(structure: Any) -> Iterator[Any]:
    """The items of nested lists and dicts, dicts by sorted key as TensorFlow flattens them."""
    if isinstance(structure, dict):
        for key in sorted(structure):
            yield from flat(structure[key])
    elif isinstance(structure, list) or type(structure) is tuple:
        for item in structure:
            yield from flat(item)
    else:
        yield structure
