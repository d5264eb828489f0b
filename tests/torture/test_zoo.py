"""Hostile model files: each refused at its own door, its canary silent; and canaries that can sing.

`python -m tests.torture zoo` opens each of them at every door.
"""

import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.torture.zoo import BEASTS
from tests.torture.zoo.den import SECRET, Den
from tests.torture.zoo.doors import DOORS, OWN
from tests.torture.zoo.watched import at_own_door

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")


def made(name: str, home: Path) -> Den:
    BEASTS[name].make(Den(home, name))
    return Den(home, name)


def test_there_are_beasts_of_every_kind_and_each_has_a_door() -> None:
    assert len(BEASTS) >= 90
    assert {beast.door for beast in BEASTS.values()} == OWN.keys()
    assert set(OWN.values()) <= DOORS.keys()


@pytest.mark.slow
def test_every_hostile_file_is_refused_at_its_own_door(tmp_path: Path) -> None:
    """One process opens them all: a canary, a fault, 60 s or 2 GB would fail."""
    pytest.importorskip("torch")
    outcomes = list(at_own_door(BEASTS.values(), tmp_path))
    assert {outcome.beast for outcome in outcomes} == BEASTS.keys()
    assert not [outcome for outcome in outcomes if outcome.wrong]


# --- the canaries sing where nobody guards: without these, silence would prove nothing ------------


@pytest.mark.parametrize("name", ["payload.pt", "payload.pth", "whole_module.pt"])
def test_payload_of_a_pickle_runs_without_the_guard(name: str, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    den = made(name, tmp_path)
    assert not den.fired.exists()
    torch.load(den.path, weights_only=False)
    assert den.fired.exists()


def test_payload_of_a_lambda_runs_without_the_guard(tmp_path: Path) -> None:
    import keras

    den = made("lambda.keras", tmp_path)
    assert not den.fired.exists()
    model = keras.models.load_model(den.path, compile=False, safe_mode=False)
    model(np.zeros((1, 32, 32, 3), "float32"))
    assert den.fired.exists()


def test_operators_of_a_saved_model_run_without_the_guard(tmp_path: Path) -> None:
    import tensorflow as tf

    den = made("write_file", tmp_path)
    pixels = tf.zeros((1, 16, 16, 3))
    assert not den.fired.exists()
    tf.saved_model.load(str(den.path)).signatures["serving_default"](x=pixels)
    assert den.fired.exists()
    den = made("read_file", tmp_path)
    answers = tf.saved_model.load(str(den.path)).signatures["serving_default"](x=pixels)
    assert float(next(iter(answers.values()))[0, 0]) == SECRET


def test_hdf5_reads_the_secret_without_the_guard(tmp_path: Path) -> None:
    import h5py

    den = made("external_storage.weights.h5", tmp_path)
    with h5py.File(den.path, "r") as file:
        assert file["layers/conv2d/vars/0"][0] == SECRET


@pytest.mark.parametrize("name", ["upwards.onnx", "absolute.onnx", "hard_linked.onnx"])
def test_onnx_runtime_reads_the_secret_where_it_may(name: str, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    den = made(name, tmp_path)
    try:
        session = onnxruntime.InferenceSession(str(den.path))
    except Exception as err:  # a version that refuses by itself
        pytest.skip(str(err)[:200])
    answer = session.run(None, {"x": np.ones((1, 3, 16, 16), "float32")})[0]
    assert answer.max() == pytest.approx(27 * SECRET)


def test_torchscript_maps_the_secret_without_the_guard(tmp_path: Path) -> None:
    torch: Any = pytest.importorskip("torch")
    den = made("from_file.pt", tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network = torch.jit.load(str(den.path))
        assert float(network(torch.zeros(1, 3, 8, 8)).ravel()[0]) == SECRET
