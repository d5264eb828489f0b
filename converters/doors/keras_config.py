"""What a Keras configuration asks for, told by names alone: nothing in it is imported or built.

    {"module": "keras.layers", "class_name": "Dense", …}       Keras' own: may be built
    {"module": "subprocess", "class_name": "Popen", …}         anything else: refused
    {"class_name": "Lambda", …}                                code, or a way to files: refused

Keras looks up classes and functions by these names. Its own list of what it refuses has grown
with every hole that was found; here only the rooms that layers are made of are let through.
"""

from collections.abc import Iterator, Mapping

CODE = frozenset({"Lambda", "__lambda__"})
# They run a program of another framework, or unpickle one.
PROGRAMS = frozenset({"TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer", "__typespec__"})
# Layers whose vocabulary may be the path of a file that they read.
_WITH_FILES = ("vocabulary", "idf_weights")
_ROOMS = frozenset({
    "activations", "constraints", "dtype_policies", "initializers", "layers", "losses", "metrics",
    "models", "ops", "optimizers", "quantizers", "random", "regularizers",
})  # fmt: skip
# What Keras puts into its outermost module.
_TOP = frozenset({
    "Function", "Functional", "Initializer", "KerasTensor", "Layer", "Loss", "Metric", "Model",
    "Operation", "Optimizer", "Quantizer", "Regularizer", "Sequential", "Variable",
})  # fmt: skip
_FUNCTIONS = ("activations", "ops")


def refused_objects(config: object) -> tuple[str, ...]:
    """Objects of a configuration that Keras must not be asked for, as text, each once.

    Args:
        config: of a model, as read from JSON. How it was compiled is not looked at, since no
            model is compiled when it is opened here.

    >>> refused_objects({"module": "keras.layers", "class_name": "Dense", "config": {"units": 3}})
    ()
    >>> refused_objects({"module": "os", "class_name": "function", "config": "system"})
    ('function system of os',)
    """
    outer = config if isinstance(config, Mapping) else {"": config}
    inner = {name: value for name, value in outer.items() if name != "compile_config"}
    return tuple(dict.fromkeys(_refused(inner)))


def _refused(config: object) -> Iterator[str]:
    waiting: list[object] = [config]
    while waiting:
        entry = waiting.pop()
        if isinstance(entry, list):
            waiting += reversed(entry)
        elif isinstance(entry, Mapping):
            found = _finding(entry)
            if found:
                yield found
            else:
                waiting += reversed(list(entry.values()))


def _finding(entry: Mapping[str, object]) -> str:
    """What is wrong with one object of a configuration; "" for nothing."""
    kind = entry.get("class_name")
    if kind is None:
        return ""
    config = entry.get("config")
    name = config.get("name", "") if isinstance(config, Mapping) else str(config)[:80]
    told = f"{str(kind)[:80]} {str(name)[:80]}".strip()
    if not isinstance(kind, str) or kind in CODE or kind in PROGRAMS:
        return told
    if isinstance(config, Mapping) and any(isinstance(config.get(k), str) for k in _WITH_FILES):
        return f"{told} with a vocabulary in another file"
    if ">" in str(entry.get("registered_name") or "").removeprefix("keras>"):
        return told
    if "module" not in entry:  # tensors, arrays, dtypes; a layer of Keras 2, told by name alone
        return ""
    module = str(entry["module"] or "")
    if _is_keras(module, kind):
        return ""
    # A function's own name says more than that it is one.
    return told if module in ("", "builtins") else f"{told} of {module[:80]}"


def _is_keras(module: str, kind: str) -> bool:
    steps = module.split(".")
    if steps[0] == "builtins":
        return len(steps) == 1 and kind != "function"
    if steps[:2] == ["keras", "src"]:
        steps = ["keras", *steps[2:]]
    if steps[0] != "keras":
        return False
    if len(steps) == 1:
        return kind in _TOP or kind.endswith("DTypePolicy")
    return steps[1] in (_FUNCTIONS if kind == "function" else _ROOMS)
