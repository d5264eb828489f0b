"""LiteRT files of a classifier: right for what they take, with their cost written down."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tests.export.conftest import NAMES, SIZE_PX
from tlkeras.errors import ExportError, ParityError
from tlkeras.export.formats import litert_file as module
from tlkeras.export.formats.litert_file import to_litert
from tlkeras.export.formats.packed import note_of
from tlkeras.export.formats.quality import quality_file, read_quality

interpreters = pytest.importorskip("ai_edge_litert.interpreter")


def asked(path: Path, rows: np.ndarray) -> np.ndarray:
    """Outputs (n, 4) of LiteRT alone, for rows as the file takes them."""
    interpreter = interpreters.Interpreter(model_path=str(path))
    run = interpreter.get_signature_runner("serving_default")
    (name,), (wanted,) = run.get_input_details(), run.get_output_details()
    return np.concatenate([run(**{name: row[np.newaxis]})[wanted] for row in rows])


@pytest.mark.parametrize(("kind", "apart"), [("float32", 1e-5), ("float16", 1e-2)])
def test_float_files_answer_like_the_model(
    bundle: SimpleNamespace,
    pixels: np.ndarray,
    expected_of: np.ndarray,
    tmp_path: Path,
    kind: module.Kind,
    apart: float,
) -> None:
    path = to_litert(bundle, tmp_path / "a.tflite", kind=kind)
    found = asked(path, pixels.astype(np.float32))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected_of, atol=apart)


def test_dynamic_file_keeps_the_labels(
    bundle: SimpleNamespace, pixels: np.ndarray, expected_of: np.ndarray, tmp_path: Path
) -> None:
    path = to_litert(bundle, tmp_path / "a.tflite", kind="dynamic", pictures=pixels)
    found = asked(path, pixels.astype(np.float32))
    assert (found.argmax(axis=1) == expected_of.argmax(axis=1)).mean() > 0.95


def test_int8_file_takes_pixel_less_128(
    int8_file: Path, pixels: np.ndarray, expected_of: np.ndarray
) -> None:
    shown = (pixels.astype(np.int16) - 128).astype(np.int8)
    found = asked(int8_file, shown)
    assert found.dtype == np.int8
    scaled = (found.astype(np.float32) + 128) / 256
    assert (scaled.argmax(axis=1) == expected_of.argmax(axis=1)).mean() > 0.8
    np.testing.assert_allclose(scaled.mean(axis=0), expected_of.mean(axis=0), atol=0.05)


def test_quality_is_that_of_an_independent_count(
    int8_file: Path, pixels: np.ndarray, expected_of: np.ndarray
) -> None:
    found = asked(int8_file, (pixels[1::2].astype(np.int16) - 128).astype(np.int8))
    truth = expected_of[1::2].argmax(axis=1)
    (told,) = read_quality(int8_file)
    right = (found.argmax(axis=1) == truth).mean()
    assert (told.part, told.pictures, told.before) == ("validation", 18, 1.0)
    assert told.after == told.agreement == pytest.approx(right)


def test_file_itself_says_labels_input_and_quality(int8_file: Path) -> None:
    note = note_of(int8_file.read_bytes())
    assert note == json.loads(quality_file(int8_file).read_text(encoding="utf-8"))
    assert note["labels"] == list(NAMES)
    assert note["licence_of_the_weights"] == "MIT"
    assert note["input"]["shape"] == [1, SIZE_PX, SIZE_PX, 3]  # type: ignore[index]


def test_without_pictures_generated_ones_are_compared(
    bundle: SimpleNamespace, tmp_path: Path
) -> None:
    (told,) = read_quality(to_litert(bundle, tmp_path / "a.tflite"))
    assert (told.part, told.before) == ("generated", None)


def test_a_drop_above_the_limit_leaves_nothing(
    bundle: SimpleNamespace, pixels: np.ndarray, expected_of: np.ndarray, tmp_path: Path
) -> None:
    grey = np.clip(pixels // 32 + 124, 0, 255)  # next to no contrast: another range altogether
    known = {"validation": (pixels, expected_of.argmax(axis=1))}
    with pytest.raises(ParityError, match=r"no more than 0\.01 .*accuracy 1\.000 before and 0\."):
        to_litert(
            bundle, tmp_path / "a.tflite", kind="int8", pictures=grey, known=known, max_drop=0.01
        )
    assert not list(tmp_path.iterdir())


def test_an_old_file_survives_a_refusal(
    bundle: SimpleNamespace, pixels: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.tflite"
    path.write_bytes(b"old")
    monkeypatch.setattr(module, "TOLERANCES", {"float32": 0.0})
    with pytest.raises(ParityError, match="within 0 of the model's"):
        to_litert(bundle, path, pictures=pixels)
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize(
    ("asked_for", "said"),
    [
        ({"kind": "int4"}, "float32, float16, dynamic, int8. Received: 'int4'"),
        ({"max_drop": 2.0}, "between 0 and 1"),
        ({"kind": "int8"}, "pictures of the training part"),
        ({"kind": "int8", "pictures": np.zeros((2, 7, 7, 3))}, r"48, 48, 3\)"),
        ({"kind": "int8", "pictures": np.full((2, 48, 48, 3), 0.5)}, "from 0 to 255"),
        ({"known": {"test": (np.zeros((2, 48, 48, 3)), np.zeros(3))}}, r"\(3,\)"),
    ],
)
def test_what_can_not_be_written_is_told(
    bundle: SimpleNamespace, tmp_path: Path, asked_for: dict[str, object], said: str
) -> None:
    with pytest.raises(ExportError, match=said):
        to_litert(bundle, tmp_path / "a.tflite", **{"pictures": None, **asked_for})  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_whole_numbers_without_classes_are_held_to_the_models_labels(
    make_bundle: Callable[..., SimpleNamespace], pixels: np.ndarray, tmp_path: Path
) -> None:
    bundle = make_bundle(seed=3)
    path = to_litert(bundle, tmp_path / "a.tflite", kind="int8", pictures=pixels, max_drop=0.5)
    (told,) = read_quality(path)
    assert (told.part, told.pictures, told.before) == ("given", len(pixels), None)
    assert told.drop == pytest.approx(1 - told.agreement)
    assert told.agreement < 1.0, "the test needs a label that differs"
    with pytest.raises(ParityError, match="no more than 0 "):
        to_litert(bundle, tmp_path / "b.tflite", kind="int8", pictures=pixels, max_drop=0.0)


@pytest.mark.parametrize(("kind", "apart"), [("float32", 1e-4), ("float16", 5e-2)])
def test_float_files_give_the_unknown_score_by_name(
    scored: SimpleNamespace,
    pixels: np.ndarray,
    scored_table: np.ndarray,
    tmp_path: Path,
    kind: module.Kind,
    apart: float,
) -> None:
    path = to_litert(scored, tmp_path / "a.tflite", kind=kind, pictures=pixels)
    found = by_name(path, pixels.astype(np.float32))
    assert sorted(found) == ["probabilities", "unknown_score"]
    np.testing.assert_allclose(found["probabilities"], scored_table[:, :-1], atol=1e-2)
    np.testing.assert_allclose(found["unknown_score"], scored_table[:, -1], atol=apart)
    (told,) = read_quality(path)
    assert told.unknown_difference is not None
    assert told.unknown_difference <= apart


def test_int8_file_marks_nearly_the_same_pictures(
    scored_int8: Path, pixels: np.ndarray, scored_table: np.ndarray
) -> None:
    found = by_name(scored_int8, (pixels.astype(np.int16) - 128).astype(np.int8))
    interpreter = interpreters.Interpreter(model_path=str(scored_int8))
    told = interpreter.get_signature_runner().get_output_details()["unknown_score"]
    scale, zero_point = told["quantization"]
    scores = (found["unknown_score"].astype(np.float32) - zero_point) * scale
    assert np.corrcoef(scores, scored_table[:, -1])[0, 1] > 0.98
    alike = (scores > 1) == (scored_table[:, -1] > 1)
    assert alike.mean() > 0.85
    (quality,) = read_quality(scored_int8)
    assert quality.unknown_agreement == pytest.approx(alike[1::2].mean())


def test_file_itself_names_its_outputs(int8_file: Path, scored_int8: Path) -> None:
    outputs = note_of(scored_int8.read_bytes())["outputs"]
    assert list(outputs) == ["probabilities", "unknown_score"]  # type: ignore[call-overload]
    assert list(note_of(int8_file.read_bytes())["outputs"]) == ["probabilities"]  # type: ignore[call-overload]


def test_network_in_half_precision_is_written_in_whole(
    make_bundle: Callable[..., SimpleNamespace], scored: SimpleNamespace, tmp_path: Path
) -> None:
    half = make_bundle(seed=3, dtype="mixed_float16")
    half.network = scored.network
    path = to_litert(half, tmp_path / "a.tflite")
    (told,) = read_quality(path)
    assert told.largest_difference < 3e-2
    assert told.unknown_difference is not None


def by_name(path: Path, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Outputs of LiteRT alone, for rows as the file takes them."""
    interpreter = interpreters.Interpreter(model_path=str(path))
    run = interpreter.get_signature_runner()
    found = [run(images=row[np.newaxis]) for row in rows]
    return {name: np.concatenate([each[name] for each in found]) for name in found[0]}
