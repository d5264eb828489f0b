"""Files: what is in them is told, and never run."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest

import tlkeras as tl
from tlkeras.errors import DataError


@keras.saving.register_keras_serializable("strangers")
class Doubled(keras.layers.Layer):
    """A class that only its author has."""

    def call(self, x: object) -> object:
        return x * 2


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_sound_file_has_nothing_but_missing_names(
    build: object, tmp_path: Path, suffix: str, recwarn: object
) -> None:
    path = tmp_path / f"model{suffix}"
    build().save(path)
    assert tl.doctor(path).kinds == ("no-labels",)
    (tmp_path / "labels.txt").write_text("a\nb\nc\nd\n")
    assert tl.doctor(path).kinds == ()


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_loss_in_a_file_is_held_against_its_output(
    build: object, tmp_path: Path, suffix: str, recwarn: object
) -> None:
    model = build()
    model.compile("sgd", keras.losses.CategoricalCrossentropy(from_logits=True))
    model.save(tmp_path / f"model{suffix}")
    assert "loss-of-logits" in tl.doctor(tmp_path / f"model{suffix}").kinds


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_code_in_a_file_is_told_and_not_run(  # E8 I10
    build: object, tmp_path: Path, suffix: str, recwarn: object
) -> None:
    sign = tmp_path / "it_ran"
    dense = keras.layers.Dense(4, activation="softmax", name="probabilities")
    code = keras.layers.Lambda(
        eval(f"lambda x: (open({str(sign)!r}, 'a').close(), x)[1]"), name="mine"
    )
    build(end=(code, dense)).save(tmp_path / f"model{suffix}")
    sign.unlink()  # building ran it
    found = tl.doctor(tmp_path / f"model{suffix}")
    assert found.kinds == ("code-inside",)
    assert not found.ok
    assert found[0].layers == ("mine",)
    assert not sign.exists()


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_class_of_a_stranger_is_told_with_its_name(  # E8
    build: object, tmp_path: Path, suffix: str, recwarn: object
) -> None:
    dense = keras.layers.Dense(4, activation="softmax", name="probabilities")
    build(end=(Doubled(name="twice"), dense)).save(tmp_path / f"model{suffix}")
    found = tl.doctor(tmp_path / f"model{suffix}")
    assert found.kinds == ("custom-class",)
    assert "Doubled" in found[0].found


def test_weights_alone_are_told_from_a_model(build: object, tmp_path: Path) -> None:
    build().save_weights(tmp_path / "a.weights.h5")
    assert tl.doctor(tmp_path / "a.weights.h5").kinds == ("weights-only",)


@pytest.mark.parametrize("content", [b"", b"nothing of the kind", b"PK\x03\x04 cut"])
@pytest.mark.parametrize("name", ["a.keras", "a.h5"])
def test_damaged_file_is_a_finding(tmp_path: Path, content: bytes, name: str) -> None:
    (tmp_path / name).write_bytes(content)
    assert tl.doctor(tmp_path / name).kinds == ("unreadable",)


@pytest.mark.parametrize("name", ["nothing.keras", "a.onnx", "folder"])
def test_what_is_no_keras_file_is_refused_with_the_way_on(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.onnx").write_bytes(b"x")
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError, match="tlkeras convert"):
        tl.doctor(tmp_path / name)


def test_file_is_not_changed_and_rows_go_into_json(build: object, tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    build(momentum=0.1).save(path)
    before = path.read_bytes()
    told = json.loads(json.dumps(tl.doctor(path).to_dict()))
    assert path.read_bytes() == before
    assert told["ok"] is True
    assert told["findings"][0]["kind"] == "batchnorm-momentum"
    assert told["findings"][0]["layers"] == ["norm_1", "norm_2"]
    np.testing.assert_equal(told["findings"][0]["severity"], "warning")
