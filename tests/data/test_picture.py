import json
from pathlib import Path

import numpy as np
import pytest

from tlkeras.data.picture import Part, Picture, printable


def test_source_is_the_path_or_the_pixels():
    pixels = np.zeros((2, 3, 3), np.uint8)
    assert Picture(Path("a.jpg"), 0, "00").source == Path("a.jpg")
    assert Picture(Path("array/000000"), 0, "00", pixels).source is pixels


def test_pictures_with_pixels_compare_by_content_hash():
    first = Picture(Path("array/000000"), 0, "00", np.zeros((2, 3, 3), np.uint8))
    assert first == Picture(Path("array/000000"), 0, "00", np.ones((2, 3, 3), np.uint8))


def test_part_keeps_class_names_paths_and_labels_together():  # D6, D7
    pictures = (Picture(Path("b/1.png"), 1, "11"), Picture(Path("a/1.png"), 0, "00"))
    part = Part("test", pictures, ("a", "b", "c"))
    assert part.paths == (Path("b/1.png"), Path("a/1.png"))
    assert part.labels.tolist() == [1, 0]
    assert part.labels.dtype == np.int64
    assert part.sha256 == ("11", "00")
    assert part.counts() == {"a": 1, "b": 1, "c": 0}


def test_empty_part_has_int64_labels_of_shape_0():
    part = Part("test", (), ("a", "b"))
    assert part.labels.shape == (0,)
    assert part.labels.dtype == np.int64
    assert part.counts() == {"a": 0, "b": 0}


@pytest.mark.parametrize("name", ["caf\udce9.jpg", "a\nb.jpg", "flor-ñandú-🌸.jpg", "\udcff\t"])
def test_printable_names_encode_and_stay_on_one_line(name):  # D8
    text = printable(name)
    assert text.isprintable()
    assert json.loads(json.dumps(text).encode()) == text


def test_printable_keeps_readable_text():
    assert printable("ñandú 🌸.jpg") == "ñandú 🌸.jpg"
    assert printable("caf\udce9") != printable("caf\udce8")
