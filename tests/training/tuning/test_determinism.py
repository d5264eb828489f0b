"""What an epoch draws, and how TensorFlow computes it."""

import numpy as np
import pytest

from tlkeras.training.tuning.determinism import deterministic_ops, seed_dropout
from tlkeras.training.tuning.environment import environment


def dropouts() -> object:
    import keras

    vectors = keras.Input((50,))
    inner = keras.Sequential([keras.Input((50,)), keras.layers.Dropout(0.5)])
    return keras.Model(vectors, keras.layers.Dropout(0.3, seed=7)(inner(vectors)))


def drawn(model: object) -> np.ndarray:
    return np.asarray(model(np.ones((4, 50), "float32"), training=True))


def test_fresh_networks_draw_the_same_and_layers_do_not() -> None:
    one, other = dropouts(), dropouts()
    for model in (one, other):
        seed_dropout(model, 3, 0, 1)
    first = drawn(one)
    np.testing.assert_array_equal(first, drawn(other))
    assert (drawn(one) != first).any()  # the next batch draws anew
    states = [v.numpy()[0] for v in one.variables if "seed_generator" in v.path]
    assert len(set(states)) == 2


@pytest.mark.parametrize("numbers", [(4, 0, 1), (3, 1, 1), (3, 0, 2)])
def test_another_seed_phase_or_epoch_draws_otherwise(numbers: tuple[int, ...]) -> None:
    one, other = dropouts(), dropouts()
    seed_dropout(one, 3, 0, 1)
    seed_dropout(other, *numbers)
    assert (drawn(one) != drawn(other)).any()


def test_tensorflow_is_as_it_was_afterwards() -> None:
    from tensorflow.python.framework import config

    before = config.is_op_determinism_enabled()
    with deterministic_ops(True):
        assert config.is_op_determinism_enabled()
        with deterministic_ops(True):
            pass
        assert config.is_op_determinism_enabled()
    assert config.is_op_determinism_enabled() == before


def test_environment_tells_variables_that_are_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
    told = environment()
    assert told["OMP_NUM_THREADS"] == "3"
    assert "TF_ENABLE_ONEDNN_OPTS" not in told
    assert told["onnxruntime"]
