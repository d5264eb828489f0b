from pathlib import Path

import pytest
import tensorflow as tf

from tlkeras.errors import ExportError
from tlkeras.export.serving.described import signatures_in


def test_signatures_are_those_of_the_loaded_model(exported: Path) -> None:
    loaded = tf.saved_model.load(str(exported))
    described = signatures_in(exported)
    assert [each.name for each in described] == [
        "serving_default",
        "embed",
        "predict_images",
        "predict_tensor",
    ]
    for each in described:
        signature = loaded.signatures[each.name]
        given = {one.name: (one.dtype, list(one.shape)) for one in each.outputs}
        assert given == {
            name: (spec.dtype.name, [-1 if side is None else side for side in spec.shape])
            for name, spec in signature.structured_outputs.items()
        }
        asked = {one.name: one.dtype for one in each.inputs}
        specs = signature.structured_input_signature[1]
        assert asked == {name: spec.dtype.name for name, spec in specs.items()}


def test_free_sides_have_letters(exported: Path) -> None:
    shown = {each.name: [str(one) for one in each.inputs] for each in signatures_in(exported)}
    assert shown["serving_default"] == ["image_bytes string (n,)"]
    assert shown["predict_images"] == ["images uint8 (n, h, w, 3)"]


@pytest.mark.parametrize("content", [None, b"", b"\xff" * 50])
def test_no_saved_model_is_an_export_error(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "saved_model.pb").write_bytes(content)
    with pytest.raises(ExportError, match="Export again"):
        signatures_in(tmp_path)
