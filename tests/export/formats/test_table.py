"""The table of formats says what is so, and one way of writing serves all of them."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import get_args

import numpy as np
import pytest

from tlkeras.errors import ExportError, ParityError
from tlkeras.export.formats.shown import Shown
from tlkeras.export.formats.table import (
    FORMATS,
    Name,
    as_markdown,
    find_format,
    parity_note,
    write,
)

DOCS = Path(__file__).resolve().parents[3] / "docs" / "formats.md"


@pytest.fixture(scope="module")
def shown(bundle: SimpleNamespace, answers: Callable, pictures: list[bytes]) -> Shown:
    def by_keras(pixels: np.ndarray) -> np.ndarray:
        return np.asarray(bundle.model(pixels, training=False))

    return Shown(48, pictures[:8], answers, by_keras, lambda: None, lambda: None)


def test_documentation_has_the_table_of_the_code() -> None:
    assert as_markdown() in DOCS.read_text(encoding="utf-8"), "put as_markdown() into the page"


def test_every_format_has_its_own_place_and_a_name_for_type_checkers() -> None:
    assert tuple(FORMATS) == get_args(Name)
    places = [entry.place(Path("out"), "flowers") for entry in FORMATS.values()]
    assert len(set(places)) == len(FORMATS)


def test_wrong_name_lists_those_there_are() -> None:
    with pytest.raises(ExportError, match=r"litert-int8.*Did you mean onnx"):
        find_format("onxn")


def test_pixels_are_those_that_the_classifier_sees(shown: Shown, expected: np.ndarray) -> None:
    assert shown.pixels.shape == (8, 48, 48, 3)
    np.testing.assert_allclose(shown.table, expected[:8], atol=1e-5)


def test_onnx_lies_with_its_parity_beside_it(
    bundle: SimpleNamespace, shown: Shown, tmp_path: Path
) -> None:
    path = write(bundle, "onnx", tmp_path / "tiny.onnx", shown)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [
        "tiny.onnx",
        "tiny.onnx.parity.json",
    ]
    told = json.loads((tmp_path / "tiny.onnx.parity.json").read_text(encoding="utf-8"))
    assert parity_note(path) == told
    assert told["parity"]["pictures"] == 8
    assert told["parity"]["label_mismatches"] == 0


def test_mismatch_leaves_the_old_file_as_it_was(
    bundle: SimpleNamespace, make_bundle: Callable, shown: Shown, tmp_path: Path
) -> None:
    path = tmp_path / "tiny.onnx"
    path.write_bytes(b"old")
    with pytest.raises(ParityError, match="Expected the served answers"):
        write(make_bundle(seed=7), "onnx", path, shown)
    assert [entry.name for entry in tmp_path.iterdir()] == ["tiny.onnx"]
    assert path.read_bytes() == b"old"


def test_litert_is_proven_by_a_process_of_its_own(
    bundle: SimpleNamespace, shown: Shown, tmp_path: Path
) -> None:
    path = write(bundle, "litert", tmp_path / "tiny.tflite", shown)
    told = parity_note(path)
    assert told["parity"]["label_mismatches"] == 0
    assert told["parity"]["largest_difference"] < 1e-4
    assert told["labels"] == list(bundle.class_names)


def test_folder_and_file_are_told_apart(
    bundle: SimpleNamespace, shown: Shown, tmp_path: Path
) -> None:
    with pytest.raises(ExportError, match="name of a file for onnx"):
        write(bundle, "onnx", tmp_path, shown)
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(ExportError, match="Expected a folder"):
        write(bundle, "c", file, shown)


def test_nothing_measured_is_said() -> None:
    with pytest.raises(ExportError, match="never verified"):
        parity_note("nothing.onnx")
