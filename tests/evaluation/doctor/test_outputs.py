"""What comes out: each defect with a model that has it and one that has not."""

import keras
import numpy as np
import pytest

import tlkeras as tl


def test_float16_output_of_mixed_precision_is_found(build: object, examine: object) -> None:  # F8
    def ended(dtype: str) -> keras.Model:
        dense = keras.layers.Dense(4, dtype="mixed_float16", name="logits")
        return build(end=(dense, keras.layers.Softmax(dtype=dtype, name="probabilities")))

    found = examine(ended("mixed_float16"))["output-dtype"]
    assert found.severity == "error"
    assert "'probabilities' gives float16" in found.found
    assert examine(ended("float32")) == {}


def test_softmax_after_softmax_is_found(build: object, examine: object) -> None:
    dense = keras.layers.Dense(4, activation="softmax", name="dense_end")
    twice = build(end=(dense, keras.layers.Softmax(name="probabilities")))
    found = examine(twice)["softmax-twice"]
    assert "above 0.48" in found.found  # e / (e + 3)
    given = twice.predict(np.zeros((1, 20, 28, 3)), verbose=0)
    assert given.max() <= 0.4754
    plain = keras.layers.Dense(4, name="logits")
    assert examine(build(end=(plain, keras.layers.Softmax(name="probabilities")))) == {}


def test_softmax_over_one_column_is_found(build: object, examine: object) -> None:
    one = keras.layers.Dense(1, activation="softmax", name="score")
    assert examine(build(end=(one,)))["softmax-of-one"].severity == "error"
    assert examine(build(end=(keras.layers.Dense(1, activation="sigmoid", name="score"),))) == {}


@pytest.mark.parametrize(
    ("activation", "loss", "wrong"),
    [
        ("softmax", "categorical_crossentropy", False),
        ("softmax", keras.losses.SparseCategoricalCrossentropy(from_logits=True), True),
        (None, keras.losses.SparseCategoricalCrossentropy(from_logits=True), False),
        (None, "sparse_categorical_crossentropy", True),
        ("sigmoid", keras.losses.CategoricalCrossentropy(), True),
        ("sigmoid", "binary_crossentropy", False),
        ("softmax", "mse", False),
    ],
)
def test_loss_that_takes_probabilities_for_logits_is_found(
    build: object, examine: object, activation: str | None, loss: object, wrong: bool
) -> None:
    model = build(end=(keras.layers.Dense(4, activation=activation, name="end"),))
    model.compile("sgd", loss)
    assert ("loss-of-logits" in examine(model)) == wrong


def test_loss_function_of_the_authors_own_is_no_finding(build: object, examine: object) -> None:
    model = build()
    model.compile("sgd", lambda y, p: keras.ops.mean((y - p) ** 2))
    assert examine(model) == {}


def test_weights_that_are_no_numbers_are_found(build: object, examine: object) -> None:
    model = build()
    kernel = model.get_layer("conv_2").get_weights()
    kernel[0][0, 0, 0, 0] = np.nan
    model.get_layer("conv_2").set_weights(kernel)
    assert examine(model)["not-a-number"].layers == ("conv_2",)


def test_batch_that_is_baked_in_is_found(build: object, examine: object) -> None:  # E6
    assert "takes 4 inputs" in examine(build(batch_size=4))["fixed-batch"].found


def test_more_class_names_than_columns_are_found(build: object, flower_folder: object) -> None:
    data = tl.ImageFolder(flower_folder)
    found = {s.kind: s for s in tl.doctor(build(), data)}
    assert "4 columns and 3 class names" in found["labels"].found
    three = build(end=(keras.layers.Dense(3, activation="softmax", name="probabilities"),))
    kinds = tl.doctor(three, data).kinds
    assert "labels" not in kinds
    assert "no-labels" not in kinds


def test_numbered_output_and_missing_names_are_told_as_infos(
    build: object, flower_folder: object
) -> None:  # E1
    numbered = build(end=(keras.layers.Dense(3, activation="softmax", name="dense_7"),))
    found = {s.kind: s.severity for s in tl.doctor(numbered, tl.ImageFolder(flower_folder).test)}
    assert found.get("output-name") == "info"
    assert {s.kind: s.severity for s in tl.doctor(numbered)} == {"no-labels": "info"}
