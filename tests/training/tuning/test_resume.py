"""Broken off anywhere and gone on with, fine-tuning ends with the same weights."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from tlkeras.data.folder import ImageFolder
from tlkeras.errors import DivergedError, TrainingError
from tlkeras.training import feed, maps
from tlkeras.training.finetune import Tuned, Tuning, fine_tune
from tlkeras.training.tuning.checkpoint import FILE, Checkpoint, told

EPOCHS = ("fine-tuning", "fine-tuning on all pictures")
UNVARIED = {"crop": (1.0, 1.0), "flip": False, "brightness": 0.0, "contrast": 0.0}


class Stop(Exception):  # noqa: N818
    """Ends a run as Ctrl-C would."""


def stop_after_an_epoch(task: str, done: int, total: int, note: str = "") -> None:
    if task in EPOCHS and "stopped" not in note:
        raise Stop


def run(
    how: Tuning,
    data: ImageFolder,
    head: list[np.ndarray] | None,
    folder: Path | None = None,
    **changes: object,
) -> Tuned:
    checkpoint = None if folder is None else Checkpoint(folder, {"recipe": how.recipe.to_dict()})
    train, validation = data.train.pictures, data.validation.pictures
    return fine_tune(how, train, validation, head, checkpoint=checkpoint, **changes)


def assert_same(ours: Tuning, theirs: Tuning) -> None:
    for one, other in zip(ours.model.weights, theirs.model.weights, strict=True):
        np.testing.assert_array_equal(one, other, err_msg=one.path)


def stopped_at_every_epoch(
    make: Callable[..., Tuning], data: ImageFolder, head: list, folder: Path, **knobs: object
) -> tuple[Tuning, Tuned, list]:
    """One epoch a run, each in a fresh network, until there is none left."""
    stops = []
    while True:
        how = make(**knobs)
        try:
            result = run(how, data, head, folder, progress=stop_after_an_epoch)
        except Stop:
            assert told(folder) not in stops
            stops.append(told(folder))
            continue
        return how, result, stops


@pytest.mark.slow
@pytest.mark.parametrize("knobs", [{}, UNVARIED], ids=["augmented", "kept"])
def test_stopped_at_every_epoch_ends_with_the_same_bits(  # F7
    make: Callable, data: ImageFolder, head: list, tmp_path: Path, knobs: dict
) -> None:
    whole = make(**knobs)
    expected = run(whole, data, head)
    again, result, stops = stopped_at_every_epoch(make, data, head, tmp_path, **knobs)
    assert expected.better
    first = [("fine-tuning", epoch + 1) for epoch in range(len(expected.history))]
    assert stops == [*first, *(("refit", e + 1) for e in range(expected.best_epoch))]
    assert_same(again, whole)
    assert result.history == expected.history
    assert (result.best, result.best_epoch, result.frozen) == (
        expected.best,
        expected.best_epoch,
        expected.frozen,
    )
    np.testing.assert_array_equal(result.before.answers, expected.before.answers)
    np.testing.assert_array_equal(result.after.answers, expected.after.answers)


@pytest.mark.slow
def test_without_the_promise_it_goes_on_all_the_same(
    make: Callable, data: ImageFolder, head: list, tmp_path: Path
) -> None:
    knobs = {"deterministic": False, "epochs": 2}
    whole = make(**knobs)
    expected = run(whole, data, head)
    again, result, stops = stopped_at_every_epoch(make, data, head, tmp_path, **knobs)
    assert len(stops) >= 2
    assert result.best_epoch == expected.best_epoch
    for one, other in zip(again.model.weights, whole.model.weights, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


def test_same_bits_twice_although_dropout_has_no_seed(
    make: Callable, data: ImageFolder, head: list
) -> None:
    one, other = make(epochs=1), make(epochs=1)
    run(one, data, head)
    run(other, data, head)
    assert_same(one, other)


def test_work_that_is_through_gives_its_result_again(
    make: Callable, data: ImageFolder, head: list, tmp_path: Path
) -> None:
    first, again = make(epochs=1), make(epochs=1)
    expected = run(first, data, head, tmp_path)
    tasks: list[str] = []
    result = run(again, data, head, tmp_path, progress=lambda task, *_: tasks.append(task))
    assert not set(tasks) & set(EPOCHS)
    assert result == expected
    assert_same(again, first)


def test_checkpoint_of_other_work_is_refused_and_the_model_stays(
    make: Callable, data: ImageFolder, tmp_path: Path
) -> None:
    with pytest.raises(Stop):
        run(make(), data, None, tmp_path, progress=stop_after_an_epoch)
    how = make(learning_rate=0.01)
    before = how.model.get_weights()
    with pytest.raises(TrainingError, match=r"recipe\.learning_rate: 0\.02 then, 0\.01 now"):
        run(how, data, None, tmp_path)
    for now, then in zip(how.model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_checkpoint_of_another_network_is_refused(
    make: Callable, data: ImageFolder, tmp_path: Path
) -> None:
    with pytest.raises(Stop):
        run(make(), data, None, tmp_path, progress=stop_after_an_epoch)
    how = make(unfreeze=1)
    checkpoint = Checkpoint(tmp_path, {"recipe": make().recipe.to_dict()})
    with pytest.raises(TrainingError, match="arrays that this network trains"):
        fine_tune(how, data.train.pictures, data.validation.pictures, checkpoint=checkpoint)


def test_damaged_checkpoint_begins_anew(
    make: Callable,
    data: ImageFolder,
    head: list,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    whole = make(epochs=1)
    run(whole, data, head, tmp_path)
    file = tmp_path / FILE
    file.write_bytes(file.read_bytes()[:-1000])
    again = make(epochs=1)
    run(again, data, head, tmp_path)
    assert "is damaged" in caplog.text
    assert_same(again, whole)


def fused(how: Tuning, steps: int) -> Tuning:
    """The same network, whose loss is NaN after so many steps."""
    import keras

    class Fuse(keras.layers.Layer):
        def build(self, shape: tuple) -> None:
            self.left = self.add_weight(
                shape=(), initializer=keras.initializers.Constant(steps), trainable=False
            )

        def call(self, x: object, training: bool = False) -> object:
            if not training:
                return x
            self.left.assign(self.left - 1)
            return x * keras.ops.where(self.left < 0, float("nan"), 1.0)

    model = how.model
    out = Fuse(name="fuse")(model.get_layer("embedding").output)
    for name in ("logits", "probabilities"):
        out = model.get_layer(name)(out)
    return Tuning(keras.Model(model.input, out), "embedding", 20, how.recipe)


def test_loss_that_is_no_number_ends_training_with_the_best_epoch(  # F6
    make: Callable, data: ImageFolder, tmp_path: Path
) -> None:
    how = fused(make(), steps=5)  # three an epoch
    result = run(how, data, None, tmp_path)
    assert (len(result.history), result.best_epoch) == (1, 1)
    assert result.better
    assert "in epoch 2" in result.stopped
    assert "learning_rate" in result.stopped
    assert all(np.isfinite(value).all() for value in how.model.get_weights())
    answers = how.model.predict(np.full((2, 20, 20, 3), 90, "float32"), verbose=0)
    assert np.isfinite(answers).all()
    kept = Checkpoint(tmp_path, {"recipe": how.recipe.to_dict()}).read()
    assert all(np.isfinite(value).all() for value in kept.weights)


def test_loss_that_is_no_number_in_the_refit_keeps_what_was_there_before(
    make: Callable, data: ImageFolder, head: list
) -> None:
    # An epoch has three steps, one of the refit four.
    how, plain = (fused(make(refit=again), steps=3) for again in (True, False))
    result = run(how, data, head)
    run(plain, data, head)
    assert result.better
    assert "training part alone is kept" in result.stopped
    assert result.after is result.before
    np.testing.assert_array_equal(
        how.model.get_layer("logits").kernel, plain.model.get_layer("logits").kernel
    )


def test_loss_that_is_no_number_at_once_is_an_error(
    make: Callable, data: ImageFolder, tmp_path: Path
) -> None:
    how = fused(make(), steps=0)
    with pytest.raises(DivergedError, match="in epoch 1"):
        run(how, data, None, tmp_path)
    assert not (tmp_path / FILE).exists()


@pytest.mark.slow
def test_refit_after_a_loss_that_was_no_number_can_be_stopped_too(
    make: Callable, data: ImageFolder, head: list, tmp_path: Path
) -> None:
    def fuse(**knobs: object) -> Tuning:
        return fused(make(**knobs), steps=5)

    whole = fuse()
    expected = run(whole, data, head)
    again, result, stops = stopped_at_every_epoch(fuse, data, head, tmp_path)
    assert stops == [("fine-tuning", 1), ("refit", 1)]
    assert result.stopped == expected.stopped != ""
    assert_same(again, whole)


def test_deterministic_training_without_room_for_its_activations_is_an_error(
    make: Callable, data: ImageFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Computed again in the company of an epoch, a row need not have the same bits.
    monkeypatch.setattr(feed, "Maps", partial(maps.Maps, in_memory=0))
    monkeypatch.setattr(maps, "SHARE_OF_DISK", 0.0)
    with pytest.raises(TrainingError, match=r"are needed and .* are free"):
        run(make(**UNVARIED), data, None)
