"""From pictures as users have them to explanations."""

from io import BytesIO
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from tests.evaluation.explain import networks
from tlkeras.data.resize import resize
from tlkeras.errors import DataError, DecodeError
from tlkeras.evaluation.explain import explain, explain_each

NAMES = ("daisy", "iris", "rose")
SIZE_PX = networks.SIDE


@pytest.fixture(scope="module")
def model() -> keras.Model:
    """Takes square pictures of 44 px."""
    return networks.drawn(networks.square(), 3)


@pytest.fixture
def picture() -> np.ndarray:
    return networks.pictures(1, height=60, width=100)[0].round().astype("uint8")


def png(pixels: np.ndarray) -> bytes:
    out = BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def test_path_bytes_and_array_give_the_same(
    model: keras.Model, picture: np.ndarray, tmp_path: Path
) -> None:
    (tmp_path / "a.png").write_bytes(png(picture))
    sources = [tmp_path / "a.png", str(tmp_path / "a.png"), png(picture), picture]
    found = [explain(model, source, SIZE_PX, NAMES) for source in sources]
    for each in found:
        np.testing.assert_array_equal(each.pixels, picture)
        np.testing.assert_array_equal(each.coarse, found[0].coarse)
    assert [each.name for each in found[2:]] == ["bytes 0", "array 0"]
    assert found[0].name == str(tmp_path / "a.png")


def test_answer_and_probability_are_the_models(model: keras.Model, picture: np.ndarray) -> None:
    small = resize(picture, (SIZE_PX, SIZE_PX))
    answers = np.asarray(model(small[np.newaxis]))[0]
    found = explain(model, picture, SIZE_PX, NAMES)
    assert found.label == found.answer == NAMES[answers.argmax()]
    assert found.probability == pytest.approx(answers.max(), abs=1e-6)
    other = explain(model, picture, SIZE_PX, NAMES, label="daisy")
    assert (other.label, other.answer) == ("daisy", found.answer)
    assert other.probability == pytest.approx(answers[0], abs=1e-6)


def test_hottest_place_is_one(model: keras.Model, picture: np.ndarray) -> None:
    for method in ("gradcam", "occlusion"):
        found = explain(model, picture, SIZE_PX, NAMES, method=method)
        assert found.coarse.max() in (0, pytest.approx(1))
        assert found.heat.shape == (60, 100)


def test_many_are_as_one_by_one_and_an_unreadable_one_is_none(
    model: keras.Model, tmp_path: Path
) -> None:
    pictures = networks.pictures(11, height=50, width=70).round().astype("uint8")
    (tmp_path / "broken.jpg").write_bytes(b"not a picture")
    sources = [*pictures[:9], tmp_path / "broken.jpg", *pictures[9:]]
    labels = [None, *(["iris", "rose"] * 6)][: len(sources)]
    found = explain_each(model, sources, SIZE_PX, NAMES, labels=labels)
    assert [place for place, each in enumerate(found) if each is None] == [9]
    for each, source, label in zip(found, sources, labels, strict=True):
        if each is not None:
            alone = explain(model, source, SIZE_PX, NAMES, label=label)
            np.testing.assert_allclose(each.coarse, alone.coarse, atol=1e-5)
            assert each.label == alone.label
    assert explain_each(model, [], SIZE_PX, NAMES) == []
    assert explain_each(model, [tmp_path / "broken.jpg"], SIZE_PX, NAMES) == [None]


def test_unreadable_picture_is_an_error_for_one(model: keras.Model, tmp_path: Path) -> None:
    with pytest.raises(DecodeError, match="no such file"):
        explain(model, tmp_path / "gone.jpg", SIZE_PX, NAMES)


def test_unknown_class_and_method_are_told(model: keras.Model, picture: np.ndarray) -> None:
    with pytest.raises(DataError, match=r"3 classes\. Received: 'roes'\. Did you mean 'rose'"):
        explain(model, picture, SIZE_PX, NAMES, label="roes")
    with pytest.raises(DataError, match=r"gradcam, occlusion\. Received: 'lime'"):
        explain(model, picture, SIZE_PX, NAMES, method="lime")


def test_scores_become_probabilities() -> None:
    linear = networks.drawn(networks.flat(), 3)
    scores = keras.Model(linear.input, linear.get_layer("logits").output)
    pixels = networks.pictures(1, height=44, width=44).round()[0].astype("uint8")
    image = keras.Input((44, 44, 3))
    resized = keras.layers.Resizing(networks.HEIGHT, networks.WIDTH)(image)
    plain, squashed = (keras.Model(image, each(resized)) for each in (scores, linear))
    found, expected = (explain(each, pixels, 44, NAMES, label="iris") for each in (plain, squashed))
    assert found.probability == pytest.approx(expected.probability, abs=1e-5)
    np.testing.assert_allclose(found.coarse, expected.coarse, atol=1e-4)
