import os
from pathlib import Path

import numpy as np
import pytest

from tlkeras.data.labelled import list_arrays, list_csv, list_folder
from tlkeras.errors import DataError


@pytest.fixture
def tree(tmp_path):
    """Names → empty files below a folder; nothing here opens them."""

    def make(*names: str) -> Path:
        for name in names:
            path = tmp_path / "set" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if not name.endswith("/"):
                path.write_bytes(b"x")
            else:
                path.mkdir(exist_ok=True)
        return tmp_path / "set"

    return make


def test_class_folders_are_read_recursively(tree):
    root = tree("b/1.jpg", "a/2.png", "a/deep/er/3.webp")
    listing = list_folder(root)
    assert listing.class_names == ("a", "b")
    assert [(p.path.relative_to(root).as_posix(), p.label, p.part) for p in listing.pictures] == [
        ("a/2.png", 0, None),
        ("a/deep/er/3.webp", 0, None),
        ("b/1.jpg", 1, None),
    ]


def test_webp_and_tiff_are_listed(tree):  # D1
    names = [f"a/{i}{s}" for i, s in enumerate([".webp", ".tiff", ".TIF", ".JPEG", ".avif"])]
    assert len(list_folder(tree(*names, "b/1.jpg")).pictures) == 6


@pytest.mark.parametrize("names", [("train", "val", "test"), ("Training", "VALID", "testing")])
def test_given_parts_are_known_by_any_usual_name(names, tree):
    listing = list_folder(tree(*(f"{part}/{c}/1.jpg" for part in names for c in "ab")))
    assert listing.class_names == ("a", "b")
    assert {p.part for p in listing.pictures} == {"train", "validation", "test"}


def test_classes_may_be_called_train_and_bus(tree):
    listing = list_folder(tree("train/1.jpg", "bus/1.jpg"))
    assert listing.class_names == ("bus", "train")
    assert {p.part for p in listing.pictures} == {None}


def test_two_folders_for_one_part_are_an_error(tree):
    root = tree("train/a/1.jpg", "train/b/1.jpg", "val/a/1.jpg", "valid/a/1.jpg")
    with pytest.raises(DataError, match="two of them mean validation"):
        list_folder(root)


def test_other_files_are_kept_for_the_report(tree):  # D1
    root = tree("a/1.jpg", "a/notes.txt", "b/1.jpg", "b/raw.CR2", "LICENSE")
    assert {path.name for path in list_folder(root).ignored} == {"notes.txt", "raw.CR2", "LICENSE"}


def test_pictures_beside_given_parts_are_kept_for_the_report(tree):
    root = tree("train/a/1.jpg", "train/b/1.jpg", "extra/9.jpg")
    assert [path.name for path in list_folder(root).ignored] == ["9.jpg"]


def test_hidden_and_system_folders_are_no_classes(tree):  # D8
    root = tree("a/1.jpg", "b/1.jpg", ".ipynb_checkpoints/1.jpg", "__MACOSX/a/1.jpg", "Thumbs.db")
    listing = list_folder(root)
    assert listing.class_names == ("a", "b")
    assert listing.ignored == ()


def test_non_utf8_class_becomes_printable(tree):  # D8
    root = tree("b/1.jpg")
    try:
        os.mkdir(os.fsencode(root) + b"/caf\xe9")
        Path(os.fsdecode(os.fsencode(root) + b"/caf\xe9/1.jpg")).write_bytes(b"x")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    assert list_folder(root).class_names == ("b", "caf\\xe9")


def test_symlink_loop_does_not_multiply_pictures(tree):  # D8
    root = tree("a/1.jpg", "b/1.jpg")
    (root / "a" / "up").symlink_to(root, target_is_directory=True)
    (root / "b" / "over").symlink_to(root / "a", target_is_directory=True)
    assert len(list_folder(root).pictures) == 2


def test_linked_class_folder_is_read(tree, tmp_path):
    root = tree("a/1.jpg")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "2.jpg").write_bytes(b"x")
    (root / "b").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    assert list_folder(root).class_names == ("a", "b")


def test_missing_folder_lists_close_names(tree):
    root = tree("a/1.jpg")
    with pytest.raises(DataError, match=r"no such folder\. Did you mean .*set"):
        list_folder(root.parent / "sett")


def test_table_given_as_a_folder_is_told_apart(tmp_path):
    (tmp_path / "labels.csv").write_text("path,label\n")
    with pytest.raises(DataError, match="from_csv"):
        list_folder(tmp_path / "labels.csv")


def test_empty_folder_says_no_classes(tmp_path):
    with pytest.raises(DataError, match="no classes"):
        list_folder(tmp_path)


def test_one_class_is_refused_with_a_hint_where_the_classes_are(tree):
    root = tree("flower_photos/rose/1.jpg", "flower_photos/daisy/1.jpg")
    with pytest.raises(DataError, match=r"only one class.*did you mean .*flower_photos\?"):
        list_folder(root)


def test_everything_wrong_is_told_at_once(tree):  # F6
    root = tree("a/1.jpg", "empty/", "loose1.jpg", "loose2.png")
    with pytest.raises(DataError) as caught:
        list_folder(root)
    assert "2 picture(s) directly in" in str(caught.value)
    assert "class 'empty' has no pictures" in str(caught.value)


