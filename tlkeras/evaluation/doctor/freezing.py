"""Whether what is said to train does, and what is said to be frozen is."""

from collections.abc import Iterator

from tlkeras.evaluation.doctor.diagnosis import Symptom, counted
from tlkeras.evaluation.doctor.patient import Patient


def freezing(patient: Patient) -> Iterator[Symptom]:
    """Flags that contradict one another, or that were changed too late.

    Example::

        list(freezing(Patient(model, "mine", {})))
    """
    yield from _changed_after_compile(patient)
    yield from _trains_nothing(patient)
    yield from _without_effect(patient)
    yield from _frozen_above(patient)


def _changed_after_compile(patient: Patient) -> Iterator[Symptom]:
    """https://github.com/keras-team/keras/issues/6405: Keras goes on as it was compiled."""
    model = patient.model
    before = getattr(model, "_compiled_trainable_state", None)
    if not getattr(model, "compiled", False) or not before:
        return
    changed = [
        leaf
        for leaf in patient.leaves
        if leaf.layer.weights
        and before.get(leaf.layer, leaf.layer.trainable) != leaf.layer.trainable
    ]
    if changed:
        now = "train" if changed[0].layer.trainable else "be frozen"
        yield Symptom(
            "changed-after-compile",
            "error",
            f"told to {now} after the model was compiled, so that training goes on as before: "
            f"{counted([leaf.path for leaf in changed])}",
            "compile again after setting `trainable`; tl.freeze and tl.unfreeze do",
            tuple(leaf.path for leaf in changed),
        )


def _trains_nothing(patient: Patient) -> Iterator[Symptom]:
    weighted = [leaf for leaf in patient.leaves if leaf.learns]
    if patient.compiled and weighted and not any(leaf.trains for leaf in weighted):
        yield Symptom(
            "nothing-trains",
            "warning",
            "it is compiled, and every layer that could learn is frozen: fit() changes nothing",
            "tl.unfreeze(model, last=…), or leave it if it only answers",
        )


def _without_effect(patient: Patient) -> Iterator[Symptom]:
    if patient.model.trainable:
        return
    torn = [leaf.path for leaf in patient.leaves if leaf.learns and leaf.layer.trainable]
    if torn:
        name = patient.model.name
        yield Symptom(
            "without-effect",
            "warning",
            f"trainable=True inside '{name}', which says trainable=False and is obeyed: "
            f"{counted(torn)}",
            f"set '{name}'.trainable = True first, then freeze layers one by one; tl.unfreeze "
            "does both",
            tuple(torn),
        )


def _frozen_above(patient: Patient) -> Iterator[Symptom]:
    """A frozen layer nearer the output than one that trains: nobody wants that."""
    learning = [leaf for leaf in patient.leaves if leaf.learns]
    first = next((place for place, leaf in enumerate(learning) if leaf.trains), None)
    if first is None:
        return
    above = [leaf for leaf in learning[first:] if not leaf.trains]
    if above:
        yield Symptom(
            "frozen-above",
            "warning",
            f"frozen, although '{learning[first].path}' nearer the input trains: "
            f"{counted([leaf.path for leaf in above])}",
            "freeze from the input up: tl.freeze(model, until=…)",
            tuple(leaf.path for leaf in above),
        )
