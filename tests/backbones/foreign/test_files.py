"""Foreign files as backbones: what becomes of each kind, and what an error says."""

import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import keras
import numpy as np
import pytest

from tlkeras.backbones.imported import from_model
from tlkeras.errors import BackboneError, MissingExtraError, WeightsError

PIXELS = np.random.default_rng(5).uniform(0, 255, (3, 18, 24, 3)).astype("float32")
SAID = '{"mean": [123.675, 116.28, 103.53], "std": [58.395, 57.12, 57.375]}'
TORCH = {"converters.preprocessing": SAID}


def run_onnx(path: Path, output: str, pixels: np.ndarray) -> np.ndarray:
    runtime = pytest.importorskip("onnxruntime")
    onnx = pytest.importorskip("onnx")
    model = onnx.load(path)
    del model.graph.output[:]
    model.graph.output.append(
        onnx.helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, ["n", 6])
    )
    session = runtime.InferenceSession(model.SerializeToString())
    return session.run([output], {"image": pixels.transpose(0, 3, 1, 2)})[0]


def test_onnx_file_gives_the_input_of_its_classifier(write_onnx: Callable[..., Path]) -> None:
    path = write_onnx()
    spec, model = from_model(path, preprocessing="none")
    assert (spec.name, spec.width, spec.size_px) == ("net", 6, 24)
    np.testing.assert_allclose(
        model.predict(PIXELS, verbose=0), run_onnx(path, "flat", PIXELS), rtol=1e-5, atol=1e-4
    )
    assert len(model.trainable_weights) == 3
    assert any("imported net.onnx (ONNX)" in note for note in spec.notes)
    assert any("classifier 'fc'" in note for note in spec.notes)


def test_preprocessing_and_labels_come_from_the_file_i7(
    write_onnx: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    """I7: they are not lost."""
    path = write_onnx(metadata={**TORCH, "names": "{0: 'a', 1: 'b', 2: 'c', 3: 'd'}"})
    spec, model = from_model(path)
    assert spec.preprocessing == "torch"
    assert spec.labels == ("a", "b", "c", "d")
    assert "preprocessing torch, as the file says" in spec.notes
    assert "no Rescaling" not in caplog.text
    mean, std = np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])
    scaled = ((PIXELS - mean) / std).astype("float32")
    np.testing.assert_allclose(
        model.predict(PIXELS, verbose=0), run_onnx(path, "flat", scaled), rtol=1e-4, atol=1e-5
    )


def test_user_has_the_last_word_on_preprocessing(write_onnx: Callable[..., Path]) -> None:
    spec, _ = from_model(write_onnx(metadata=TORCH), preprocessing="tf")
    assert spec.preprocessing == "tf"
    assert "preprocessing tf, as you said; the file says torch" in spec.notes


def test_file_that_says_nothing_is_warned_about(
    write_onnx: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    assert from_model(write_onnx())[0].preprocessing == "none"
    assert "say preprocessing=" in caplog.text


def test_output_of_the_classifier_is_taken_among_others(write_onnx: Callable[..., Path]) -> None:
    spec, _ = from_model(write_onnx(outputs=("map", "scores")), preprocessing="tf")
    assert spec.width == 6


def test_broken_onnx_file_is_an_error_of_ours(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    (tmp_path / "bad.onnx").write_bytes(b"\x08\x09 cut short")
    with pytest.raises(WeightsError, match=r"bad\.onnx") as told:
        from_model(tmp_path / "bad.onnx")
    assert told.value.__cause__ is not None


def test_missing_package_is_said_with_the_pip_command(
    write_onnx: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_onnx()
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingExtraError, match=r"Importing .*net\.onnx.*tlkeras\[convert\]"):
        from_model(path)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_weights_alone_are_said_to_need_their_network(tmp_path: Path, suffix: str) -> None:
    torch = pytest.importorskip("torch")
    path = tmp_path / f"weights{suffix}"
    state = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Linear(4, 2)).state_dict()
    if suffix == ".pth":
        torch.save(state, path)
    else:
        pytest.importorskip("safetensors.torch").save_file(state, path)
    with pytest.raises(BackboneError, match=r"architecture=YourModule.*or name the backbone"):
        from_model(path)


def test_pickled_module_is_refused_i10(tmp_path: Path) -> None:
    """I10: and not run."""
    torch = pytest.importorskip("torch")
    torch.save(torch.nn.Conv2d(3, 4, 3), tmp_path / "module.pt")
    with pytest.raises(WeightsError, match="code"):
        from_model(tmp_path / "module.pt")


def classifier(framework: ModuleType = keras) -> keras.Model:
    """With Keras 3, or what `framework` has in its place."""
    layers = framework.layers
    image = framework.Input((18, 24, 3), name="image")
    x = layers.DepthwiseConv2D(3, strides=2, name="dw")(image)
    x = layers.Conv2D(6, 1, activation="relu", name="conv")(x)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    model = framework.Model(image, layers.Dense(4, activation="softmax", name="top")(x))
    rng = np.random.default_rng(2)
    model.set_weights([rng.normal(0, 0.3, w.shape) for w in model.get_weights()])
    return model


def test_torch_program_is_imported(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    nn = torch.nn
    network = nn.Sequential(
        nn.Conv2d(3, 6, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 4)
    ).eval()
    program = torch.export.export(network, (torch.zeros(2, 3, 18, 24),))
    torch.export.save(program, tmp_path / "net.pt2")
    spec, model = from_model(tmp_path / "net.pt2", preprocessing="unit")
    assert (spec.width, spec.size_px) == (6, 24)
    with torch.no_grad():
        wanted = network[:4](torch.from_numpy(PIXELS.transpose(0, 3, 1, 2) / 255)).numpy()
    np.testing.assert_allclose(model.predict(PIXELS, verbose=0), wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_saved_model_and_litert_are_imported(tmp_path: Path) -> None:
    import tensorflow as tf

    source = classifier()
    source.export(tmp_path / "saved", verbose=False)
    lite = tf.lite.TFLiteConverter.from_saved_model(str(tmp_path / "saved")).convert()
    (tmp_path / "net.tflite").write_bytes(lite)
    wanted = keras.Model(source.input, source.get_layer("pool").output)(PIXELS)
    for path in (tmp_path / "saved", tmp_path / "net.tflite"):
        spec, model = from_model(str(path), preprocessing="none")
        assert spec.width == 6
        found = model.predict(PIXELS, verbose=0)
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-3)


@pytest.mark.slow
def test_keras_2_file_that_keras_3_refuses_is_imported(tmp_path: Path) -> None:
    framework = pytest.importorskip("tf_keras")
    source = classifier(framework)
    path = tmp_path / "old.h5"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras 2 warns that HDF5 is old
        source.save(path)
    with pytest.raises(TypeError, match="groups"):
        keras.models.load_model(path, compile=False)
    spec, model = from_model(path, preprocessing="none")
    assert spec.width == 6
    wanted = framework.Model(source.input, source.get_layer("pool").output)(PIXELS)
    np.testing.assert_allclose(model.predict(PIXELS, verbose=0), wanted, rtol=1e-4, atol=1e-3)


def test_only_the_doors_and_readers_of_the_backbones_know_converters() -> None:
    folder = Path(__file__).resolve().parents[3] / "tlkeras"
    told = [
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*.py")
        if "import converters" in path.read_text() or "from converters" in path.read_text()
    ]
    assert sorted(path for path in told if not path.startswith("export/")) == [
        "backbones/classic/torch_files.py",
        "backbones/foreign/doors.py",
        "backbones/imported.py",
    ]
