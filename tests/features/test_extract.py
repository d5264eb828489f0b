from pathlib import Path

import numpy as np
import pytest

from tlkeras.data.augment import Augmentation
from tlkeras.data.decode import decode
from tlkeras.data.folder import ImageFolder
from tlkeras.errors import DecodeError
from tlkeras.features.extract import Extractor, View


@pytest.fixture
def pictures(flower_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple:
    monkeypatch.setenv("TLKERAS_CACHE", str(tmp_path / "cache"))
    return ImageFolder(flower_folder).train.pictures


def test_rows_are_what_the_model_gives_for_each_picture(
    tiny_backbone: object, pictures: tuple
) -> None:
    features = Extractor(tiny_backbone, 24, batch_size=7)(pictures)
    assert features.vectors.shape == (len(pictures), 6)
    assert features.vectors.std(axis=0).max() > 1e-3
    for row in (0, 5, len(pictures) - 1):
        alone = tiny_backbone(decode(pictures[row].path)[None].astype("float32"))
        np.testing.assert_allclose(features.vectors[row], alone[0], atol=1e-5)
        assert features.labels[row] == pictures[row].label
        assert features.ids[row] == pictures[row].sha256


def test_known_pictures_do_not_pass_the_backbone_again(
    tiny_backbone: object, pictures: tuple
) -> None:
    first = Extractor(tiny_backbone, 24)
    before = first(pictures)
    second = Extractor(tiny_backbone, 24)
    after = second(list(reversed(pictures)))
    assert (first.passes, second.passes) == (len(pictures), 0)
    np.testing.assert_array_equal(after.vectors, before.vectors[::-1])


def test_changed_weights_are_another_backbone(tiny_backbone: object, pictures: tuple) -> None:
    import keras

    Extractor(tiny_backbone, 24)(pictures)
    other = keras.models.clone_model(tiny_backbone)
    other.set_weights([value * 1.01 for value in tiny_backbone.get_weights()])
    changed = Extractor(other, 24)
    changed(pictures)
    assert changed.passes == len(pictures)


def test_without_cache_every_call_computes(tiny_backbone: object, pictures: tuple) -> None:
    extract = Extractor(tiny_backbone, 24, cached=False)
    extract(pictures)
    extract(pictures)
    assert extract.passes == 2 * len(pictures)


def test_view_is_another_look_and_the_same_one_each_time(
    tiny_backbone: object, pictures: tuple
) -> None:
    view = View(Augmentation(), number=1, seed=0)
    extract = Extractor(tiny_backbone, 24)
    plain, look = extract(pictures), extract(pictures, view)
    other = extract(pictures, View(Augmentation(), number=2, seed=0))
    uncached = Extractor(tiny_backbone, 24, cached=False, batch_size=5)(pictures, view)
    assert not np.allclose(plain.vectors, look.vectors)
    assert not np.allclose(other.vectors, look.vectors)
    np.testing.assert_allclose(uncached.vectors, look.vectors, atol=1e-5)


def test_view_of_a_picture_does_not_depend_on_its_neighbours(
    tiny_backbone: object, pictures: tuple
) -> None:
    view = View(Augmentation(), number=1, seed=0)
    extract = Extractor(tiny_backbone, 24, cached=False)
    alone = extract(pictures[3:4], view)
    among = extract(pictures, view)
    np.testing.assert_allclose(alone.vectors[0], among.vectors[3], atol=1e-5)


def test_picture_that_vanished_is_named(tiny_backbone: object, tmp_path: Path) -> None:
    from tests.conftest import write_flowers

    folder = write_flowers(tmp_path / "flowers", per_class=8, seed=5)
    data = ImageFolder(folder)
    data.train.paths[0].unlink()
    with pytest.raises(DecodeError, match=data.train.paths[0].name):
        Extractor(tiny_backbone, 24, cached=False)(data.train.pictures)
