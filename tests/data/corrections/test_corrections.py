import csv
import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from tlkeras.data.corrections.corrections import Corrections
from tlkeras.data.folder import ImageFolder
from tlkeras.errors import DataError


@pytest.fixture
def root(classes) -> Path:
    return classes({"daisy": 12, "rose": 12})


def labels_of(data: ImageFolder) -> dict[str, str]:
    """Class name by path below the root, of every picture that is used."""
    return {
        path.relative_to(data.root).as_posix(): data.class_names[label]
        for part in (data.train, data.validation, data.test)
        for path, label in zip(part.paths, part.labels, strict=True)
    }


def content(root: Path) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in root.rglob("*.png")
    }


def kinds(data: ImageFolder) -> dict[str, object]:
    return {finding.kind: finding for finding in data.check()}


def test_relabelled_picture_has_the_new_label_when_the_folder_is_opened_again(root):
    data = ImageFolder(root)
    data.corrections.relabel("rose/003.png", "daisy", "white petals")
    assert labels_of(data)["rose/003.png"] == "rose"
    again = labels_of(ImageFolder(root))
    assert again["rose/003.png"] == "daisy"
    assert len(again) == 24
    assert sum(name == "daisy" for name in again.values()) == 13


def test_picture_left_out_is_not_used_and_says_why(root):
    Corrections(root).leave_out("rose/003.png", "a drawing")
    data = ImageFolder(root)
    assert "rose/003.png" not in labels_of(data)
    (aside,) = data.set_aside
    assert (aside.path, aside.kind) == (root / "rose" / "003.png", "left-out")
    assert aside.reason == "left out (a drawing)"


def test_no_picture_is_moved_changed_or_deleted(root):
    before = content(root)
    corrections = Corrections(root)
    corrections.relabel("rose/003.png", "daisy")
    corrections.leave_out("daisy/001.png")
    ImageFolder(root)
    corrections.undo()
    assert content(root) == before


def test_undo_takes_back_the_last_ones_only(root):
    corrections = Corrections(root)
    for number in range(4):
        corrections.relabel(f"rose/{number:03}.png", "daisy")
    undone = corrections.undo(3)
    assert [one.path for one in undone] == [f"rose/{number:03}.png" for number in (1, 2, 3)]
    assert [one.path for one in corrections] == ["rose/000.png"]
    assert sum(name == "daisy" for name in labels_of(ImageFolder(root)).values()) == 13


def test_undoing_everything_gives_the_same_data_set_as_before(root):
    before = ImageFolder(root).fingerprint()
    corrections = Corrections(root)
    corrections.relabel("rose/000.png", "daisy")
    corrections.leave_out("rose/001.png")
    assert ImageFolder(root).fingerprint() != before
    corrections.undo(2)
    assert ImageFolder(root).fingerprint() == before


def test_undoing_more_than_there_are_is_refused(root):
    with pytest.raises(DataError, match=r"from 0 to 0.*Received: 1"):
        Corrections(root).undo()


def test_journal_is_a_plain_table_with_what_the_label_was(root):
    corrections = Corrections(root)
    corrections.relabel("rose/000.png", "daisy", 'says "daisy", below')
    corrections.leave_out("rose/000.png")
    with open(root / "labels.csv", encoding="utf-8", newline="") as file:
        first, second = csv.DictReader(file)
    assert list(first) == ["time", "path", "label", "was", "reason"]
    assert (first["label"], first["was"]) == ("daisy", "rose")
    assert first["reason"] == 'says "daisy", below'
    assert (second["path"], second["label"], second["was"]) == ("rose/000.png", "", "daisy")


def test_last_correction_of_a_picture_holds(root):
    corrections = Corrections(root)
    corrections.leave_out("rose/000.png")
    corrections.relabel("rose/000.png", "daisy")
    corrections.relabel("rose/000.png", "rose")
    data = ImageFolder(root)
    assert labels_of(data)["rose/000.png"] == "rose"
    assert "corrected" not in kinds(data)


