import hashlib
import logging
import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tlkeras.data.decode import decode
from tlkeras.data.folder import ImageFolder
from tlkeras.errors import DataError


def parts_of(data: ImageFolder) -> dict[str, str]:
    """File name → part."""
    return {
        path.name: part.name for part in (data.train, data.validation, data.test)
        for path in part.paths
    }  # fmt: skip


def test_folder_is_split_by_the_shares(classes):
    data = ImageFolder(classes({"a": 40, "b": 20}))
    assert data.class_names == ("a", "b")
    assert data.train.counts() == {"a": 28, "b": 14}
    assert data.validation.counts() == {"a": 6, "b": 3}
    assert data.test.counts() == {"a": 6, "b": 3}


def test_labels_belong_to_their_paths(classes):  # D7
    data = ImageFolder(classes({"a": 12, "b": 9}))
    for part in (data.train, data.validation, data.test):
        for path, label in zip(part.paths, part.labels, strict=True):
            assert path.parent.name == part.class_names[label]


def test_every_picture_is_in_exactly_one_part(classes):
    root = classes({"a": 12, "b": 9})
    data = ImageFolder(root)
    paths = data.train.paths + data.validation.paths + data.test.paths
    assert sorted(paths) == sorted(root.rglob("*.png"))


def test_seed_decides_the_split(classes):
    root = classes({"a": 20, "b": 20})
    assert ImageFolder(root, seed=1).train.paths == ImageFolder(root, seed=1).train.paths
    assert ImageFolder(root, seed=1).train.paths != ImageFolder(root, seed=2).train.paths


def test_split_does_not_depend_on_where_the_folder_lies(classes, tmp_path):
    root = classes({"a": 12, "b": 9})
    shutil.copytree(root, tmp_path / "else" / "where")
    here, there = ImageFolder(root), ImageFolder(tmp_path / "else" / "where")
    assert here.train.sha256 == there.train.sha256
    assert here.fingerprint() == there.fingerprint()


def test_fingerprint_is_of_content_label_and_part_in_order(classes, tmp_path):
    for seed, part in enumerate(("train", "val", "test")):
        classes({"a": 4, "b": 3}, f"set/{part}", 100 * seed)
    root = tmp_path / "set"
    shutil.copy(root / "test" / "a" / "000.png", root / "val" / "b" / "same.png")
    data = ImageFolder(root)
    rows = [
        (picture.sha256, picture.label, part.name)
        for part in (data.train, data.validation, data.test)
        for picture in part.pictures
    ]
    digest = hashlib.sha256(repr(data.class_names).encode())
    for row in sorted(rows):
        digest.update(repr(row).encode())
    assert data.fingerprint() == digest.hexdigest()


def test_fingerprint_changes_with_content_label_and_part(classes):
    root = classes({"a": 12, "b": 9})
    first = ImageFolder(root).fingerprint()
    assert ImageFolder(root, seed=5).fingerprint() != first
    (root / "a" / "000.png").rename(root / "b" / "900.png")
    assert ImageFolder(root).fingerprint() != first


@pytest.mark.parametrize("seed", range(5))
def test_copies_stay_in_one_part(seed, classes, draw):  # D5
    root = classes({"a": 12, "b": 12})
    for index in range(6):
        shutil.copy(root / "a" / f"{index:03}.png", root / "a" / f"{index:03}_exact.png")
        picture = Image.open(root / "b" / f"{index:03}.png")
        picture.save(root / "b" / f"{index:03}_near.jpg", quality=85)
    data = ImageFolder(root, seed=seed)
    parts = {f"{p.parent.name}{p.name}": part.name
             for part in (data.train, data.validation, data.test) for p in part.paths}  # fmt: skip
    for index in range(6):
        assert parts[f"a{index:03}.png"] == parts[f"a{index:03}_exact.png"]
        assert parts[f"b{index:03}.png"] == parts[f"b{index:03}_near.jpg"]


