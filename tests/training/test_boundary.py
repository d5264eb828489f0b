"""Cutting a model at the freeze boundary: both parts together are the model."""

import numpy as np
import pytest

from tlkeras.training.boundary import split
from tlkeras.training.freeze import leaf_layers

PIXELS = np.random.default_rng(3).normal(size=(3, 14, 10, 3)).astype("float32")


def drawn(model: object) -> object:
    """The model with every weight drawn, statistics of BatchNormalization too."""
    rng = np.random.default_rng(5)
    for layer in leaf_layers(model):
        layer.set_weights([rng.uniform(0.1, 0.6, w.shape) for w in layer.get_weights()])
    return model


def branched() -> object:
    """Two branches, a skip around both and a shared activation."""
    import keras
    from keras import layers

    image = keras.Input((14, 10, 3), name="image")
    stem = layers.Conv2D(4, 3, padding="same", name="stem")(image)
    stem = layers.BatchNormalization(name="norm")(stem)
    left = layers.Conv2D(5, 3, padding="same", name="left")(stem)
    right = layers.Conv2D(5, 1, name="right")(stem)
    right = keras.ops.tanh(right)
    out = layers.Concatenate(name="both")([left, right, stem])
    out = layers.Dropout(0.5, seed=1, name="drop")(out)
    out = layers.Conv2D(6, 3, name="top")(out)
    out = layers.GlobalAveragePooling2D(name="pool")(out)
    out = layers.Dense(3, activation="softmax", name="logits")(out)
    return drawn(keras.Model(image, out, name="branched"))


def nested() -> object:
    """A Sequential inside a Functional inside a Sequential."""
    import keras
    from keras import layers

    inner = keras.Sequential(
        [keras.Input((7, 5, 4)), layers.Conv2D(5, 3, name="b"), layers.ReLU(name="relu")], name="in"
    )
    image = keras.Input((14, 10, 3))
    out = layers.Conv2D(4, 3, strides=2, padding="same", name="a")(image)
    middle = keras.Model(image, layers.BatchNormalization(name="norm")(inner(out)), name="middle")
    return drawn(
        keras.Sequential(
            [
                keras.Input((14, 10, 3)),
                middle,
                layers.Conv2D(6, 2, name="c"),
                layers.GlobalMaxPooling2D(name="pool"),
                layers.Dense(3, name="logits"),
            ],
            name="outer",
        )
    )


def by_name(model: object, *names: str) -> list:
    found = [layer for layer in leaf_layers(model) if layer.name in names]
    assert len(found) == len(names)
    return found


@pytest.mark.parametrize(
    ("make", "trained", "crossing"),
    [
        (branched, ("logits",), 1),
        (branched, ("top", "logits"), 1),
        (branched, ("right", "top", "logits"), 2),  # the left branch and what the right one takes
        (branched, ("left", "right", "top", "logits"), 1),
        (nested, ("c", "logits"), 1),
        (nested, ("b", "c", "logits"), 1),
    ],
)
def test_trunk_and_tail_give_what_the_model_gives(
    make: object, trained: tuple, crossing: int
) -> None:
    import keras

    model = make()
    parts = split(model, by_name(model, *trained))
    between = parts.trunk(PIXELS, training=False)
    assert len(keras.tree.flatten(between)) == crossing
    expected = np.asarray(model(PIXELS, training=False))
    assert expected.std() > 1e-3
    found = np.asarray(parts.tail(between, training=False))
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("make", [branched, nested])
def test_layers_are_shared_and_all_trained_ones_stand_in_the_tail(make: object) -> None:
    model = make()
    trained = by_name(model, "logits") + [
        layer for layer in leaf_layers(model) if layer.name in ("top", "b", "c")
    ]
    parts = split(model, trained)
    inside = {id(layer) for layer in leaf_layers(parts.tail)}
    assert {id(layer) for layer in trained} <= inside
    own = {id(layer) for layer in leaf_layers(model)}
    weighted = [*leaf_layers(parts.trunk), *leaf_layers(parts.tail)]
    assert {id(layer) for layer in weighted if layer.weights} <= own
    assert not {id(layer) for layer in trained} & {id(layer) for layer in leaf_layers(parts.trunk)}


def test_splitting_leaves_the_model_as_it_was(tmp_path: object) -> None:
    import keras

    model = branched()
    config, before = model.get_config(), np.asarray(model(PIXELS, training=False))
    split(model, by_name(model, "right", "top", "logits"))
    assert model.get_config() == config
    model.save(tmp_path / "again.keras")
    again = keras.models.load_model(tmp_path / "again.keras")
    np.testing.assert_array_equal(np.asarray(again(PIXELS, training=False)), before)


def test_nothing_to_save_is_no_split() -> None:
    model = branched()
    assert split(model, by_name(model, "stem", "logits")) is None
    assert split(model, []) is None


def test_subclassed_model_is_no_split() -> None:
    import keras

    class Own(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = keras.layers.Dense(4), keras.layers.Dense(3)

        def call(self, x: object) -> object:
            return self.b(self.a(x))

    model = Own()
    model(np.zeros((1, 5), "float32"))
    assert split(model, [model.b]) is None


def test_layer_used_on_both_sides_of_the_boundary_is_no_split() -> None:
    import keras
    from keras import layers

    image = keras.Input((6, 5, 4))
    same = layers.Conv2D(4, 1, name="same")
    out = layers.Conv2D(4, 1, name="trained")(same(image))
    out = layers.GlobalAveragePooling2D()(same(out))
    model = keras.Model(image, out)
    assert split(model, by_name(model, "trained")) is None


def test_same_name_twice_in_nested_models_is_no_split() -> None:
    import keras
    from keras import layers

    parts = [
        keras.Sequential([keras.Input((4,)), layers.Dense(4, name="dense")], name=name)
        for name in ("first", "second")
    ]
    image = keras.Input((4,))
    model = keras.Model(image, parts[1](parts[0](image)))
    assert split(model, [parts[1].layers[0]]) is None


def test_dropout_of_the_trunk_drops_nothing() -> None:
    model = branched()
    parts = split(model, by_name(model, "top", "logits"))
    assert "drop" in [layer.name for layer in leaf_layers(parts.trunk)]
    once, again = (np.asarray(parts.trunk(PIXELS, training=False)) for _ in range(2))
    np.testing.assert_array_equal(once, again)
