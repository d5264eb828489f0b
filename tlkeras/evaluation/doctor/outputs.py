"""What comes out: numbers, their dtype, probabilities or logits, and whether classes have names."""

import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from tlkeras.evaluation.doctor.diagnosis import Symptom, counted, listed
from tlkeras.evaluation.doctor.patient import Patient

NARROW_FLOATS = ("float16", "bfloat16")
_NUMBERED = re.compile(r"(dense|activation|softmax|flatten|reshape|conv2d|global_\w+)(_\d+)?")
PICTURES = 8
_SURE = 0.999
_ONE_ANSWER = 1e-6  # of the largest number in it: float32 rounds to about as much


def outputs(patient: Patient) -> Iterator[Symptom]:
    """Weights that are no numbers, and an output that says something else than is meant.

    Example::

        list(outputs(Patient(model, "mine", {}, class_names=("cat", "dog"))))
    """
    yield from _not_numbers(patient)
    yield from _fixed_batch(patient)
    if not _is_classifier(patient):
        return
    yield from _dtype(patient)
    yield from _activation(patient)
    yield from _labels(patient)
    yield from _dead(patient)


def _is_classifier(patient: Patient) -> bool:
    """Whether its one output is (n, c)."""
    shape = getattr(patient.model, "output_shape", None)
    return isinstance(shape, tuple) and len(shape) == 2 and shape[1] is not None


def _not_numbers(patient: Patient) -> Iterator[Symptom]:
    broken = []
    for leaf in patient.leaves:
        floats = [each for each in leaf.layer.weights if "float" in str(each.dtype)]
        if any(not np.isfinite(np.asarray(each, np.float32)).all() for each in floats):
            broken.append(leaf.path)
    if broken:
        yield Symptom(
            "not-a-number",
            "error",
            f"NaN or infinity in the weights of {counted(broken)}",
            "the training diverged: take an earlier checkpoint, lower the learning rate",
            tuple(broken),
        )


def _fixed_batch(patient: Patient) -> Iterator[Symptom]:
    shape = getattr(patient.model, "input_shape", None)
    if isinstance(shape, tuple) and shape and shape[0] is not None:
        yield Symptom(
            "fixed-batch",
            "warning",
            f"it takes {shape[0]} {'input' if shape[0] == 1 else 'inputs'} a call, no more and no "
            "fewer",
            "build it again from keras.Input(shape) without batch_size, and set the weights",
        )


def _dtype(patient: Patient) -> Iterator[Symptom]:
    last = patient.leaves[-1] if patient.leaves else None
    dtype = str(getattr(last.layer, "compute_dtype", "")) if last else ""
    if last and dtype in NARROW_FLOATS:
        yield Symptom(
            "output-dtype",
            "error",
            f"'{last.path}' gives {dtype}: probabilities below 6e-5 are lost, and clients that "
            "expect float32 fail",
            "give the last layer dtype='float32'; the rest may stay as it is",
            (last.path,),
        )


def _activation(patient: Patient) -> Iterator[Symptom]:
    ends = _ends(patient)
    columns = patient.model.output_shape[1]
    name = ends[0][0] if ends else patient.model.name
    softmaxes = [layer for layer, kind in ends if kind == "softmax"]
    kind = next((kind for _, kind in ends if kind != "linear"), "linear")
    if len(softmaxes) > 1:
        yield Symptom(
            "softmax-twice",
            "error",
            f"{listed(softmaxes)} are softmax after softmax: with {columns} classes no probability "
            f"can be above {np.e / (np.e + columns - 1):.2f}",
            "keep one of them",
            tuple(softmaxes),
        )
    if columns == 1 and kind == "softmax":
        yield Symptom(
            "softmax-of-one",
            "error",
            f"'{name}' is a softmax over one column, which is 1 whatever comes in",
            "for two classes take Dense(2, activation='softmax') or Dense(1, "
            "activation='sigmoid') with binary_crossentropy",
            (name,),
        )
    yield from _loss(patient, kind, name)
    if kind == "linear" and columns > 1 and patient.class_names:
        yield Symptom(
            "logits",
            "info",
            f"'{name}' gives logits, no probabilities",
            "add keras.layers.Softmax(dtype='float32') before it is served",
            (name,),
        )