def test_present_label_given_again_counts_as_decided(root):
    corrections = Corrections(root)
    corrections.relabel("rose/000.png", "rose")
    corrections.leave_out("rose/001.png")
    assert corrections.decided == {root / "rose" / "000.png"}


@pytest.mark.parametrize("how", ["root", "absolute", "working", "link"])
def test_picture_may_be_named_from_anywhere(root, how, monkeypatch, tmp_path):
    monkeypatch.chdir(root / "rose")
    os.symlink(root, tmp_path / "link")
    path = {
        "root": "rose/000.png",
        "absolute": root / "rose" / "000.png",
        "working": "000.png",
        "link": tmp_path / "link" / "rose" / "000.png",
    }[how]
    assert Corrections(root).relabel(path, "daisy").path == "rose/000.png"


def test_unknown_picture_is_refused_with_close_names(root):
    with pytest.raises(DataError, match=r"Received: 'rose/03.png'. Did you mean rose/003.png"):
        Corrections(root).relabel("rose/03.png", "daisy")
    assert not (root / "labels.csv").exists()


def test_unknown_class_is_refused_with_close_names(root):
    with pytest.raises(DataError, match=r"'dasiy'. Did you mean daisy\? For a new class make"):
        Corrections(root).relabel("rose/003.png", "dasiy")


def test_new_class_is_an_empty_folder_that_pictures_are_relabelled_to(root):
    (root / "iris").mkdir()
    with pytest.raises(DataError, match="'iris' has no pictures"):
        ImageFolder(root)
    for number in range(6):
        Corrections(root).relabel(f"rose/{number:03}.png", "iris")
    data = ImageFolder(root)
    assert data.class_names == ("daisy", "iris", "rose")
    assert sum(part.counts()["iris"] for part in (data.train, data.validation, data.test)) == 6


def test_last_picture_of_a_class_stays(classes):
    root = classes({"a": 2, "b": 12})
    corrections = Corrections(root)
    corrections.leave_out("a/000.png")
    with pytest.raises(DataError, match=r"a/001.png, the last one of 'a'"):
        corrections.relabel("a/001.png", "b")


def test_journal_that_empties_a_class_can_still_be_undone(root):
    rows = [f",rose/{number:03}.png,daisy,rose," for number in range(12)]
    (root / "labels.csv").write_text("time,path,label,was,reason\n" + "\n".join(rows))
    with pytest.raises(DataError, match=r"labels.csv leaves no picture to 'rose'"):
        ImageFolder(root)
    Corrections(root).undo(4)
    assert sum(name == "rose" for name in labels_of(ImageFolder(root)).values()) == 4


def test_check_tells_how_many_are_in_force(root):
    corrections = Corrections(root)
    corrections.relabel("rose/000.png", "daisy", "white")
    corrections.leave_out("daisy/001.png")
    finding = kinds(ImageFolder(root))["corrected"]
    assert finding.severity == "info"
    assert "2 corrections of labels.csv in force: 1 relabelled, 1 left out" in finding.message
    assert list(finding.paths) == [root / "rose" / "000.png", root / "daisy" / "001.png"]
    assert list(finding.details) == ["rose → daisy (white)", "left out"]


def test_rows_that_fit_nothing_are_told_and_the_others_hold(root, caplog):
    rows = [",rose/gone.png,daisy,rose,", ",rose/001.png,dasiy,rose,", ",,daisy,,", ",rose/002.png"]
    rows.append(",rose/000.png,daisy,rose,")
    (root / "labels.csv").write_text("time,path,label,was,reason\n" + "\n".join(rows))
    data = ImageFolder(root)
    message = kinds(data)["stale-correction"].message
    assert "4 rows" in message
    for text in ("no picture rose/gone.png", "no class 'dasiy'", "no path", "no label"):
        assert text in message
        assert text in caplog.text
    assert labels_of(data)["rose/000.png"] == "daisy"
    assert labels_of(data)["rose/001.png"] == "rose"


