"""A trained classifier ⇄ its run folder, through a Bundle."""

import platform
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Literal, cast

from tlkeras.backbones.spec import Backbone, Mode, Preprocessing, Scaling, to_preprocessing
from tlkeras.bundle import read, write
from tlkeras.bundle.bundle import Bundle, HeadFacts, ScalingFacts
from tlkeras.bundle.read import Stored
from tlkeras.errors import BackboneError, BundleError
from tlkeras.tasks.fitted import Fitted
from tlkeras.tasks.kept_answers import answered
from tlkeras.tasks.network.assembly import EMBEDDING, BackboneSource, backbone_of
from tlkeras.tasks.network.forms import InFolder
from tlkeras.training.finetune import Judged
from tlkeras.training.probe import HeadKind
from tlkeras.training.recipe import Recipe
from tlkeras.training.tuning.checkpoint import FILE as CHECKPOINT
from tlkeras.training.tuning.environment import environment

PACKAGES = ("tlkeras", "tensorflow", "keras", "numpy", "pillow")
FROZEN = "frozen"


def save(
    fitted: Fitted, source: BackboneSource, head: HeadKind, recipe: Recipe, folder: Path
) -> Path:
    """The folder, complete; see `ImageClassifier.save`."""
    bundle = to_bundle(fitted, source, head, recipe)
    return write.save(replace(bundle, outputs=fitted.outputs or answered(fitted)), folder)


def save_frozen(
    fitted: Fitted, source: BackboneSource, head: HeadKind, recipe: Recipe, place: Path
) -> None:
    """The run folder `frozen` in the place where epochs are kept, unless some of them are."""
    if not (place / CHECKPOINT).exists():
        save(fitted, source, head, recipe, place / FROZEN)


def to_bundle(fitted: Fitted, source: BackboneSource, head: HeadKind, recipe: Recipe) -> Bundle:
    """Everything that leaves with a trained classifier."""
    spec = fitted.spec
    named = source.spec() is not None
    return Bundle(
        network=fitted.network,
        class_names=fitted.class_names,
        backbone={
            "name": spec.name,
            "in_catalogue": named,
            "weights": source.weights_name,
            "size_px": spec.size_px,
            "width": spec.width,
            "preprocessing": _preprocessing_to_facts(spec.preprocessing),
            "licence": spec.licence,
            "embedding_layer": EMBEDDING,
            "fine_tuned": fitted.fine_tuned,
            "fingerprint": fitted.network.fingerprint,
        },
        head=_head_to_facts(head, fitted.chosen),
        validation={
            "accuracy": fitted.validation.accuracy,
            "loss": fitted.validation.loss,
            "decisions": fitted.decisions,
            "cost": fitted.cost,
            "temperature": fitted.temperature,
        },
        recipe=recipe.to_dict(),
        metrics=fitted.metrics,
        history=fitted.history,
        manifest=fitted.manifest,
        versions=versions(),
    )


def versions() -> dict[str, str]:
    """Of Python and the packages that matter, and what else decides the last bits, as it is now.

    >>> versions()["keras"] >= "3.15"
    True
    """
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        **{package: version(package) for package in PACKAGES},
        **environment(),
    }


def load(folder: Path, hashed: bool = False) -> tuple[Fitted, BackboneSource, HeadKind, Recipe]:
    """What `save` put into the folder.

    Args:
        folder: the run folder.
        hashed: the caller has just held its files against their hashes.

    Raises:
        BundleError: not a run folder, or a file in it is damaged.
    """
    bundle = read.load(folder, hashed=hashed)
    facts, decided = bundle.backbone, bundle.validation
    spec = Backbone(
        name=facts["name"],
        application="",
        size_px=facts["size_px"],
        width=facts["width"],
        preprocessing=to_preprocessing(facts["preprocessing"]),
        licence=facts["licence"],
    )
    recipe = Recipe.from_dict(bundle.recipe)
    fitted = Fitted(
        network=InFolder(cast(Stored, bundle.network), spec.size_px),
        spec=spec,
        class_names=bundle.class_names,
        validation=Judged(decided["accuracy"], decided["loss"]),
        fine_tuned=facts["fine_tuned"],
        chosen=bundle.head["chosen"],
        history=bundle.history,
        manifest=bundle.manifest,
        metrics=bundle.metrics,
        decisions=list(decided["decisions"]),
        temperature=decided.get("temperature", 1.0),
        cost=decided.get("cost", {}),
        versions=bundle.versions,
        outputs=bundle.outputs,
    )
    return (
        fitted,
        _source(bundle, spec),
        _head_from_facts(bundle.head),
        recipe,
    )


def _source(bundle: Bundle, spec: Backbone) -> BackboneSource:
    facts = bundle.backbone
    weights = None if facts["weights"] == "untrained" else facts["weights"]
    if facts["in_catalogue"]:
        try:
            return BackboneSource(facts["name"], weights, spec.preprocessing)
        except BackboneError:  # a catalogue entry of another release
            pass
    # Opened when the backbone is asked for: answering needs no Keras model.
    return BackboneSource(
        facts["name"], "default", known=spec, make=lambda: backbone_of(bundle.model)
    )


def _preprocessing_to_facts(preprocessing: Preprocessing) -> Mode | ScalingFacts:
    if not isinstance(preprocessing, Scaling):
        return preprocessing
    mean, deviation = list(preprocessing.mean), list(preprocessing.deviation)
    return {"mean": mean, "deviation": deviation, "bgr": preprocessing.bgr}


def _head_to_facts(head: HeadKind, chosen: dict[str, float]) -> HeadFacts:
    if isinstance(head, str):
        kind: Literal["linear", "mlp"] = "mlp" if head == "mlp" else "linear"
        return {"kind": kind, "layers": [], "chosen": chosen}
    import keras

    layers = [keras.saving.serialize_keras_object(layer) for layer in head]
    return {"kind": "layers", "layers": layers, "chosen": chosen}


def _head_from_facts(facts: HeadFacts) -> HeadKind:
    if facts["kind"] != "layers":
        return facts["kind"]
    import keras

    try:
        return [keras.saving.deserialize_keras_object(layer) for layer in facts["layers"]]
    except Exception as error:  # Keras has a dozen kinds for what it can't build
        raise BundleError(
            "The layers of a head are as save() wrote them. Received: some that Keras does not "
            f"build ({type(error).__name__}: {str(error)[:200]}). Copy the folder again."
        ) from error
