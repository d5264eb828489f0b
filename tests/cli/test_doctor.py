"""`tlkeras doctor` as a user meets it."""

import json
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """sound.keras, and wrong.keras with a softmax over one column."""
    import keras

    folder = tmp_path_factory.mktemp("models")
    for name, columns in (("sound", 3), ("wrong", 1)):
        image = keras.Input((None, None, 3))
        out = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3)(image))
        out = keras.layers.Dense(columns, activation="softmax", name="probabilities")(out)
        keras.Model(image, out).save(folder / f"{name}.keras")
    return folder


def test_sound_model_ends_with_zero(tlkeras: object, files: Path) -> None:
    status, out, _ = tlkeras("doctor", files / "sound.keras")
    assert status == 0
    assert "0 errors, 0 warnings, 1 info" in out


def test_error_ends_with_one_and_says_its_fix(tlkeras: object, files: Path) -> None:
    status, out, _ = tlkeras("doctor", files / "wrong.keras")
    assert status == 1
    assert "softmax-of-one" in out
    assert "fix: for two classes take Dense(2" in out


def test_json_is_one_object(tlkeras: object, files: Path, flower_folder: Path) -> None:
    status, out, _ = tlkeras("doctor", files / "wrong.keras", "--pictures", flower_folder, "--json")
    assert status == 1
    told = json.loads(out)
    assert told["ok"] is False
    assert "softmax-of-one" in [finding["kind"] for finding in told["findings"]]


def test_missing_file_is_wrong_input_said_in_words(tlkeras: object, tmp_path: Path) -> None:
    status, out, err = tlkeras("doctor", tmp_path / "nothing.keras")
    assert status == 2
    assert out == ""
    assert "not there" in err
    assert "Traceback" not in err
