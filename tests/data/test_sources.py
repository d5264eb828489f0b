import os
from pathlib import Path

import numpy as np
import pytest

from tlkeras.data.sources import gather, pictures_below
from tlkeras.errors import DataError


@pytest.fixture
def tree(tmp_path):
    for name in ("b/2.JPG", "b/deep/3.webp", "1.png", "notes.txt", ".hidden/4.png", ".5.png"):
        path = tmp_path / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return tmp_path / "tree"


def test_folder_gives_its_pictures_sorted_without_hidden_ones(tree):
    names = [path.relative_to(tree).as_posix() for path in gather(tree)]
    assert names == ["1.png", "b/2.JPG", "b/deep/3.webp"]


def test_single_sources_are_wrapped(tree):
    assert gather(str(tree / "1.png")) == [tree / "1.png"]
    assert gather(b"abc") == [b"abc"]


def test_named_file_needs_no_known_suffix(tree):
    assert gather([tree / "notes.txt"]) == [tree / "notes.txt"]


def test_order_of_a_mixed_list_is_kept(tree):
    array = np.zeros((4, 6, 3), np.uint8)
    found = gather([tree / "b" / "2.JPG", array, b"abc", tree / "1.png"])
    assert found[0] == tree / "b" / "2.JPG"
    assert found[1] is array
    assert found[2:] == [b"abc", tree / "1.png"]


def test_pattern_is_expanded_sorted(tree):
    assert gather(str(tree / "**" / "*.*p*g")) == [tree / "1.png"]
    assert len(gather(str(tree / "*" / "*"))) == 1


def test_file_whose_name_looks_like_a_pattern_is_that_file(tmp_path):
    path = tmp_path / "a[1].png"
    path.write_bytes(b"x")
    assert gather(path) == [path]


@pytest.mark.parametrize("shape", [(5, 4, 6, 3), (5, 4, 6)])
def test_stack_gives_single_pictures(shape):
    assert [one.shape for one in gather(np.zeros(shape, np.uint8))] == [shape[1:]] * 5


def test_generator_is_read(tree):
    assert len(gather(path for path in [tree / "1.png", tree / "b"])) == 3


def test_all_missing_files_are_named_at_once(tree):
    (tree / "void").mkdir()
    with pytest.raises(DataError) as caught:
        gather([tree / "x.png", tree / "void", str(tree / "*.gif"), tree / "1.png", 7])
    for word in ("x.png: there is no such", "without pictures", "*.gif: no picture", "type int"):
        assert word in str(caught.value)


def test_something_else_is_refused():
    with pytest.raises(DataError, match="got int"):
        gather(3)


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="no symbolic links")
def test_symlink_loop_ends(tree):  # D8
    (tree / "b" / "again").symlink_to(tree, target_is_directory=True)
    (tree / "self").symlink_to(tree / "self")
    assert len(pictures_below(tree)[0]) == 3


def test_linked_folder_is_entered_once(tree, tmp_path):  # D8
    outside = tmp_path / "outside" / "sub"
    outside.mkdir(parents=True)
    (outside / "9.png").write_bytes(b"x")
    (tree / "one").symlink_to(tmp_path / "outside", target_is_directory=True)
    (tree / "two").symlink_to(tmp_path / "outside", target_is_directory=True)
    (outside / "back").symlink_to(tmp_path / "outside", target_is_directory=True)
    names = [path.name for path in pictures_below(tree)[0]]
    assert names.count("9.png") == 1


def test_system_files_are_skipped_silently(tmp_path):
    for name in ("Thumbs.db", "desktop.ini", "__MACOSX/a.jpg", ".ipynb_checkpoints/a.jpg", "b.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    assert pictures_below(tmp_path) == ([tmp_path / "b.jpg"], [], [])


def test_relative_names_stay_relative(tree, monkeypatch):
    monkeypatch.chdir(tree)
    assert gather("b") == [Path("b/2.JPG"), Path("b/deep/3.webp")]
