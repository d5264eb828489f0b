import subprocess
import sys

import keras
import numpy as np
import pytest

from tlkeras.backbones.build import build
from tlkeras.backbones.catalogue import find
from tlkeras.backbones.graph import embedding_graph
from tlkeras.backbones.hashing import fingerprint
from tlkeras.backbones.preprocess import preprocess


def network(mode="tf", width=4, name=None) -> keras.Model:
    image = keras.Input((12, 10, 3), name="image")
    x = keras.layers.Conv2D(width, 3, name=name)(preprocess(image, mode))
    model = keras.Model(image, keras.layers.GlobalAveragePooling2D()(x))
    model.set_weights([np.linspace(0, 1, w.size).reshape(w.shape) for w in model.get_weights()])
    return model


def test_same_network_twice_has_one_fingerprint():
    assert fingerprint(network()) == fingerprint(network())


def test_layer_names_do_not_count():
    assert fingerprint(network(name="a")) == fingerprint(network(name="b"))


def test_freezing_does_not_count():
    model = network()
    before = fingerprint(model)
    model.trainable = False
    assert fingerprint(model) == before


def test_one_changed_weight_counts():
    model = network()
    before = fingerprint(model)
    weights = model.get_weights()
    weights[0][1, 2, 0, 3] += 1e-6
    model.set_weights(weights)
    assert fingerprint(model) != before


def test_preprocessing_counts():
    modes = ("none", "tf", "torch", "caffe")
    assert len({fingerprint(network(mode)) for mode in modes}) == 4


def test_picture_size_counts():
    small, large = (embedding_graph(find(f"MobileNet-0.25@{px}")) for px in (64, 96))
    large.set_weights(small.get_weights())
    assert fingerprint(small) != fingerprint(large)


def test_saving_and_loading_keeps_it(tmp_path, mobilenet):
    mobilenet.save(tmp_path / "m.keras")
    assert fingerprint(keras.models.load_model(tmp_path / "m.keras")) == fingerprint(mobilenet)


@pytest.mark.slow
def test_it_is_the_same_in_another_process():
    program = (
        "from tlkeras.backbones import find, fingerprint;from tlkeras.backbones.build import build;"
        "print(fingerprint(build(find('MobileNet-0.25@64'), None, seed=3)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    here = fingerprint(build(find("MobileNet-0.25@64"), None, seed=3))
    assert done.stdout.split()[-1] == here, done.stderr