def test_labels_of_somebody_else_are_left_alone_and_told(root):
    foreign = "id,breed\n1,poodle\n"
    (root / "labels.csv").write_text(foreign)
    data = ImageFolder(root)
    assert "has id, breed" in kinds(data)["foreign-labels"].message
    with pytest.raises(DataError, match="Rename that file"):
        data.corrections.relabel("rose/000.png", "daisy")
    assert (root / "labels.csv").read_text() == foreign
    assert len(labels_of(data)) == 24


def test_own_journal_is_not_counted_among_the_other_files(root):
    Corrections(root).relabel("rose/000.png", "daisy")
    assert "ignored" not in kinds(ImageFolder(root))


def test_spreadsheet_may_save_the_journal_with_semicolons_and_a_mark(root):
    text = "time;path;label;was;reason\r\n;rose/000.png;daisy;rose;white, large\r\n"
    (root / "labels.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert labels_of(ImageFolder(root))["rose/000.png"] == "daisy"
    corrections = Corrections(root)
    corrections.leave_out("rose/001.png")
    assert [one.reason for one in corrections] == ["white, large", ""]


def test_name_that_is_not_utf_8_can_be_corrected(root):
    odd = os.fsdecode(b"caf\xe9, 1.png")
    (root / "rose" / "000.png").rename(root / "rose" / odd)
    Corrections(root).relabel(root / "rose" / odd, "daisy")
    assert labels_of(ImageFolder(root))[f"rose/{odd}"] == "daisy"
    assert "caf\\xe9" in str(Corrections(root))


def test_correction_keeps_the_part_of_a_given_split(classes, tmp_path):
    for part, seed in (("train", 0), ("val", 100), ("test", 200)):
        classes({"a": 6, "b": 6}, f"set/{part}", seed)
    Corrections(tmp_path / "set").relabel("test/a/000.png", "b")
    data = ImageFolder(tmp_path / "set")
    assert data.test.counts() == {"a": 5, "b": 7}


def test_folder_that_cannot_be_written_is_an_error_in_words(root, monkeypatch):
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(DataError, match=r"Permission denied. Make it writable"):
        Corrections(root).relabel("rose/000.png", "daisy")
    assert [path.name for path in root.iterdir() if path.is_file()] == []


def test_half_written_journal_never_takes_the_name(root, monkeypatch):
    corrections = Corrections(root)
    corrections.relabel("rose/000.png", "daisy")
    before = (root / "labels.csv").read_bytes()
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space")))
    with pytest.raises(DataError, match="no space"):
        corrections.relabel("rose/001.png", "daisy")
    assert (root / "labels.csv").read_bytes() == before


def test_table_and_arrays_have_no_journal(root, tmp_path):
    lines = [f"{path.relative_to(root)},{path.parent.name}" for path in sorted(root.rglob("*.png"))]
    table = tmp_path / "t.csv"
    table.write_text("path,label\n" + "\n".join(lines))
    with pytest.raises(DataError, match="Received: pictures from a table"):
        _ = ImageFolder.from_csv(table, root=root).corrections
    images = np.random.default_rng(0).integers(0, 255, (20, 40, 37, 3), dtype=np.uint8)
    with pytest.raises(DataError, match="Received: pictures from arrays"):
        _ = ImageFolder.from_arrays(images, ["a", "b"] * 10).corrections


def test_corrections_print_in_order(root):
    corrections = Corrections(root)
    corrections.relabel("rose/000.png", "daisy", "white")
    corrections.leave_out("rose/001.png", "<b>")
    lines = str(corrections).splitlines()
    assert lines[0].startswith("2 corrections in ")
    assert lines[1].endswith("rose/000.png: rose → daisy (white)")
    assert lines[2].endswith("rose/001.png: rose → left out (<b>)")
    assert "&lt;b&gt;" in corrections._repr_html_()
    assert len(corrections) == 2
