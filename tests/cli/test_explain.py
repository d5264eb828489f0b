"""`tlkeras explain`: drawings beside nothing of the user's, JSON, exit status."""

import json
from pathlib import Path

import pytest
from PIL import Image

import tlkeras as tl


@pytest.fixture(scope="module")
def run_folder(flower_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    clf = tl.ImageClassifier("TinyResNet").fit(flower_folder)
    return clf.save(tmp_path_factory.mktemp("runs") / "flowers")


def test_each_picture_gets_a_drawing(
    tlkeras: object, run_folder: Path, flower_folder: Path, tmp_path: Path
) -> None:
    status, out, _ = tlkeras(
        *("explain", run_folder, flower_folder / "iris", "--to", tmp_path / "to", "--json")
    )
    answer = json.loads(out)
    assert status == 0
    assert answer["unreadable"] == {}
    assert len(answer["explanations"]) == 12
    for row in answer["explanations"]:
        with Image.open(row["file"]) as drawing, Image.open(row["picture"]) as picture:
            assert drawing.size == picture.size
        assert row["label"] == row["answer"]
        assert 0 < row["probability"] <= 1
    assert len({row["file"] for row in answer["explanations"]}) == 12


def test_drawing_is_replaced_and_a_picture_never(
    tlkeras: object, run_folder: Path, flower_folder: Path, tmp_path: Path
) -> None:
    source = flower_folder / "rose" / "rose_00.png"
    mine = tmp_path / "rose_00.gradcam.jpg"
    Image.new("RGB", (9, 7)).save(mine)
    before = mine.read_bytes()
    words = ("explain", run_folder, source, "--to", tmp_path, "--json")
    for label in ("iris", "rose"):
        _, out, _ = tlkeras(*words, "--label", label)
        row = json.loads(out)["explanations"][0]
        assert (Path(row["file"]).name, row["label"]) == ("rose_00.gradcam-2.jpg", label)
    assert mine.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "rose_00.gradcam-2.jpg",
        "rose_00.gradcam.jpg",
    ]


def test_unreadable_picture_is_named_and_the_others_are_drawn(
    tlkeras: object, run_folder: Path, flower_folder: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"x")
    good = flower_folder / "daisy" / "daisy_01.jpg"
    status, out, _ = tlkeras(
        "explain", run_folder, broken, good, "--to", tmp_path / "to", "--method", "occlusion"
    )
    assert status == 1
    assert "broken.jpg: could not be read: not a picture" in out
    assert [path.name for path in (tmp_path / "to").iterdir()] == ["daisy_01.occlusion.jpg"]
    assert "daisy" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--label", "tulip"), "Expected one of the model's 3 classes. Received: 'tulip'"),
        (("--method", "lime"), "one of gradcam, occlusion. Received: 'lime'"),
        (("--to", "FILE"), "go into a folder that can be written"),
    ],
)
def test_wrong_words_are_told(
    tlkeras: object,
    run_folder: Path,
    flower_folder: Path,
    tmp_path: Path,
    words: tuple[str, ...],
    said: str,
) -> None:
    file = tmp_path / "a file"
    file.write_text("x")
    words = tuple(str(file) if word == "FILE" else word for word in words)
    picture = flower_folder / "daisy" / "daisy_01.jpg"
    status, _, err = tlkeras("explain", run_folder, picture, "--to", tmp_path / "to", *words)
    assert status == 2
    assert said in err
    assert "Traceback" not in err
    assert not (tmp_path / "to").exists()
