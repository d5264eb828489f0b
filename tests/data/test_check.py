import json
import shutil

import numpy as np
import pytest
from PIL import Image

from tlkeras.data.check import Finding, Findings
from tlkeras.data.folder import ImageFolder


def kinds(data: ImageFolder) -> dict[str, Finding]:
    return {finding.kind: finding for finding in data.check()}


def test_clean_set_has_no_findings(classes):
    findings = ImageFolder(classes({"a": 16, "b": 16})).check()
    assert list(findings) == []
    assert findings.ok
    assert "0 errors, 0 warnings, 0 infos" in str(findings)


def test_unreadable_files_are_named_with_reasons(classes):  # D2
    root = classes({"a": 16, "b": 16})
    (root / "a" / "empty.jpg").touch()
    finding = kinds(ImageFolder(root))["unreadable"]
    assert finding.severity == "warning"
    assert finding.paths == (root / "a" / "empty.jpg",)
    assert "empty.jpg: the file is empty" in finding.message


def test_other_files_are_counted_by_suffix(classes):  # D1
    root = classes({"a": 16, "b": 16})
    for name in ("1.txt", "2.txt", "3.heic"):
        (root / "a" / name).touch()
    finding = kinds(ImageFolder(root))["ignored"]
    assert "3 other files left out: 2 .txt, 1 .heic" in finding.message


def test_exact_and_near_copies_are_told_apart(classes):  # D5
    root = classes({"a": 16, "b": 16})
    shutil.copy(root / "a" / "000.png", root / "a" / "copy.png")
    Image.open(root / "b" / "001.png").save(root / "b" / "near.jpg", quality=85)
    found = kinds(ImageFolder(root))
    assert {path.name for path in found["duplicate"].paths} == {"000.png", "copy.png"}
    assert {path.name for path in found["near-duplicate"].paths} == {"001.png", "near.jpg"}
    assert ImageFolder(root).check().ok


def test_same_file_under_two_labels_is_an_error(classes):
    root = classes({"a": 16, "b": 16})
    shutil.copy(root / "a" / "000.png", root / "b" / "copy.png")
    data = ImageFolder(root)
    finding = kinds(data)["two-labels"]
    assert finding.severity == "error"
    assert "a and b: 1" in finding.message
    assert {path.name for path in finding.paths} == {"000.png", "copy.png"}
    assert not data.check().ok


def test_near_copy_under_two_labels_is_a_warning(classes):
    root = classes({"a": 16, "b": 16})
    Image.open(root / "a" / "000.png").save(root / "b" / "near.jpg", quality=85)
    assert kinds(ImageFolder(root))["two-labels-near"].severity == "warning"


def test_leak_across_a_given_split_is_found(classes, tmp_path):  # D5
    classes({"a": 12, "b": 12}, "set/train")
    classes({"a": 3, "b": 3}, "set/val", 100)
    classes({"a": 3, "b": 3}, "set/test", 200)
    root = tmp_path / "set"
    shutil.copy(root / "test" / "a" / "000.png", root / "train" / "a" / "copy.png")
    shutil.copy(root / "test" / "b" / "000.png", root / "val" / "b" / "copy.png")
    leaked = [finding for finding in ImageFolder(root).check() if finding.kind == "leaked"]
    assert [len(finding.paths) for finding in leaked] == [1, 2]


def test_group_torn_by_a_given_split_is_found(classes, tmp_path):  # D5
    root = classes({"a": 6, "b": 6})
    rows = [
        f"{p.parent.name}/{p.name},{p.parent.name},{('train', 'val', 'test')[int(p.stem) % 3]},p1"
        for p in sorted(root.rglob("*.png"))
    ]
    (tmp_path / "t.csv").write_text("path,label,split,group\n" + "\n".join(rows))
    assert "torn-group" in kinds(ImageFolder.from_csv(tmp_path / "t.csv", root=root))


def test_unbalanced_classes_are_found(classes):
    message = kinds(ImageFolder(classes({"a": 64, "b": 16})))["unbalanced"].message
    assert "a 45, b 11" in message or "a 45, b 12" in message or "a 44, b" in message


def test_classes_with_few_pictures_are_named(classes):
    assert "b 4" in kinds(ImageFolder(classes({"a": 16, "b": 6})))["few-pictures"].message


