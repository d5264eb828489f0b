"""Verification must be able to fail: each test but one shows it a wrong answer."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from tlkeras.errors import ExportError, ParityError
from tlkeras.export import verify
from tlkeras.export.verify import ServedParity, verify_savedmodel

LABELS = ["ant", "bee", "ant"]
EXPECTED = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]], np.float32)


def compare(
    given: np.ndarray = EXPECTED,
    labels: list[str] = LABELS,
    ok: tuple[bool, ...] = (True, True, True),
) -> ServedParity:
    served = {"label": np.array(labels), "probabilities": given, "ok": np.array(ok)}
    return verify._compare(served, LABELS, EXPECTED, 1e-4)


def changed(row: int, values: list[float]) -> np.ndarray:
    given = EXPECTED.copy()
    given[row] = values
    return given


def test_equal_answers_pass() -> None:
    parity = compare()
    assert parity == ServedParity(3, 0.0, 0, (), 1e-4)
    assert json.loads(json.dumps(parity.to_dict()))["pictures"] == 3
    assert "0 labels differ" in str(parity)


def test_worst_picture_is_named_with_its_values() -> None:
    with pytest.raises(ParityError, match=r"picture 1: .*class 1 0\.800000 against 0\.500000"):
        compare(given=changed(1, [0.35, 0.5]))


def test_other_label_fails_although_the_numbers_agree() -> None:
    with pytest.raises(ParityError, match="picture 2: model 'ant', served 'bee'"):
        compare(labels=["ant", "bee", "bee"])


def test_nan_fails() -> None:
    with pytest.raises(ParityError, match="picture 0"):
        compare(given=changed(0, [np.nan, np.nan]))


def test_undecodable_rows_are_counted_and_not_compared() -> None:
    parity = compare(given=changed(1, [0, 0]), labels=["ant", "", "ant"], ok=(True, False, True))
    assert parity.pictures == 2
    assert parity.not_decodable == (1,)
    assert "1 of a format" in str(parity)


def test_nothing_decodable_proves_nothing() -> None:
    with pytest.raises(ParityError, match="at least one"):
        compare(given=np.zeros_like(EXPECTED), labels=[""] * 3, ok=(False,) * 3)


def test_other_number_of_classes_fails() -> None:
    with pytest.raises(ParityError, match=r"\(3, 2\).*\(3, 1\)"):
        compare(given=EXPECTED[:, :1])


def test_no_picture_is_refused() -> None:
    with pytest.raises(ExportError, match="1 or more"):
        verify_savedmodel("nowhere", [], [], np.zeros((0, 2)))


def script(monkeypatch: pytest.MonkeyPatch, folder: Path, text: str) -> None:
    path = folder / "child.py"
    path.write_text(text)
    monkeypatch.setattr(verify, "_SCRIPT", path)


def test_crash_of_the_child_is_told_with_its_last_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    script(monkeypatch, tmp_path, "raise SystemExit('out of luck')")
    with pytest.raises(ExportError, match=r"status 1:\nout of luck"):
        verify_savedmodel(tmp_path, [b"x"], ["ant"], EXPECTED[:1])


def test_child_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script(monkeypatch, tmp_path, "import time; time.sleep(60)")
    with pytest.raises(ExportError, match="within 1 s"):
        verify_savedmodel(tmp_path, [b"x"], ["ant"], EXPECTED[:1], timeout_s=1)


def test_broken_row_answered_like_a_picture_fails(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    text = """
import sys
import numpy as np
np.savez(sys.argv[3], label=np.array(["ant"]), ok=np.array([True]), marked=np.array(False),
         probabilities=np.array([[0.9, 0.1]]))
"""
    script(monkeypatch, tmp_path, text)
    with pytest.raises(ParityError, match="ok=False"):
        verify_savedmodel(tmp_path, [b"x"], ["ant"], EXPECTED[:1])


def test_the_script_imports_nothing_of_ours_and_bars_keras() -> None:
    text = verify._SCRIPT.read_text(encoding="utf-8")
    assert 'sys.modules["keras"] = None' in text
    assert "import tlkeras" not in text
    assert "from tlkeras" not in text
    assert sys.executable


@pytest.mark.slow
def test_folder_answers_in_a_process_without_keras(
    exported: Path, pictures: list[bytes], expected: np.ndarray
) -> None:
    names = (exported / "assets" / "labels.txt").read_text(encoding="utf-8").splitlines()
    labels = [names[row] for row in expected.argmax(axis=1)]
    tiff = b"II*\0" + bytes(50)
    parity = verify_savedmodel(
        exported, [*pictures, tiff], [*labels, "ant"], np.vstack([expected, expected[:1]])
    )
    assert parity.pictures == len(pictures)
    assert parity.not_decodable == (len(pictures),)
    assert parity.largest_difference < 1e-5


@pytest.mark.slow
def test_folder_that_is_no_saved_model_is_told(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="SavedModel file does not exist"):
        verify_savedmodel(tmp_path, [b"x"], ["ant"], EXPECTED[:1])


def score_difference(scores: list[float], flags: list[bool], expected: list[float]) -> float:
    served = {
        "ok": np.array([True, False, True]),
        "unknown_score": np.array(scores, "float32"),
        "unknown": np.array(flags),
    }
    return verify._score_difference(served, np.array(expected, "float32"), 1e-4)


def test_unknown_scores_that_agree_pass_and_undecodable_rows_do_not_count() -> None:
    found = score_difference([0.5, 0.0, 1.2], [False, False, True], [0.501, 7.0, 1.2])
    assert found == pytest.approx(0.001, abs=1e-5)
    text = str(ServedParity(3, 0.0, 0, (), 1e-4, unknown_difference=found))
    assert "unknown scores differ by 0.001 at most" in text
    assert ServedParity.from_json(json.dumps(ServedParity(3, 0.0, 0, (), 1e-4).to_dict()))


def test_other_unknown_scores_and_flags_fail() -> None:
    with pytest.raises(ParityError, match=r"picture 2: 1\.3000 against 1\.2000"):
        score_difference([0.5, 0.0, 1.2], [False, False, True], [0.5, 0.0, 1.3])
    with pytest.raises(ParityError, match="unknown scores"):
        score_difference([0.5, 0.0, 1.2], [False, False, False], [0.5, 0.0, 1.2])
    with pytest.raises(ParityError, match="picture 0"):
        score_difference([np.nan, 0.0, 1.2], [False, False, True], [0.5, 0.0, 1.2])


def test_model_that_serves_no_unknown_score_fails_where_one_is_expected() -> None:
    served = {"ok": np.array([True])}
    with pytest.raises(ParityError, match="picture 0"):
        verify._score_difference(served, np.array([0.5]), 1e-4)
