"""BatchNormalization: which statistics it runs on, and whether they are worth anything.

The commonest cause of a model that is good in training and bad in use.
"""

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np

from tlkeras.evaluation.doctor.diagnosis import Symptom, counted, listed
from tlkeras.evaluation.doctor.patient import Leaf, Patient

NORM = "BatchNormalization layer"
FASTEST = 0.5
DIFFERENT = 1e-3
"""How much of the largest answer an answer must change by to be called another one."""


def batchnorm(patient: Patient) -> Iterator[Symptom]:
    """Layers in the wrong mode, with statistics of no training, or that will drift.

    Example::

        list(batchnorm(Patient(model, "mine", {})))
    """
    yield from _mode(patient)
    yield from _untouched(patient)
    yield from _folded(patient)
    yield from _momentum(patient)
    yield from _trains_alone(patient)


def _mode(patient: Patient) -> Iterator[Symptom]:
    """Whether a call without `training` answers as in inference; with Resizing it may not (P6)."""
    said = [leaf for leaf in patient.leaves if _said_training(leaf)]
    told = _called_plainly(patient)
    culprits = f" ({listed(_paths(said))} was built with training=True)" if said else ""
    if told == "random":
        yield Symptom(
            "answers-random",
            "warning",
            f"called twice without `training`, it answers twice differently{culprits}: dropout or "
            "augmentation is on",
            "call predict or model(x, training=False); build such a layer without training=True",
            _paths(said),
        )
    elif told == "training" and patient.norms:
        yield Symptom(
            "batchnorm-mode",
            "error",
            "called without `training` it does not answer as in inference: BatchNormalization "
            f"runs on the statistics of the batch{culprits}",
            "build that layer with training=False, which Resizing needs said: "
            "Resizing(…)(x, training=False); until then use predict or model(x, training=False)",
            _paths(said),
        )


def _said_training(leaf: Leaf) -> bool:
    """Whether the graph calls it with training=True."""
    nodes = getattr(leaf.layer, "_inbound_nodes", [])
    return any(node.arguments.kwargs.get("training") is True for node in nodes)


def _called_plainly(patient: Patient) -> Literal["inference", "training", "random"] | None:
    """How it answers when `training` is not said; None where it can't be called."""
    inputs = patient.inputs
    if inputs is None:
        return None
    try:
        plain, again, inference = (
            _flat(patient.model(inputs, **said)) for said in ({}, {}, {"training": False})
        )
    except Exception:  # a model of its author's own class may want other arguments
        return None
    least = DIFFERENT * (float(np.abs(inference).max()) or 1.0)
    if float(np.abs(plain - again).max()) > least:
        return "random"
    return "training" if float(np.abs(plain - inference).max()) > least else "inference"


def _flat(outputs: Any) -> np.ndarray:
    import keras

    leaves = [np.asarray(each, np.float64).ravel() for each in keras.tree.flatten(outputs)]
    return np.nan_to_num(np.concatenate(leaves))


def _untouched(patient: Patient) -> Iterator[Symptom]:
    never = [leaf for leaf in patient.norms if _is_untouched(leaf) and not _is_shifted(leaf)]
    torn = [leaf for leaf in patient.norms if _is_untouched(leaf) and _is_shifted(leaf)]
    torn = [leaf for leaf in torn if not _is_folded(leaf)]
    if never and len(never) == len(patient.norms):
        yield Symptom(
            "never-trained",
            "info",
            "mean 0, variance 1, gamma 1, beta 0: no BatchNormalization layer saw a batch, "
            f"{len(never)} in all",
            "load pretrained weights, if it should have some",
            _paths(never),
        )
    elif never or torn:
        some = [*never, *torn]
        yield Symptom(
            "statistics-untouched",
            "warning",
            f"mean 0 and variance 1, as before any training, in {counted(_paths(some), NORM)}, of "
            f"{len(patient.norms)}",
            "see that all weights were loaded; train these layers with training=True, or drop them",
            _paths(some),
        )


def _folded(patient: Patient) -> Iterator[Symptom]:
    folded = [leaf for leaf in patient.norms if _is_folded(leaf)]
    training = [leaf for leaf in folded if leaf.trains]
    if folded:
        yield Symptom(
            "statistics-folded",
            "warning" if patient.compiled and training else "info",
            "mean 0, variance 1 and gamma 1 with a trained beta, the statistics being folded into "
            f"the layer before: {counted(_paths(folded), NORM)}",
            "keep them frozen (tl.unfreeze does): in training mode they would normalise twice",
            _paths(folded),
        )


def _is_untouched(leaf: Leaf) -> bool:
    layer: Any = leaf.layer
    mean, variance = np.asarray(layer.moving_mean), np.asarray(layer.moving_variance)
    return bool(np.abs(mean).max(initial=0) == 0 and np.abs(variance - 1).max(initial=0) <= 2e-3)


def _is_shifted(leaf: Leaf) -> bool:
    """Whether gamma or beta were trained."""
    layer: Any = leaf.layer
    gamma = 1.0 if layer.gamma is None else np.asarray(layer.gamma)
    beta = 0.0 if layer.beta is None else np.asarray(layer.beta)
    return bool(np.abs(gamma - 1).max(initial=0) > 1e-6 or np.abs(beta).max(initial=0) > 1e-6)


def _is_folded(leaf: Leaf) -> bool:
    layer: Any = leaf.layer
    gamma = np.ones(1) if layer.gamma is None else np.asarray(layer.gamma)
    flat = float(np.abs(gamma - 1).max(initial=0)) <= 1e-6
    return _is_untouched(leaf) and _is_shifted(leaf) and flat


def _momentum(patient: Patient) -> Iterator[Symptom]:
    odd = [leaf for leaf in patient.norms if not FASTEST <= float(_of(leaf).momentum) < 1]
    if odd:
        value = float(_of(odd[0]).momentum)
        torch = value < FASTEST
        yield Symptom(
            "batchnorm-momentum",
            "warning",
            f"momentum {value:g}, at which "
            + (
                "each batch replaces most of the statistics (PyTorch's is 1 minus Keras')"
                if torch
                else "the statistics never move"
            )
            + f", in {counted(_paths(odd), NORM)}",
            f"momentum={1 - value:g}" if torch else "momentum=0.99",
            _paths(odd),
        )


def _trains_alone(patient: Patient) -> Iterator[Symptom]:
    """A norm that trains after a frozen layer: small data moves its statistics (F3)."""
    below: Leaf | None = None
    alone = []
    for leaf in patient.leaves:
        if leaf.learns:
            below = leaf
        elif leaf.is_norm and leaf.layer.weights and below and leaf.trains and not below.trains:
            alone.append(leaf)
    if alone:
        yield Symptom(
            "batchnorm-trains",
            "warning",
            "training after a frozen layer, where small data moves statistics that fit the frozen "
            f"weights: {counted(_paths(alone), NORM)}",
            "freeze them too: tl.unfreeze leaves BatchNormalization frozen unless batchnorm=True",
            _paths(alone),
        )


def _of(leaf: Leaf) -> Any:
    return leaf.layer


def _paths(leaves: list[Leaf]) -> tuple[str, ...]:
    return tuple(leaf.path for leaf in leaves)
