"""The built-in backbone: its file, its weights, and that they transfer."""

from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from tlkeras.backbones.build import build
from tlkeras.backbones.catalogue import find
from tlkeras.backbones.tiny_resnet import SIZE_PX, WIDTH, TinyResNet

FILE = resources.files("tlkeras.backbones").joinpath("pretrained/tiny_resnet.weights.h5")


@pytest.fixture(scope="module")
def network() -> object:
    return build(find("TinyResNet"), "builtin")


def test_file_is_at_most_four_megabytes() -> None:
    assert len(FILE.read_bytes()) <= 4_000_000


def test_catalogue_tells_its_width_and_parameters(network: object) -> None:
    spec = find("TinyResNet")
    assert spec.width == WIDTH == network.output_shape[-1]
    assert spec.parameters == network.count_params()


def test_every_weight_was_trained(network: object) -> None:
    fresh = TinyResNet(input_shape=(SIZE_PX, SIZE_PX, 3))
    for trained, new in zip(network.weights, fresh.weights, strict=True):
        assert trained.shape == new.shape
        assert np.isfinite(trained.numpy()).all()
        assert not np.allclose(trained, new), trained.path


def test_embeddings_tell_pictures_of_any_shape_apart(network: object) -> None:
    rng = np.random.default_rng(0)
    pixels = np.kron(rng.uniform(0, 255, (3, 6, 9, 3)), np.ones((1, 20, 20, 1))).astype("float32")
    vectors = np.asarray(network(pixels))
    assert vectors.shape == (3, WIDTH)
    assert vectors.dtype == np.float32
    spread = np.linalg.norm(vectors[0] - vectors[1]) / np.linalg.norm(vectors[0])
    assert spread > 0.1


def test_arguments_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="include_top=False"):
        TinyResNet(include_top=True)


def test_map_without_pooling_is_a_sixteenth_of_the_picture() -> None:
    assert TinyResNet(input_shape=(64, 96, 3), pooling=None).output_shape == (None, 4, 6, WIDTH)


@pytest.mark.slow
def test_frozen_head_closes_half_the_gap_to_imagenet(shared_data: Path, tmp_path: Path) -> None:
    import tlkeras as tl

    data = tl.ImageFolder(shared_data / "datasets" / "clothing_small")
    clf = tl.ImageClassifier("TinyResNet").fit(data)
    # MobileNet 0.25 untrained .21, with ImageNet weights .70.
    assert clf.evaluate(data.test).accuracy >= (0.21 + 0.70) / 2
