"""Fine-tuning: what moves, what stays, and which model is kept."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from tests.training.networks import small_network
from tlkeras.data.folder import ImageFolder
from tlkeras.data.picture import Picture
from tlkeras.data.pipeline import pixel_batches
from tlkeras.errors import BackboneError, TrainingError
from tlkeras.heads.head import cross_entropy, share_right
from tlkeras.training import feed, maps
from tlkeras.training.finetune import Judged, Tuning, fine_tune, unfrozen_layers
from tlkeras.training.recipe import Recipe

RECIPE = Recipe(epochs=4, learning_rate=0.02, batch_size=8, patience=4, seed=1)
UNVARIED = {"crop": (1.0, 1.0), "flip": False, "brightness": 0.0, "contrast": 0.0}


def tuning(**changes: object) -> Tuning:
    recipe = RECIPE.replace(unfreeze=changes.pop("unfreeze", 2), **changes.pop("knobs", {}))
    return replace(Tuning(small_network(), "embedding", 20, recipe), **changes)


@pytest.fixture(scope="module")
def data(flower_folder: Path) -> ImageFolder:
    return ImageFolder(flower_folder)


@pytest.fixture(scope="module")
def tuned(data: ImageFolder) -> tuple:
    how = tuning()
    before = {layer.name: layer.get_weights() for layer in how.model.layers}
    result = fine_tune(how, data.train.pictures, data.validation.pictures)
    return how.model, before, result


def pixels(pictures: Sequence[Picture]) -> np.ndarray:
    batches = pixel_batches([picture.source for picture in pictures], (20, 20))
    return np.concatenate([batch.pixels for batch in batches])


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
    model, _, result = tuned
    pictures = data.validation.pictures
    answers = model.predict(pixels(pictures), verbose=0)
    labels = np.array([picture.label for picture in pictures])
    assert share_right(answers, labels) == pytest.approx(result.best.accuracy)
    assert cross_entropy(answers, labels) == pytest.approx(result.best.loss, abs=1e-5)
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


@pytest.mark.parametrize("when", ["activations", "fine-tuning"])
def test_interrupt_leaves_the_model_as_it_was(data: ImageFolder, when: str) -> None:
    how = tuning()
    before = how.model.get_weights()

    def stop(task: str, done: int, total: int, note: str = "") -> None:
        if task == when:
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


def both_ways(data: ImageFolder, **changes: object) -> list[Tuning]:
    """The same training, on activations at the freeze boundary and through the whole model."""
    found = []
    for cut in (True, False):
        how = tuning(unfreeze=1, cut=cut, **changes)
        fine_tune(how, data.train.pictures, data.validation.pictures)
        found.append(how)
    return found


def apart(ours: object, theirs: object) -> float:
    """The largest difference of a weight tensor, relative to its size."""
    pairs = zip(ours.get_weights(), theirs.get_weights(), strict=True)
    return max(
        np.linalg.norm(a - b) / (np.linalg.norm(b) or 1.0) for a, b in pairs if a.dtype.kind == "f"
    )


@pytest.mark.parametrize("knobs", [UNVARIED, {}], ids=["kept", "augmented"])
def test_cut_model_ends_with_the_weights_of_the_whole_one(data: ImageFolder, knobs: dict) -> None:
    cut, whole = both_ways(data, knobs=knobs)
    assert apart(cut.model, whole.model) < 1e-5
    assert apart(cut.model, small_network()) > 1e-3


def test_half_precision_on_disk_ends_near_the_same_weights(
    data: ImageFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "Maps", partial(maps.Maps, in_memory=0, exact=0))
    cut, whole = both_ways(data, knobs=UNVARIED)
    assert 0 < apart(cut.model, whole.model) < 5e-3


def test_full_disk_is_said_and_nothing_is_kept(
    data: ImageFolder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(feed, "Maps", partial(maps.Maps, in_memory=0))
    monkeypatch.setattr(maps, "SHARE_OF_DISK", 0.0)
    cut, whole = both_ways(data, knobs=UNVARIED)
    assert "computed again in each epoch" in caplog.text
    assert apart(cut.model, whole.model) < 1e-5


def test_frozen_part_sees_each_picture_once(data: ImageFolder) -> None:
    seen = []

    def engine(trunk: object) -> object:
        def run(pixels: np.ndarray) -> list[np.ndarray]:
            seen.append(len(pixels))
            return [np.asarray(trunk(pixels, training=False))]

        return run

    how = tuning(unfreeze=1, knobs=UNVARIED, trunk_engine=engine)
    refit = how.model.get_layer("logits").get_weights()
    result = fine_tune(how, data.train.pictures, data.validation.pictures, refit)
    assert result.better
    assert len(result.history) == RECIPE.epochs
    looked_at = 2  # while the engine is held against Keras
    assert sum(seen) == len(data.train) + len(data.validation) + looked_at


def test_augmented_views_go_through_the_engine(data: ImageFolder) -> None:
    seen = []

    def engine(trunk: object) -> object:
        def run(pixels: np.ndarray) -> list[np.ndarray]:
            seen.append(len(pixels))
            return [np.asarray(trunk(pixels, training=False))]

        return run

    how = tuning(unfreeze=1, trunk_engine=engine)
    better = fine_tune(how, data.train.pictures, data.validation.pictures).better
    looked_at = len(data.train) if better else 0
    assert sum(seen) == RECIPE.epochs * len(data.train) + len(data.validation) + looked_at + 2


def wrong(trunk: object) -> object:
    return lambda pixels: [np.asarray(trunk(pixels, training=False)) * 1.01]


def broken(trunk: object) -> object:
    raise RuntimeError("no such operator")


@pytest.mark.parametrize(("engine", "reason"), [(wrong, "away from Keras"), (broken, "no such")])
def test_engine_that_is_not_keras_is_not_used(
    data: ImageFolder, engine: object, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    cut, whole = both_ways(data, knobs=UNVARIED, trunk_engine=engine)
    assert reason in caplog.text
    assert apart(cut.model, whole.model) < 1e-5


def test_batchnorm_of_the_users_own_head_may_learn_its_statistics(data: ImageFolder) -> None:
    import keras

    body = small_network()
    own = keras.layers.BatchNormalization(momentum=0.5, name="own")
    out = own(body.get_layer("embedding").output)
    # From zeros, so that whatever is learnt is better.
    dense = keras.layers.Dense(3, "softmax", kernel_initializer="zeros", name="logits")
    out = dense(out)
    how = tuning(model=keras.Model(body.input, out), unfreeze=1)
    before = {layer.name: layer.get_weights() for layer in how.model.layers}
    result = fine_tune(how, data.train.pictures, data.train.pictures)
    assert result.better
    assert moved(how.model, before, "own")
    assert not any(moved(how.model, before, f"norm{number}") for number in range(3))


@pytest.mark.parametrize("cut", [True, False])
def test_look_at_the_better_network_is_what_it_gives(data: ImageFolder, cut: bool) -> None:
    import keras

    how = tuning(cut=cut, knobs=UNVARIED)
    result = fine_tune(how, data.train.pictures, data.validation.pictures)
    look = result.after
    assert look is not None
    assert look is result.before  # nothing was trained again
    model = how.model
    both = keras.Model(model.input, [model.get_layer("embedding").output, model.output])
    vectors, _ = both(pixels(data.train.pictures), training=False)
    unseen, answers = both(pixels(data.validation.pictures), training=False)
    np.testing.assert_allclose(look.vectors, vectors, rtol=1e-2, atol=1e-2)
    np.testing.assert_allclose(look.unseen, unseen, rtol=1e-2, atol=1e-2)
    np.testing.assert_allclose(look.answers, answers, atol=1e-2)
    assert look.labels.tolist() == data.train.labels.tolist()
    assert look.truth.tolist() == data.validation.labels.tolist()
