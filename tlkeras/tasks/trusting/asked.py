"""Whether a saved classifier's backbone was trained where that was asked for, and nowhere else.

backbone in the run ⇄ the pretrained one, layer by layer ─ what moved ⇄ the recipe's `unfreeze`
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tlkeras.errors import BackboneError
from tlkeras.evaluation.doctor import Symptom
from tlkeras.evaluation.doctor.diagnosis import counted
from tlkeras.tasks.fitted import Fitted
from tlkeras.tasks.network.assembly import EMBEDDING, BackboneSource
from tlkeras.training.finetune import Tuning, unfrozen_layers
from tlkeras.training.freeze import leaf_layers
from tlkeras.training.recipe import Recipe

if TYPE_CHECKING:
    import keras


def as_asked(source: BackboneSource, fitted: Fitted, recipe: Recipe) -> Iterator[Symptom]:
    """Layers whose weights moved though they were frozen, or did not though they should train.

    Only where the pretrained weights are at hand: nothing is fetched.
    """
    pretrained = _pretrained(source, recipe.seed)
    if pretrained is None:
        return
    model = fitted.network.model
    now = {layer.name: layer for layer in leaf_layers(model)}
    before = [layer for layer in leaf_layers(pretrained) if layer.weights and layer.name in now]
    moved = {layer.name for layer in before if not _same(layer, now[layer.name])}
    asked = _unfrozen(model, fitted, recipe) if fitted.fine_tuned else set()
    strayed = sorted(moved - asked)
    if strayed:
        yield Symptom(
            "moved-though-frozen",
            "error",
            "to stay frozen, and not as in the pretrained weights that the run names: "
            f"{counted(strayed)} of the backbone",
            "fit again from the pretrained weights; these are not the ones that the run names",
            tuple(strayed),
        )
    still = sorted(asked & {layer.name for layer in before} - moved)
    if still and not strayed:
        yield Symptom(
            "did-not-train",
            "warning",
            f"to train, and still as in the pretrained weights: {counted(still)}",
            "raise learning_rate or epochs in the recipe, or unfreeze less",
            tuple(still),
        )


def _pretrained(source: BackboneSource, seed: int) -> "keras.Model | None":
    """The backbone as it was before any training; None where that would have to be fetched."""
    spec = source.spec()
    here = source.weights_name in ("builtin", "untrained") or Path(source.weights_name).is_file()
    if spec is None or not here:
        return None
    try:
        return source.frozen(seed).model
    except BackboneError:  # the file is no longer the one that it was
        return None


def _unfrozen(model: "keras.Model", fitted: Fitted, recipe: Recipe) -> set[str]:
    tuning = Tuning(model, EMBEDDING, fitted.spec.size_px, recipe)
    return {layer.name for layer in unfrozen_layers(tuning) if layer.weights}


def _same(a: "keras.Layer", b: "keras.Layer") -> bool:
    return all(
        first.shape == second.shape and np.array_equal(first, second)
        for first, second in zip(a.get_weights(), b.get_weights(), strict=False)
    )