def test_groups_stay_in_one_part(classes):  # D5
    root = classes({"a": 24, "b": 24})
    data = ImageFolder(root, groups=lambda path: int(path.stem) // 4)  # across both classes
    parts = {}
    for part in (data.train, data.validation, data.test):
        for path in part.paths:
            parts.setdefault(int(path.stem) // 4, set()).add(part.name)
    assert all(len(names) == 1 for names in parts.values())
    assert min(data.validation.counts().values()) >= 1


def test_group_none_means_alone(classes):
    data = ImageFolder(classes({"a": 10, "b": 10}), groups=lambda path: None)
    assert len(data.train) == 14


def test_impossible_groups_name_the_class(classes):  # D5
    with pytest.raises(DataError, match=r"'b': 9 pictures in 1 group\(s\)"):
        ImageFolder(
            classes({"a": 12, "b": 9}),
            groups=lambda path: "one" if path.parent.name == "b" else None,
        )


def test_too_rare_class_is_told(classes):  # D4, F6
    with pytest.raises(DataError, match="'b': 1 picture"):
        ImageFolder(classes({"a": 12, "b": 1}))


def test_share_of_zero_leaves_the_part_empty(classes):
    data = ImageFolder(classes({"a": 12, "b": 2}), split=(0.8, 0.2, 0))
    assert len(data.test) == 0
    assert data.validation.counts() == {"a": 2, "b": 1}


@pytest.mark.parametrize(
    "shares", [(0.7, 0.3), (0.7, 0.2, 0.2), (0, 0.5, 0.5), (70, 15, 15), 0.2, (1.2, -0.2, 0)]
)
def test_shares_that_do_not_sum_up_are_refused(shares, classes):
    with pytest.raises(DataError, match="three shares"):
        ImageFolder(classes({"a": 3, "b": 3}), split=shares)


def test_given_parts_are_kept(classes, tmp_path):
    for seed, part in enumerate(("train", "val", "test")):
        classes({"a": 5 - seed, "b": 4}, f"set/{part}", 100 * seed)
    data = ImageFolder(tmp_path / "set")
    assert data.train.counts() == {"a": 5, "b": 4}
    assert data.validation.counts() == {"a": 4, "b": 4}
    assert data.test.counts() == {"a": 3, "b": 4}


@pytest.mark.parametrize("given", ["val", "test"])
def test_missing_part_is_taken_from_train(given, classes, tmp_path):
    classes({"a": 20, "b": 20}, "set/train")
    classes({"a": 3, "b": 3}, f"set/{given}", 100)
    data = ImageFolder(tmp_path / "set")
    made, kept = (data.test, data.validation) if given == "val" else (data.validation, data.test)
    assert len(kept) == 6
    assert made.counts() == {"a": 4, "b": 4}  # 0.15 of 0.85 of 20 is 3.5
    assert data.train.counts() == {"a": 16, "b": 16}


def test_missing_part_with_share_zero_stays_empty(classes, tmp_path):
    classes({"a": 10, "b": 10}, "set/train")
    classes({"a": 3, "b": 3}, "set/test", 100)
    data = ImageFolder(tmp_path / "set", split=(0.85, 0, 0.15))
    assert (len(data.train), len(data.validation), len(data.test)) == (20, 0, 6)


def test_training_copy_of_a_test_picture_is_set_aside(classes, tmp_path):  # D5
    classes({"a": 8, "b": 8}, "set/train")
    classes({"a": 3, "b": 3}, "set/test", 100)
    root = tmp_path / "set"
    shutil.copy(root / "test" / "a" / "001.png", root / "train" / "a" / "exact.png")
    Image.open(root / "test" / "b" / "002.png").save(root / "train" / "b" / "near.jpg", quality=85)
    data = ImageFolder(root)
    reasons = {item.path.name: item.reason for item in data.set_aside}
    assert set(reasons) == {"exact.png", "near.jpg"}
    assert str(root / "test" / "a" / "001.png") in reasons["exact.png"]
    assert len(data.test) == 6
    assert not {"exact.png", "near.jpg"} & {p.name for p in data.train.paths + data.test.paths}


def test_class_of_which_only_copies_train_is_told(classes, tmp_path):
    classes({"a": 8, "b": 3}, "set/train")
    classes({"a": 3}, "set/test", 100)
    shutil.copytree(tmp_path / "set" / "train" / "b", tmp_path / "set" / "test" / "b")
    with pytest.raises(DataError, match="'b' are copies of validation or test"):
        ImageFolder(tmp_path / "set")


def test_class_missing_from_train_is_told(classes, tmp_path):
    classes({"a": 5, "b": 5}, "set/train")
    classes({"a": 3, "c": 3}, "set/val", 100)
    with pytest.raises(DataError, match="'c' has none in train"):
        ImageFolder(tmp_path / "set")


@pytest.mark.timeout(60)
def test_bad_files_are_set_aside_by_name_and_the_rest_trains(classes):  # D2, D8, D9
    root = classes({"a": 12, "b": 12})
    good = (root / "a" / "000.png").read_bytes()
    (root / "a" / "cut.png").write_bytes(good[:200])
    (root / "a" / "empty.jpg").touch()
    (root / "b" / "page.jpg").write_text("<html>404</html>")
    (root / "b" / "gone.jpg").symlink_to(root / "nowhere.jpg")
    expected = {"cut.png", "empty.jpg", "page.jpg", "gone.jpg"}
    if hasattr(os, "mkfifo"):
        os.mkfifo(root / "b" / "pipe.jpg")
        expected.add("pipe.jpg")
    data = ImageFolder(root)
    assert {item.path.name for item in data.set_aside} == expected
    assert all(item.reason for item in data.set_aside)
    assert len(data.train) + len(data.validation) + len(data.test) == 24


def test_set_aside_pictures_are_logged(classes, caplog):
    root = classes({"a": 6, "b": 6})
    (root / "a" / "empty.jpg").touch()
    with caplog.at_level(logging.WARNING):
        ImageFolder(root)
    assert "1 of 13 pictures are set aside" in caplog.text
    assert "empty.jpg" in caplog.text


def test_class_without_a_readable_picture_is_named_with_the_reason(classes):
    root = classes({"a": 6, "b": 6})
    (root / "c").mkdir()
    (root / "c" / "1.jpg").touch()
    with pytest.raises(DataError, match=r"'c' has none, such as .*1\.jpg: the file is empty"):
        ImageFolder(root)


def test_same_picture_under_two_labels_is_kept_together_and_logged(classes, caplog):
    root = classes({"a": 8, "b": 8})
    shutil.copy(root / "a" / "003.png", root / "b" / "other.png")
    with caplog.at_level(logging.WARNING):
        data = ImageFolder(root)
    parts = [
        part.name
        for part in (data.train, data.validation, data.test)
        for path in part.paths
        if (path.parent.name, path.name) in (("a", "003.png"), ("b", "other.png"))
    ]
    assert len(parts) == 2
    assert len(set(parts)) == 1
    assert "several classes" in caplog.text
    assert not data.check().ok


def test_non_utf8_names_are_read_and_kept(classes):  # D8
    root = classes({"a": 6, "b": 6})
    odd = Path(os.fsdecode(os.fsencode(root / "a") + b"/\xe9.png"))
    try:
        (root / "a" / "000.png").rename(odd)
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    data = ImageFolder(root)
    (picture,) = [p for part in (data.train, data.validation, data.test)
                  for p in part.pictures if p.path == odd]  # fmt: skip
    assert picture.name.endswith("\\xe9.png")
    assert decode(picture.source).shape == (41, 67, 3)
    repr(data), str(data.check())


def test_csv_trains_like_the_folder(classes, tmp_path):
    root = classes({"a": 10, "b": 10})
    rows = [f"set/{p.parent.name}/{p.name},{p.parent.name}" for p in sorted(root.rglob("*.png"))]
    (tmp_path / "t.csv").write_text("path,label\n" + "\n".join(rows))
    data = ImageFolder.from_csv(tmp_path / "t.csv")
    assert data.fingerprint() == ImageFolder(root).fingerprint()


def test_csv_keeps_its_split_and_groups(classes, tmp_path):
    root = classes({"a": 12, "b": 12})
    rows = [f"{p.parent.name}/{p.name},{p.parent.name},{int(p.stem) // 3}"
            for p in sorted(root.rglob("*.png"))]  # fmt: skip
    (tmp_path / "t.csv").write_text("path,label,group\n" + "\n".join(rows))
    data = ImageFolder.from_csv(tmp_path / "t.csv", root=root)
    groups = [{int(path.stem) // 3 for path in part.paths}
              for part in (data.train, data.validation, data.test)]  # fmt: skip
    assert not groups[0] & groups[1]
    assert not groups[0] & groups[2]


def test_csv_files_that_are_missing_are_set_aside(classes, tmp_path):
    root = classes({"a": 6, "b": 6})
    rows = [f"{p.parent.name}/{p.name},{p.parent.name}" for p in root.rglob("*.png")]
    (tmp_path / "t.csv").write_text("path,label\n" + "\n".join([*rows, "a/none.png,a"]))
    data = ImageFolder.from_csv(tmp_path / "t.csv", root=root)
    assert [item.reason for item in data.set_aside] == ["there is no such file"]


def test_arrays_train_with_any_labels(draw):  # F6
    images = np.stack([draw(seed) for seed in range(20)])
    data = ImageFolder.from_arrays(images, [3, 10] * 10)
    assert data.class_names == ("3", "10")
    assert data.train.counts() == {"3": 7, "10": 7}
    picture = data.train.pictures[0]
    index = int(picture.path.name)
    assert picture.path == Path(f"array/{index:06}")
    np.testing.assert_array_equal(decode(picture.source), images[index])


def test_arrays_keep_groups_together(draw):  # D5
    images = np.stack([draw(seed) for seed in range(24)])
    groups = np.arange(24) // 2
    data = ImageFolder.from_arrays(images, [0] * 12 + [1] * 12, groups=groups)
    for part in (data.train, data.validation, data.test):
        members = [groups[int(path.name)] for path in part.paths]
        assert all(members.count(group) == 2 for group in members)


def test_result_cannot_be_changed(classes):
    data = ImageFolder(classes({"a": 4, "b": 4}))
    with pytest.raises(AttributeError):
        data.train = data.test
    with pytest.raises(AttributeError):
        data.train.pictures = ()


def test_data_set_survives_pickling(classes):
    data = ImageFolder(classes({"a": 6, "b": 6}))
    again = pickle.loads(pickle.dumps(data))
    assert again.train == data.train
    assert again.fingerprint() == data.fingerprint()


def test_data_set_shows_itself(classes):
    data = ImageFolder(classes({"<a>": 6, "b": 6}))
    assert "2 classes, train 8, validation 2, test 2, set aside 0" in repr(data)


def test_reading_folders_loads_no_tensorflow(classes):
    import subprocess
    import sys

    code = (
        "import sys; from tlkeras.data.folder import ImageFolder;"
        f"ImageFolder({str(classes({'a': 4, 'b': 4}))!r}).check();"
        "sys.exit('tensorflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
