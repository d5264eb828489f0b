"""Flags that are not what they seem: each with a model that has the defect and one without."""

import keras
import pytest

import tlkeras as tl


def test_sound_model_has_nothing(build: object, examine: object) -> None:
    model = build()
    model.compile("sgd", "categorical_crossentropy")
    assert examine(model) == {}


@pytest.mark.parametrize("trainable", [False, True])
def test_flag_changed_after_compile_is_found(  # F1 F2
    build: object, examine: object, trainable: bool
) -> None:
    model = build()
    model.get_layer("conv_1").trainable = model.get_layer("norm_1").trainable = not trainable
    model.compile("sgd", "categorical_crossentropy")
    model.get_layer("conv_1").trainable = model.get_layer("norm_1").trainable = trainable
    found = examine(model)["changed-after-compile"]
    assert found.severity == "error"
    assert found.layers == ("conv_1", "norm_1")
    model.compile("sgd", "categorical_crossentropy")
    assert "changed-after-compile" not in examine(model)


def test_freeze_of_ours_leaves_no_such_flag(build: object, examine: object) -> None:
    model = build()
    model.compile("sgd", "categorical_crossentropy")
    tl.freeze(model, until="norm_1")
    assert examine(model) == {}


def test_compiled_model_of_which_nothing_trains_is_found(build: object, examine: object) -> None:
    model = tl.freeze(build())
    assert "nothing-trains" not in examine(model)  # it may only answer
    model.compile("sgd", "categorical_crossentropy")
    assert "nothing-trains" in examine(model)


def test_layer_unfrozen_in_a_model_that_is_frozen_is_found(build: object, examine: object) -> None:
    model = build()
    model.trainable = False
    assert examine(model) == {}
    model.get_layer("conv_2").trainable = True
    found = examine(model)["without-effect"]
    assert found.layers == ("conv_2",)
    assert not model.trainable_weights
    model.trainable = True
    assert examine(model) == {}


def test_flags_inside_a_nested_model_count_as_keras_counts_them(
    build: object, examine: object
) -> None:
    model = build(nested=True)
    base = model.get_layer("base")
    base.trainable = False
    assert examine(model) == {}
    base.get_layer("conv_2").trainable = True  # Keras trains it, whatever its box says
    assert [weight.path for weight in model.trainable_weights][:2] == [
        "conv_2/kernel",
        "conv_2/bias",
    ]
    assert examine(model) == {}


def test_layer_frozen_above_one_that_trains_is_found(build: object, examine: object) -> None:
    model = build()
    model.get_layer("conv_2").trainable = model.get_layer("norm_2").trainable = False
    found = examine(model)["frozen-above"]
    assert found.layers == ("conv_2",)
    model.get_layer("conv_1").trainable = model.get_layer("norm_1").trainable = False
    assert examine(model) == {}


def test_frozen_norms_above_a_training_layer_are_as_they_should_be(
    build: object, examine: object
) -> None:
    model = tl.unfreeze(tl.freeze(build()), last=3)
    assert not model.get_layer("norm_2").trainable
    assert model.get_layer("conv_2").trainable
    assert examine(model) == {}


def test_model_that_was_never_called_says_so() -> None:
    bare = keras.Sequential([keras.layers.Dense(3)])
    assert tl.doctor(bare).kinds == ("not-built",)