def test_class_missing_from_a_given_part_is_found(classes, tmp_path):
    classes({"a": 12, "b": 12}, "set/train")
    classes({"a": 3}, "set/val", 100)
    classes({"a": 3, "b": 3}, "set/test", 200)
    message = kinds(ImageFolder(tmp_path / "set"))["missing-class"].message
    assert message == "not in validation at all: b"


def test_odd_sizes_are_found(classes):  # D9
    root = classes({"a": 16, "b": 16})
    Image.new("RGB", (1, 1), "red").save(root / "a" / "dot.png")
    Image.new("RGB", (400, 50), "blue").save(root / "b" / "strip.png")
    found = kinds(ImageFolder(root))
    assert [path.name for path in found["tiny"].paths] == ["dot.png"]
    assert "1 x 1" in found["tiny"].message
    assert [path.name for path in found["extreme-aspect"].paths] == ["strip.png"]


def test_size_unlike_all_the_others_is_mentioned(classes, draw):
    root = classes({"a": 16, "b": 16})
    Image.fromarray(draw(500, 41 * 6, 67 * 6)).save(root / "a" / "large.png")
    Image.fromarray(draw(501, 41 * 2, 67 * 2)).save(root / "b" / "twice.png")
    finding = kinds(ImageFolder(root))["odd-size"]
    assert list(finding.paths) == [root / "a" / "large.png"]
    assert list(finding.details) == ["402 x 246"]
    assert "most, which are about 52 px a side" in finding.message
    assert finding.severity == "info"


def test_sizes_that_vary_widely_are_not_odd(classes, draw):
    root = classes({"a": 8, "b": 8})
    for number in range(16):
        side = 40 * 2 ** (number % 5)
        Image.fromarray(draw(500 + number, side, side + 7)).save(root / "a" / f"s{number}.png")
    assert "odd-size" not in kinds(ImageFolder(root))


def test_copies_say_their_set_class_and_part(classes):
    root = classes({"a": 16, "b": 16})
    for number in (2, 5):
        shutil.copy(root / "a" / f"{number:03}.png", root / "a" / f"copy{number}.png")
    finding = kinds(ImageFolder(root))["duplicate"]
    sets = [detail.split(", ") for detail in finding.details]
    assert [one[:2] for one in sets] == [["set 1", "a"]] * 2 + [["set 2", "a"]] * 2
    assert sets[0][2] == sets[1][2]
    assert sets[2][2] == sets[3][2]


def test_turned_and_converted_pictures_are_mentioned(classes, draw, encode, portrait_exif):  # D3
    root = classes({"a": 16, "b": 16})
    (root / "a" / "turned.jpg").write_bytes(encode(draw(500), "JPEG", exif=portrait_exif))
    grey = Image.fromarray(draw(501)).convert("L")
    (root / "b" / "grey.png").write_bytes(encode(grey, "PNG"))  # P5
    found = kinds(ImageFolder(root))
    assert found["rotated"].paths == (root / "a" / "turned.jpg",)
    assert "1 L" in found["not-rgb"].message
    assert found["rotated"].severity == found["not-rgb"].severity == "info"


@pytest.fixture
def findings(tmp_path):
    many = tuple(tmp_path / f"{index}.png" for index in range(17))
    return Findings(
        "17 pictures",
        [Finding("tiny", "info", "<small>", many), Finding("two-labels", "error", "bad\nvery")],
    )


def test_gravest_finding_comes_first(findings):
    assert [finding.kind for finding in findings] == ["two-labels", "tiny"]
    assert findings[1].kind == "tiny"
    assert not findings.ok


def test_text_is_aligned_and_shows_five_examples(findings):
    lines = str(findings).splitlines()
    assert lines[:3] == ["17 pictures", "1 error, 0 warnings, 1 info", ""]
    assert lines[3] == "error    two-labels  bad"
    assert lines[4] == " " * 21 + "very"
    assert lines[5] == "info     tiny        <small>"
    assert len(lines) == 12
    assert lines[-1].strip() == "and 12 more"


def test_dictionary_goes_into_json_with_every_path(findings):
    again = json.loads(json.dumps(findings.to_dict()))
    assert again["ok"] is False
    assert len(again["findings"][1]["paths"]) == 17


def test_html_is_escaped(findings):
    assert "&lt;small&gt;" in findings._repr_html_()
    assert "and 12 more" in findings._repr_html_()


def test_arrays_are_checked_too(draw):
    images = np.stack([draw(seed, 20, 30) for seed in range(24)])
    assert "tiny" in kinds(ImageFolder.from_arrays(images, [0, 1] * 12))