def _ends(patient: Patient) -> list[tuple[str, str]]:
    """The last layers and their activations, from the output back to the one that learns.

    A layer that learns gives its own activation, and ends the list.
    """
    found = []
    for leaf in reversed(patient.leaves):
        kind = type(leaf.layer).__name__
        activation = getattr(getattr(leaf.layer, "activation", None), "__name__", "linear")
        said = "softmax" if kind == "Softmax" else activation
        if not leaf.learns and kind not in ("Softmax", "Activation", "Dropout", "Identity"):
            break
        found.append((leaf.path, said))
        if leaf.learns:
            break
    return found


def _loss(patient: Patient, kind: str, name: str) -> Iterator[Symptom]:
    loss, from_logits = _loss_of(patient)
    if "crossentropy" not in loss:
        return
    binary = loss.startswith("binary")
    probabilities = ("sigmoid",) if binary else ("softmax",)
    if from_logits and kind in ("softmax", "sigmoid"):
        yield Symptom(
            "loss-of-logits",
            "error",
            f"the loss {loss} is told from_logits=True, and '{name}' ends in {kind}: that is "
            "applied twice",
            f"from_logits=False, or take the {kind} off the last layer",
            (name,),
        )
    elif not from_logits and kind not in probabilities:
        wanted = probabilities[0]
        yield Symptom(
            "loss-of-logits",
            "error",
            f"the loss {loss} expects probabilities, and '{name}' ends in "
            f"{'no activation' if kind == 'linear' else kind}",
            f"from_logits=True in the loss, or {wanted} in the last layer"
            if kind == "linear"
            else f"{wanted} in the last layer, or a loss that goes with {kind}",
            (name,),
        )


def _loss_of(patient: Patient) -> tuple[str, bool]:
    """Name of the loss in small letters, and whether it is told that it gets logits."""
    said = patient.compiled.get("loss")
    if isinstance(said, dict) and "class_name" in said:
        config = said.get("config")
        settings: dict[str, Any] = config if isinstance(config, dict) else {}
        name = str(config) if isinstance(config, str) else str(said["class_name"])
        return _plain_name(name), bool(settings.get("from_logits", False))
    return (_plain_name(said), False) if isinstance(said, str) else ("", False)


def _plain_name(name: str) -> str:
    return name.replace("_", "").lower()


def _labels(patient: Patient) -> Iterator[Symptom]:
    columns = patient.model.output_shape[1]
    known = patient.class_names
    # One column with a sigmoid tells two classes apart.
    if known is not None and len(known) != columns and not (columns == 1 and len(known) == 2):
        yield Symptom(
            "labels",
            "error",
            f"{columns} columns and {len(known)} class names: nobody can say which is which",
            "give the names in the order of the columns, or build the head for these classes: "
            f"tl.adapt(model, classes={len(known)})",
        )
    last = patient.leaves[-1].layer.name if patient.leaves else ""
    if known is None:
        yield Symptom(
            "no-labels",
            "info",
            f"no class names for its {columns} columns: the file cannot hold them",
            "keep a labels.txt beside it, a name a line; tlkeras' run folders and exports have one",
        )
    elif _NUMBERED.fullmatch(last) and not patient.takes_rgb:
        yield Symptom(
            "output-name",
            "info",
            f"its output is called '{last}', which is what an export calls it too",
            "name the last layer, such as name='probabilities'",
            (last,),
        )


def _dead(patient: Patient) -> Iterator[Symptom]:
    """Real pictures that all get one answer."""
    if patient.pixels is None or not patient.takes_pictures or len(patient.pixels) < 2:
        return
    try:
        given = np.asarray(patient.model(patient.pixels[:PICTURES], training=False), np.float64)
    except Exception:  # a class of its author's own
        return
    apart, largest = float(np.ptp(given, axis=0).max()), float(np.abs(given).max())
    # Pictures of one class may all get it with a probability of 1.
    certain = _SURE < largest <= 1 + _ONE_ANSWER and given.min() >= 0
    if np.isfinite(given).all() and apart <= _ONE_ANSWER * largest and not certain:
        yield Symptom(
            "one-answer",
            "error",
            f"all {len(given)} pictures get the very same answer",
            "its units are dead or its weights were not loaded: see how pixels are scaled, and "
            "train with a lower learning rate",
        )
