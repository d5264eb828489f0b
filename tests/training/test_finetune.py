"""Fine-tuning: what moves, what stays, and which model is kept."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tlkeras.data.folder import ImageFolder
from tlkeras.data.pipeline import pixel_batches
from tlkeras.errors import BackboneError, TrainingError
from tlkeras.training.finetune import Judged, Tuning, fine_tune, unfrozen_layers
from tlkeras.training.recipe import Recipe


def network() -> object:
    """A small classifier for 3 classes with BatchNormalization, seeded."""
    import keras

    image = keras.Input((None, None, 3), name="image")
    out = keras.layers.Resizing(16, 20, antialias=True, name="resize")(image)
    out = keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="rescale")(out)
    for number, channels in enumerate((6, 8, 10)):
        start = keras.initializers.HeNormal(seed=number)
        out = keras.layers.Conv2D(
            channels, 3, strides=1 + (number < 2), kernel_initializer=start, name=f"conv{number}"
        )(out)
        out = keras.layers.BatchNormalization(name=f"norm{number}")(out)
        out = keras.layers.ReLU(name=f"relu{number}")(out)
    out = keras.layers.GlobalAveragePooling2D(name="pool")(out)
    out = keras.layers.Activation("linear", dtype="float32", name="embedding")(out)
    start = keras.initializers.GlorotUniform(seed=9)
    out = keras.layers.Dense(3, kernel_initializer=start, name="logits")(out)
    out = keras.layers.Softmax(name="probabilities")(out)
    return keras.Model(image, out)


RECIPE = Recipe(epochs=4, learning_rate=0.02, batch_size=8, patience=4, seed=1)


def tuning(**changes: object) -> Tuning:
    recipe = RECIPE.replace(unfreeze=changes.pop("unfreeze", 2))
    return replace(Tuning(network(), "embedding", 20, recipe), **changes)


@pytest.fixture(scope="module")
def data(flower_folder: Path) -> ImageFolder:
    return ImageFolder(flower_folder)


@pytest.fixture(scope="module")
def tuned(data: ImageFolder) -> tuple:
    how = tuning()
    before = {layer.name: layer.get_weights() for layer in how.model.layers}
    result = fine_tune(how, data.train.pictures, data.validation.pictures)
    return how.model, before, result


def moved(model: object, before: dict, name: str) -> bool:
    now = model.get_layer(name).get_weights()
    return any(not np.array_equal(a, b) for a, b in zip(now, before[name], strict=True))


def test_unfrozen_layers_and_head_moved_and_nothing_else(tuned: tuple) -> None:
    model, before, result = tuned
    assert result.better
    assert [moved(model, before, f"conv{n}") for n in range(3)] == [False, True, True]
    assert moved(model, before, "logits")


def test_batchnorm_of_unfrozen_part_keeps_its_statistics(tuned: tuple) -> None:  # F3
    model, before, _ = tuned
    assert not any(moved(model, before, f"norm{n}") for n in range(3))


def test_model_that_won_holds_the_best_epoch(tuned: tuple, data: ImageFolder) -> None:
    from tlkeras.training.finetune import _judge

    model, _, result = tuned
    now = _judge(tuning(model=model), data.validation.pictures)
    assert now.accuracy == pytest.approx(result.best.accuracy)
    assert now.loss == pytest.approx(result.best.loss, abs=1e-5)
    assert max(row["val_accuracy"] for row in result.history) == result.best.accuracy


def test_rate_rises_then_falls(tuned: tuple) -> None:
    rates = [row["learning_rate"] for row in tuned[2].history]
    assert rates[-1] < rates[0]
    assert max(rates) <= RECIPE.learning_rate


def test_same_seed_gives_the_same_weights(tuned: tuple, data: ImageFolder) -> None:
    again = tuning()
    fine_tune(again, data.train.pictures, data.validation.pictures)
    for ours, theirs in zip(again.model.get_weights(), tuned[0].get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_worse_result_is_dropped_and_said(data: ImageFolder) -> None:
    how = tuning()
    before = how.model.get_weights()
    sources = [picture.source for picture in data.validation.pictures]
    batches = pixel_batches(sources, (20, 20))
    answers = [np.asarray(how.model(batch.pixels, training=False)) for batch in batches]
    told = np.concatenate(answers).argmax(axis=1)
    # The frozen model is right about every validation picture; training says otherwise.
    pairs = zip(data.validation.pictures, told, strict=True)
    validation = [replace(picture, label=int(label)) for picture, label in pairs]
    wrong = [replace(picture, label=(picture.label + 1) % 3) for picture in validation]
    result = fine_tune(how, wrong, validation)
    assert result.frozen.accuracy == 1.0
    assert not result.better
    assert "did not beat the frozen backbone" in str(result)
    for now, then in zip(how.model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_endless_loss_is_an_error_and_the_model_stays(data: ImageFolder) -> None:  # F6
    how = tuning()
    kernel, bias = how.model.get_layer("logits").get_weights()
    how.model.get_layer("logits").set_weights([kernel * np.nan, bias])
    before = how.model.get_weights()
    with pytest.raises(TrainingError, match="learning_rate"):
        fine_tune(how, data.train.pictures, data.validation.pictures)
    for now, then in zip(how.model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_interrupt_leaves_the_model_as_it_was(data: ImageFolder) -> None:
    how = tuning()
    before = how.model.get_weights()

    def stop(task: str, done: int, total: int, note: str = "") -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fine_tune(how, data.train.pictures, data.validation.pictures, progress=stop)
    for now, then in zip(how.model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)
    assert all(layer.trainable for layer in how.model.layers)


def test_refit_trains_on_both_parts_from_the_refitted_head(data: ImageFolder) -> None:
    how = tuning()
    head = [value * 0.5 for value in how.model.get_layer("logits").get_weights()]
    told: list[str] = []
    result = fine_tune(
        how,
        data.train.pictures,
        data.validation.pictures,
        head,
        lambda task, done, total, note="": told.append(task),
    )
    assert result.better
    assert told.count("fine-tuning on all pictures") == result.best_epoch


@pytest.mark.parametrize(
    ("unfreeze", "expected"),
    [
        ("norm1", ["conv2"]),
        ("conv1", ["conv1", "conv2"]),
        (1, ["conv2"]),
        (1.0, ["conv0", "conv1", "conv2"]),
        (0.34, ["conv2"]),
    ],
)
def test_unfreeze_by_name_count_or_fraction(unfreeze: object, expected: list[str]) -> None:
    layers = unfrozen_layers(tuning(unfreeze=unfreeze))
    assert [layer.name for layer in layers if layer.weights] == [*expected, "logits"]


@pytest.mark.parametrize("unfreeze", [4, 0.01])
def test_unfreeze_that_selects_nothing_says_the_range(unfreeze: object) -> None:
    with pytest.raises(BackboneError, match="from 1 to 3"):
        unfrozen_layers(tuning(unfreeze=unfreeze))


def test_unfreeze_from_the_very_top_says_which_layer_is_last() -> None:
    with pytest.raises(BackboneError, match="'conv2'"):
        unfrozen_layers(tuning(unfreeze="pool"))


def test_backbone_without_weights_cannot_be_tuned() -> None:  # F4
    import keras

    image = keras.Input((None, None, 3), name="image")
    out = keras.layers.GlobalAveragePooling2D(name="embedding")(image)
    out = keras.layers.Dense(2, activation="softmax", name="logits")(out)
    bare = tuning(model=keras.Model(image, out), unfreeze="embedding")
    with pytest.raises(BackboneError, match="no layer with weights"):
        unfrozen_layers(bare)


def test_more_right_beats_and_equal_needs_a_lower_loss() -> None:
    assert Judged(0.8, 2.0).beats(Judged(0.7, 0.1))
    assert not Judged(0.8, 0.3).beats(Judged(0.8, 0.3))
