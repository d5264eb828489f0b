"""Every engine against Keras: values, dtypes, numbers of pictures, threads, missing packages."""

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from tests.features.engines.conftest import SIDE
from tlkeras.errors import BackboneError, MissingExtraError
from tlkeras.features.engines import hardware
from tlkeras.features.engines.engine import Engine

Make = Callable[..., Engine]


@pytest.fixture(params=["tensorflow", "onnxruntime", "openvino", "litert"])
def make(request: pytest.FixtureRequest) -> Make:
    """A function that makes an engine of the small network."""
    if request.param == "tensorflow":
        from tlkeras.features.engines.tensorflow import tensorflow_engine

        network = request.getfixturevalue("network")
        return lambda **options: tensorflow_engine(network, SIDE, **options)
    package = "ai_edge_litert" if request.param == "litert" else request.param
    pytest.importorskip(package)
    file = request.getfixturevalue("tflite_file" if request.param == "litert" else "onnx_file")
    module = import_module(f"tlkeras.features.engines.{request.param}")
    function = getattr(module, f"{request.param}_engine")
    return lambda **options: function(file, **options)


def test_embeddings_are_those_of_keras(
    make: Make, pictures: np.ndarray, embeddings: np.ndarray
) -> None:
    engine = make(streams=2)

    found = engine(pictures)

    assert found.shape == (11, 10)
    assert found.dtype == np.float32
    assert engine.precision == "float32"
    np.testing.assert_allclose(found, embeddings, atol=1e-5 * np.abs(embeddings).max())
    assert np.ptp(embeddings, axis=0).min() > 1e-3  # the pictures do change the answer


@pytest.mark.parametrize("count", [0, 1, 3, 8, 9])
def test_any_number_of_pictures_gives_that_many_rows(
    make: Make, pictures: np.ndarray, embeddings: np.ndarray, count: int
) -> None:
    found = make(streams=1)(pictures[:count])

    assert found.shape == (count, 10)
    np.testing.assert_allclose(found, embeddings[:count], atol=1e-4)


def test_uint8_pixels_are_the_same_as_their_floats(make: Make, pictures: np.ndarray) -> None:
    whole = pictures.round().astype(np.uint8)
    engine = make(streams=1)

    np.testing.assert_array_equal(engine(whole), engine(whole.astype(np.float32)))


def test_pixels_that_are_not_contiguous_or_not_writable_are_taken(
    make: Make, pictures: np.ndarray, embeddings: np.ndarray
) -> None:
    turned = np.ascontiguousarray(pictures.transpose(0, 2, 1, 3)).transpose(0, 2, 1, 3)
    turned.flags.writeable = False

    np.testing.assert_allclose(make(streams=1)(turned), embeddings, atol=1e-4)


def test_threads_that_call_at_once_get_each_their_own(
    make: Make, pictures: np.ndarray, embeddings: np.ndarray
) -> None:
    engine = make(streams=2)
    starts = [int(s) for s in np.random.default_rng(0).integers(0, 9, 60)]

    with ThreadPoolExecutor(4) as threads:  # more than there are streams
        found = list(threads.map(lambda start: engine(pictures[start : start + 3]), starts))

    for start, rows in zip(starts, found, strict=True):
        np.testing.assert_allclose(rows, embeddings[start : start + 3], atol=1e-4)


def test_an_answer_is_not_overwritten_by_the_next(make: Make, pictures: np.ndarray) -> None:
    engine = make(streams=1)
    first = engine(pictures[:8])
    kept = first.copy()

    engine(255 - pictures[:8])

    np.testing.assert_array_equal(first, kept)


def test_one_picture_that_is_not_in_a_batch_is_told(make: Make, pictures: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"Expected pixels \(m, h, w, 3\)"):
        make(streams=1)(pictures[0])


def test_an_engine_has_as_many_streams_as_there_are_cores(make: Make) -> None:
    engine = make()

    assert engine.streams == hardware.cores()
    assert engine.batch >= 1


