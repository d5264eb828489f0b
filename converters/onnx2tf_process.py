"""onnx2tf as a process of its own: SavedModel or `.tflite`, for inference only.

For graphs that the importer cannot take. onnx2tf ends the process it runs in (74 sys.exit
calls in 1.29), seeds the global generators and may fetch a file: none of which may happen here.

    checked model ─▶ temporary folder ─ onnx2tf ─▶ files ─ same answers? ─ renamed ─▶ target
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from converters.errors import ConversionError, MismatchError, MissingExtraError
from converters.exported import staged
from converters.onnx_to_keras.read import read
from converters.parity.comparison import open_pair, row
from converters.parity.orders import guess, inverse, permuted
from converters.parity.tf_runs import tflite_network

if TYPE_CHECKING:
    import onnx

# onnx2tf asks GitHub for this file when all inputs are pictures of a fixed batch, although it
# uses it only to print how far the two agree; it takes one that stands in its working folder.
_CALIBRATION = "calibration_image_sample_data_20x128x128x3_float32.npy"
_CALIBRATION_SHAPE = (20, 128, 128, 3)
_NO_NETWORK = dict.fromkeys(
    ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"),
    "http://127.0.0.1:9",  # the discard port: whatever is asked for fails at once
)
_LAST_LINES = 6
# Strict mode compares every layer to find the axes of each: right more often, and slow.
_QUICK = "-dsm"
_TOLERANCE = 1e-3  # onnx2tf rewrites more than it has to: GELU, erf, normalisation


def onnx2tf_process(
    source: str | Path | bytes, target: str | Path, *, timeout_s: float = 1800
) -> Path:
    """The target, once onnx2tf has written it; nothing of it can be trained.

    Args:
        source: ONNX file or its bytes; it is checked as for onnx_to_keras.
        target: a `.tflite` file, or a folder for a SavedModel, which is replaced.
        timeout_s: seconds after which onnx2tf is ended.

    Raises:
        ReadError: not an ONNX model, or not a safe one.
        ConversionError: onnx2tf failed, or took too long; the message has its last lines.
        MissingExtraError: onnx2tf is not installed.

    Example::

        onnx2tf_process("detector.onnx", "detector.tflite")
    """
    found = installed()
    model = read(source)
    as_tflite = Path(target).suffix.lower() == ".tflite"
    with tempfile.TemporaryDirectory(prefix="onnx2tf-") as folder:
        work = Path(folder)
        (work / "model.onnx").write_bytes(model.SerializeToString())
        np.save(work / _CALIBRATION, _pictures())
        written = _converted(model, command(found, as_tflite), as_tflite, work, timeout_s)
        with staged(target) as fresh:
            shutil.move(written, fresh)
    return Path(target)


def installed() -> tuple[int, ...]:
    """Version of onnx2tf, found without importing it, as importing takes up to 38 seconds."""
    try:
        numbers = version("onnx2tf").split(".")
    except PackageNotFoundError as err:
        raise MissingExtraError("onnx2tf", "convert", "Going through onnx2tf") from err
    return tuple(int(number) for number in numbers if number.isdigit())


def command(onnx2tf: tuple[int, ...], as_tflite: bool) -> list[str]:
    """The command line for a version of onnx2tf.

    1.x always writes both kinds. 2.x writes `.tflite` files alone unless asked for a
    SavedModel.

    >>> command((1, 29, 24), True)[3:]
    ['-i', 'model.onnx', '-o', 'out', '-n', '-dsm']
    >>> command((2, 6, 9), False)[3:]
    ['-i', 'model.onnx', '-o', 'out', '-n', '-fdosm']
    """
    # Not the script on the PATH: it may be another environment's.
    start = [sys.executable, "-c", "import onnx2tf; onnx2tf.main()"]
    common = [*start, "-i", "model.onnx", "-o", "out", "-n"]
    if onnx2tf < (2,):
        return [*common, _QUICK]
    return common if as_tflite else [*common, "-fdosm"]


def _converted(
    model: onnx.ModelProto, words: list[str], as_tflite: bool, work: Path, timeout_s: float
) -> Path:
    """What onnx2tf has written and what answers as the model does; the slow mode if need be."""
    attempts = [words, [word for word in words if word != _QUICK]] if _QUICK in words else [words]
    for attempt in attempts:
        shutil.rmtree(work / "out", ignore_errors=True)
        _run(attempt, work, timeout_s)
        written = _result(work / "out", as_tflite)
        if _agrees(model, written):
            return written
    raise MismatchError(
        "Expected onnx2tf's result to answer as the ONNX model does, got other answers; nothing "
        "was written. onnx2tf has mistaken an axis: change the network, or report this to it."
    )


def _agrees(model: onnx.ModelProto, written: Path) -> bool:
    """Whether each answer of the model is among those of the result, whose order may differ."""
    try:
        ours = tflite_network(written, trusted=True) if written.is_file() else written
        pair = open_pair(model, ours)
        arrays, wanted = pair.inputs(pair.batches((2,))[0], seed=0)
        found = pair.model.run(pair.to_model(arrays))
    except (ConversionError, ValueError, RuntimeError):  # other shapes than the model's
        return False
    return all(any(_same(answer, other) for other in found) for answer in wanted)


def _same(wanted: np.ndarray, found: np.ndarray) -> bool:
    turned = permuted([found], [inverse(guess(wanted.shape, found.shape))])[0]
    return row("", wanted, turned, _TOLERANCE).passed


def _pictures() -> np.ndarray:
    return np.random.default_rng(0).random(_CALIBRATION_SHAPE, dtype=np.float32)


def _run(words: list[str], work: Path, timeout_s: float) -> None:
    environment = os.environ | _NO_NETWORK | {"TF_CPP_MIN_LOG_LEVEL": "3", "NO_PROXY": ""}
    log = work / "log.txt"
    with log.open("wb") as lines:
        try:
            done = subprocess.run(
                words,
                cwd=work,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=lines,
                stderr=subprocess.STDOUT,
                timeout=timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired as err:
            raise ConversionError(
                f"Expected onnx2tf to end within {timeout_s:g} s, got no end. Give it more with "
                "timeout_s, or a smaller network."
            ) from err
    if done.returncode or not (work / "out").is_dir():
        raise ConversionError(
            f"Expected onnx2tf to convert the model, got its exit status {done.returncode}: "
            f"{_last_lines(log)}. Change the network, or report this to onnx2tf."
        )


def _last_lines(log: Path) -> str:
    lines = log.read_text("utf-8", "replace").split("\n")
    kept = ["".join(c for c in line if c.isprintable()).strip() for line in lines]
    return " | ".join(line for line in kept if line)[-200 * _LAST_LINES :] or "it said nothing"


def _result(out: Path, as_tflite: bool) -> Path:
    if not as_tflite and (out / "saved_model.pb").is_file():
        for extra in [*out.glob("*.tflite"), *out.glob("*.json")]:
            extra.unlink()  # onnx2tf puts them into the SavedModel's folder
        return out
    files = sorted(out.glob("*float32.tflite")) or sorted(out.glob("*.tflite"))
    if as_tflite and files:
        return files[0]
    found = ", ".join(sorted(entry.name for entry in out.iterdir())[:8])
    raise ConversionError(
        f"Expected {'a .tflite file' if as_tflite else 'a SavedModel'} from onnx2tf, got "
        f"{found or 'nothing'}. Ask for the other kind of target."
    )
