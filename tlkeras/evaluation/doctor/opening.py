"""A model file → the model, with no code in it run; what stands in the way is a symptom itself.

.keras (zip)  config.json ┐
                          ├─ read as text ─ code, classes of others? ─▶ Keras, in safe mode
.h5           model_config┘
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tlkeras.errors import DataError, WeightsError
from tlkeras.evaluation.doctor.diagnosis import Symptom, listed

if TYPE_CHECKING:
    import keras

_CODE = ("Lambda", "__lambda__")
_PLAIN = ("Functional", "TensorShape", "DTypePolicy", "Policy")


@dataclass(frozen=True, eq=False)
class Opened:
    """A file that was looked at.

    Attributes:
        model: None where it was not opened.
        compiled: the compile configuration in it; empty without.
        symptoms: what was found on the way.
    """

    model: "keras.Model | None"
    compiled: dict[str, Any] = field(default_factory=dict)
    symptoms: tuple[Symptom, ...] = ()


def opened(path: Path) -> Opened:
    """What a .keras or .h5 file holds; code in it is told and never run.

    Raises:
        DataError: there is no such file, or it is of another kind.

    Example::

        opened(Path("flowers.keras")).model
    """
    if not path.is_file() or path.suffix.lower() not in (".keras", ".h5", ".hdf5"):
        raise DataError(
            f"The doctor looks at a .keras or .h5 file, or at a run folder. Received: {path}, "
            f"which is {'of another kind' if path.exists() else 'not there'}. Convert a network "
            "of another framework first: tlkeras convert IN OUT.keras."
        )
    try:
        config, compiled = _configs(path)
    except _NoModel as reason:
        return Opened(None, {}, (_unreadable(path, str(reason)),))
    symptoms = tuple(_code(config))
    if symptoms:
        return Opened(None, compiled, symptoms)
    from tlkeras.backbones.foreign.doors import open_keras

    try:
        return Opened(open_keras(path), compiled)
    except WeightsError as err:
        return Opened(None, compiled, (_unreadable(path, str(err.__cause__ or err)),))


class _NoModel(Exception):  # noqa: N818 - told as a symptom
    """Why there is no model in the file."""


def _configs(path: Path) -> tuple[object, dict[str, Any]]:
    """The model's configuration and its compile configuration, as plain values."""
    from tlkeras.backbones.foreign.doors import configs

    try:
        config, compiled = configs(path)
    except WeightsError as err:
        raise _NoModel(str(err)) from err
    return config, _mapping(compiled)


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _unreadable(path: Path, reason: str) -> Symptom:
    reason = (reason.strip() or "no reason given").splitlines()[0][:400]
    weights_only = "weights only" in reason
    return Symptom(
        "weights-only" if weights_only else "unreadable",
        "error",
        f"{path.name} does not open: {reason}",
        f"name its backbone and give it as weights: tl.ImageClassifier(…, weights={path.name!r})"
        if weights_only
        else "save or download it again; an old file may need the Keras it was saved with",
    )


def _code(config: object) -> Iterator[Symptom]:
    found = list(dict.fromkeys(_foreign(config)))
    code = [name for kind, name in found if kind == "code"]
    classes = [name for kind, name in found if kind == "class"]
    if code:
        yield Symptom(
            "code-inside",
            "error",
            f"Python code is stored in the file, in {listed(code)}: it was not run, and the file "
            "not opened",
            "build the same from keras.layers and keras.ops in the program that made it, and save "
            "again",
            tuple(code),
        )
    if classes:
        yield Symptom(
            "custom-class",
            "error",
            f"classes that Keras does not have: {listed(classes)}; the file opens only where "
            "their author's program is at hand",
            "build the same from keras.layers, or import the classes and give the model itself: "
            "tl.doctor(model)",
            tuple(classes),
        )


def _foreign(entry: object) -> Iterator[tuple[str, str]]:
    """(code or class, its name) of every object in a configuration that is not Keras' own."""
    if isinstance(entry, list):
        for item in entry:
            yield from _foreign(item)
    if not isinstance(entry, dict):
        return
    kind = entry.get("class_name")
    if isinstance(kind, str):
        config = entry.get("config")
        name = str(config.get("name") or kind) if isinstance(config, dict) else kind
        module = str(entry.get("module") or "")
        if kind in _CODE:
            yield "code", name
            return
        registered = ">" in str(entry.get("registered_name") or "")
        if module and module.split(".")[0] not in ("keras", "builtins"):
            yield "class", f"{module}.{kind}"
            return
        if module == "builtins" and kind == "function":
            yield "class", str(config)
            return
        if not module and (registered or not _known(kind)):
            yield "class", kind
            return
    for item in entry.values():
        yield from _foreign(item)


def _known(kind: str) -> bool:
    """Whether a Keras 2 configuration, which names no module, means a class of Keras."""
    import keras

    places = (keras, keras.layers, keras.initializers, keras.regularizers, keras.constraints)
    known = any(hasattr(place, kind) for place in (*places, keras.losses, keras.optimizers))
    return known or kind.startswith("__") or kind in _PLAIN