@pytest.mark.parametrize(
    ("engine", "package"),
    [("onnxruntime", "onnxruntime"), ("openvino", "openvino"), ("litert", "ai-edge-litert")],
)
def test_a_missing_package_is_named(
    engine: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = import_module(f"tlkeras.features.engines.{engine}")
    monkeypatch.setattr(module, "find_spec", lambda name: None)

    with pytest.raises(MissingExtraError, match=package):
        getattr(module, f"{engine}_engine")("any.file")


def test_tensorflow_engine_keeps_the_weights_it_was_made_with(pictures: np.ndarray) -> None:
    import keras

    from tlkeras.features.engines.tensorflow import compiled, tensorflow_engine

    image = keras.Input((SIDE, SIDE, 3))
    model = keras.Model(image, keras.layers.GlobalMaxPooling2D()(keras.layers.Conv2D(4, 3)(image)))
    engine, following = tensorflow_engine(model, SIDE, streams=1), compiled(model, SIDE)
    before = engine(pictures)

    model.set_weights([2 * weight for weight in model.get_weights()])

    np.testing.assert_array_equal(engine(pictures), before)
    np.testing.assert_allclose(following(pictures), 2 * before, rtol=1e-4)


def test_tensorflow_runs_a_model_whose_weights_cannot_become_constants(
    network: object,
    pictures: np.ndarray,
    embeddings: np.ndarray,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from tensorflow.python.framework import convert_to_constants

    from tlkeras.features.engines.tensorflow import tensorflow_engine

    def too_large(graph: object) -> object:
        raise ValueError("2 GB")

    monkeypatch.setattr(convert_to_constants, "convert_variables_to_constants_v2", too_large)

    found = tensorflow_engine(network, SIDE)(pictures)
    np.testing.assert_allclose(found, embeddings, atol=1e-4)


def test_openvino_computes_in_float32_unless_asked(  # E11
    onnx_file: Path, pictures: np.ndarray, embeddings: np.ndarray
) -> None:
    pytest.importorskip("openvino")
    if not hardware.has_bfloat16():
        pytest.skip("this processor has no bfloat16 that could be taken by mistake")
    from tlkeras.features.engines.openvino import openvino_engine

    exact = openvino_engine(onnx_file)
    low = openvino_engine(onnx_file, precision="bfloat16")

    largest = np.abs(embeddings).max()
    assert low.precision == "bfloat16"
    assert np.abs(exact(pictures) - embeddings).max() < 1e-5 * largest
    assert 1e-4 * largest < np.abs(low(pictures) - embeddings).max() < 5e-2 * largest


@pytest.mark.parametrize("order", [("bfloat16", "float32"), ("float32", "bfloat16")])
def test_openvino_keeps_compiled_networks_apart_by_precision(
    onnx_file: Path,
    pictures: np.ndarray,
    embeddings: np.ndarray,
    tmp_path: Path,
    order: tuple[str, str],
) -> None:
    pytest.importorskip("openvino")
    if not hardware.has_bfloat16():
        pytest.skip("this processor has one precision only")
    from tlkeras.features.engines.openvino import openvino_engine

    largest = np.abs(embeddings).max()
    for _ in range(2):  # compiled, then read back
        for precision in order:
            engine = openvino_engine(onnx_file, precision=precision, cache=tmp_path)
            exact = np.abs(engine(pictures) - embeddings).max() < 1e-5 * largest
            assert exact == (precision == "float32")
    assert len(list(tmp_path.rglob("*.blob"))) == 2


def test_openvino_compiles_again_where_what_it_kept_is_damaged(
    onnx_file: Path, pictures: np.ndarray, embeddings: np.ndarray, tmp_path: Path
) -> None:
    pytest.importorskip("openvino")
    from tlkeras.features.engines.openvino import openvino_engine

    openvino_engine(onnx_file, cache=tmp_path)
    (blob,) = tmp_path.rglob("*.blob")
    kept = blob.read_bytes()
    for damaged in (b"", kept[: len(kept) // 2], b"x" * 100 + kept[100:]):
        blob.chmod(0o600)
        blob.write_bytes(damaged)

        found = openvino_engine(onnx_file, cache=tmp_path)(pictures)

        np.testing.assert_allclose(found, embeddings, atol=1e-4)
        (blob,) = tmp_path.rglob("*.blob")


def test_openvino_does_without_a_cache_that_cannot_be_written(
    onnx_file: Path, pictures: np.ndarray, embeddings: np.ndarray, tmp_path: Path
) -> None:
    pytest.importorskip("openvino")
    from tlkeras.features.engines.openvino import openvino_engine

    (tmp_path / "file").write_text("no folder")

    found = openvino_engine(onnx_file, cache=tmp_path / "file")(pictures)
    np.testing.assert_allclose(found, embeddings, atol=1e-4)


def test_bfloat16_on_a_processor_without_it_is_refused(
    onnx_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    openvino = pytest.importorskip("openvino")
    from tlkeras.features.engines.openvino import openvino_engine

    class Plain:
        def get_property(self, device: str, name: str) -> list[str]:
            return ["FP32"]

    monkeypatch.setattr(openvino, "Core", Plain)
    with pytest.raises(BackboneError, match="multiplies in bfloat16"):
        openvino_engine(onnx_file, precision="bfloat16")


_FIRST_TOGETHER = """
import sys, threading
import numpy as np
from tlkeras.features.engines.openvino import openvino_engine
engine = openvino_engine(sys.argv[1], streams=2)
pixels = np.ones((8, int(sys.argv[2]), int(sys.argv[2]), 3), np.float32)
start = threading.Barrier(2)
threads = [threading.Thread(target=lambda: (start.wait(), engine(pixels))) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


@pytest.mark.slow
def test_openvino_survives_two_threads_that_come_first_together(  # E12
    onnx_file: Path,
) -> None:
    pytest.importorskip("openvino")
    for _ in range(8):  # without the call that the engine makes by itself, 1 in 6 hung for ever
        words = [sys.executable, "-c", _FIRST_TOGETHER, str(onnx_file), str(SIDE)]
        assert subprocess.run(words, timeout=60, check=False).returncode == 0