def test_csv_paths_are_relative_to_the_table(tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("path,label\nx/1.jpg,cat\n2.jpg,dog\n")
    listing = list_csv(table)
    assert [p.path for p in listing.pictures] == [tmp_path / "x" / "1.jpg", tmp_path / "2.jpg"]
    assert list_csv(table, root="/r").pictures[1].path == Path("/r/2.jpg")


def test_csv_may_give_split_and_group_in_any_column_order(tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("\ufeffLabel,Group,Split,Path\ncat,p1,train,1.jpg\ndog,,VAL,2.jpg\n", "utf-8")
    first, second = list_csv(table).pictures
    assert (first.part, first.group) == ("train", "p1")
    assert (second.part, second.group) == ("validation", None)


def test_csv_problems_are_told_at_once_with_their_lines(tmp_path):
    table = tmp_path / "t.csv"
    table.write_text(
        "path,label,split\n1.jpg,cat,train\n,dog,train\n3.jpg,,train\n4.jpg,dog,dev\n5.jpg,dog,\n"
    )
    with pytest.raises(DataError) as caught:
        list_csv(table)
    for words in ("line 3: no path", "line 4: no label", "line 5: split 'dev'", "5.jpg: no split"):
        assert words in str(caught.value)


def test_csv_without_the_columns_names_those_it_has(tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("file;label\n1.jpg;cat\n")
    with pytest.raises(DataError, match=r"got file;label: path and label missing"):
        list_csv(table)


def test_csv_row_said_twice_is_set_aside(tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("path,label\n1.jpg,cat\n2.jpg,dog\n1.jpg,cat\n")
    listing = list_csv(table)
    assert len(listing.pictures) == 2
    assert listing.set_aside[0].reason == "line 4 repeats line 2"


def test_missing_csv_is_told(tmp_path):
    with pytest.raises(DataError, match=r"none\.csv"):
        list_csv(tmp_path / "none.csv")


IMAGES = np.arange(4 * 5 * 6 * 3, dtype=np.uint8).reshape(4, 5, 6, 3)


@pytest.mark.parametrize(
    ("labels", "names", "indices"),
    [
        ([7, -3, 7, 100], ("-3", "7", "100"), [1, 0, 1, 2]),
        (["b", "a", "b", "a"], ("a", "b"), [1, 0, 1, 0]),
        (np.array([10, 9, 9, 10], np.uint8), ("9", "10"), [1, 0, 0, 1]),
        ([True, False, True, False], ("False", "True"), [1, 0, 1, 0]),
    ],
)
def test_any_labels_are_mapped_to_sorted_class_names(labels, names, indices):  # F6
    listing = list_arrays(IMAGES, labels)
    assert listing.class_names == names
    assert [p.label for p in listing.pictures] == indices


def test_class_names_belong_to_the_labels_in_order():
    assert list_arrays(IMAGES, [1, 0, 1, 0], ["z", "a"]).class_names == ("z", "a")
    listing = list_arrays(IMAGES, [2, 1, 2, 1], ["one", "two"])  # F6: not from 0
    assert [listing.class_names[p.label] for p in listing.pictures] == ["two", "one"] * 2


@pytest.mark.parametrize(
    ("labels", "class_names", "words"),
    [
        ([0, 1, 0, 5], ["a", "b"], "one name for each label"),
        (["cat", "dgo", "cat", "dog"], ["cat", "dog"], "Close to 'dgo': dog"),
        ([0, 1, 0, 1], ["a", "a"], "rename"),
        ([0, 1, 0, 1], ["a", "b", "c"], "class 'c' has no pictures"),
        ([1, 1, 1, 1], None, "only one class, '1'"),
        ([0, 1], None, "4 images, but 2 labels"),
        (np.eye(4), None, "argmax"),
    ],
)
def test_labels_that_do_not_fit_are_told(labels, class_names, words):  # F6
    with pytest.raises(DataError, match=words):
        list_arrays(IMAGES, labels, class_names)


@pytest.mark.parametrize("shape", [(4, 5, 6), (4, 5, 6, 1), (4, 5, 6, 3)])
def test_stacks_of_grey_and_rgb_are_taken(shape):  # P5
    listing = list_arrays(np.zeros(shape, np.uint8), [0, 1, 0, 1])
    assert {p.pixels.shape for p in listing.pictures} == {(5, 6, 3)}


def test_list_of_different_sizes_is_taken():
    images = [np.zeros((3 + i, 9 - i, 3), np.uint8) for i in range(4)]
    sizes = [p.pixels.shape for p in list_arrays(images, [0, 1, 0, 1]).pictures]
    assert sizes == [(3, 9, 3), (4, 8, 3), (5, 7, 3), (6, 6, 3)]


def test_wrong_channel_count_names_the_shape():  # P5
    with pytest.raises(DataError, match=r"image 0: .*\(5, 6, 2\)"):
        list_arrays(np.zeros((4, 5, 6, 2), np.uint8), [0, 1, 0, 1])


def test_floats_are_judged_over_all_pictures():
    images = np.stack([np.full((5, 6, 3), level, np.float32) for level in (0, 1, 90.4, 255)])
    levels = [int(p.pixels[0, 0, 0]) for p in list_arrays(images, [0, 1, 0, 1]).pictures]
    assert levels == [0, 1, 90, 255]
    with pytest.raises(DataError, match="multiply by 255"):
        list_arrays(images / 255, [0, 1, 0, 1])


def test_arrays_are_copied_and_sealed():
    images = IMAGES.copy()
    listing = list_arrays(images, [0, 1, 0, 1])
    images[:] = 0
    np.testing.assert_array_equal(listing.pictures[1].pixels, IMAGES[1])
    with pytest.raises(ValueError, match="read-only"):
        listing.pictures[1].pixels[0] = 0
