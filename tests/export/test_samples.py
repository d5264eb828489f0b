import io

from PIL import Image

from tlkeras.export.samples import sample_pictures


def test_samples_are_the_same_each_time() -> None:
    assert sample_pictures(40) == sample_pictures(40)


def test_samples_are_not_square_and_of_several_kinds() -> None:
    opened = [Image.open(io.BytesIO(data)) for data in sample_pictures(40)]
    assert all(image.width != image.height for image in opened)
    assert {image.mode for image in opened} == {"RGB", "L", "P"}
    assert {image.getexif().get(0x0112) for image in opened} == {None, 6}


def test_samples_exist_for_the_smallest_size() -> None:
    assert all(Image.open(io.BytesIO(data)).size >= (2, 2) for data in sample_pictures(1))
