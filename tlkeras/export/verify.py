"""Proof that an exported folder answers as the model does, in a process that knows only it.

pictures ─▶ fresh python, TensorFlow alone, SavedModel ─┐
what the model in this process answered ────────────────┴─ compare ─▶ ServedParity
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from tlkeras.errors import ExportError, ParityError
from tlkeras.export.once.process import answers_once

TOLERANCE = 1e-4
SCORES_TO_PROBABILITIES = 100
"""How much further unknown scores may be apart: they are differences of angles, scaled up."""
_SCRIPT = Path(__file__).with_name("serve_once.py")

Runtime = Literal["onnx", "litert"]
_ONCE: dict[Runtime, Path] = {
    "onnx": Path(__file__).with_name("once") / "onnx.py",
    "litert": Path(__file__).with_name("once") / "litert.py",
}


@dataclass(frozen=True)
class ServedParity:
    """How far a served model's answers are from the model's own.

    >>> print(ServedParity(12, 2.5e-07, 0, (), 1e-4))
    12 pictures: largest difference 2.5e-07 (tolerance 0.0001), 0 labels differ
    """

    pictures: int
    largest_difference: float
    label_mismatches: int
    not_decodable: tuple[int, ...]
    tolerance: float
    unknown_difference: float | None = None

    def to_dict(self) -> dict[str, object]:
        """The fields as JSON can hold them."""
        return {**asdict(self), "not_decodable": list(self.not_decodable)}

    @classmethod
    def from_json(cls, text: str) -> "ServedParity":
        """The parity whose `to_dict` was written as `text`."""
        fields = json.loads(text)
        return cls(**{**fields, "not_decodable": tuple(fields["not_decodable"])})

    def __str__(self) -> str:
        text = (
            f"{self.pictures} pictures: largest difference {self.largest_difference:.2g} "
            f"(tolerance {self.tolerance:g}), {self.label_mismatches} labels differ"
        )
        if self.unknown_difference is not None:
            text += f"; unknown scores differ by {self.unknown_difference:.2g} at most"
        if self.not_decodable:
            text += f"; {len(self.not_decodable)} of a format that serving does not decode"
        return text


def verify_savedmodel(
    path: str | Path,
    pictures: Sequence[bytes],
    expected_labels: Sequence[str],
    expected_probabilities: np.ndarray,
    expected_scores: np.ndarray | None = None,
    *,
    tolerance: float = TOLERANCE,
    timeout_s: float = 600.0,
) -> ServedParity:
    """The comparison of `serving_default` at `path` with the expected answers, if they match.

    `pictures` are n encoded files, `expected_probabilities` (n, c) float, `expected_scores` the
    unknown scores (n,) float, which may differ by a hundred times the tolerance. A picture that the
    graph does not decode (TIFF, WebP) is counted in `not_decodable` and not compared. Raises
    ParityError naming the worst picture, ExportError when the folder cannot be served at all.

    Example::

        parity = verify_savedmodel("serve/flowers/1", files, labels, probabilities)
    """
    expected = np.asarray(expected_probabilities, np.float32)
    if not pictures or expected.shape[:1] != (len(pictures),):
        raise ExportError(
            f"Expected one row of probabilities for each of 1 or more pictures, came "
            f"{len(pictures)} pictures and {expected.shape}. Hand in both for the same files."
        )
    served = answers_in_fresh_process(Path(path), pictures, timeout_s=timeout_s)
    if not served["marked"]:
        raise ParityError(
            "Expected a broken picture to be marked ok=False with an empty label; it was "
            "answered like a picture. Export again."
        )
    parity = _compare(served, list(expected_labels), expected, tolerance)
    if expected_scores is None:
        return parity
    return replace(parity, unknown_difference=_score_difference(served, expected_scores, tolerance))


def answers_in_fresh_process(
    path: Path, pictures: Sequence[bytes], *, timeout_s: float = 600.0
) -> dict[str, np.ndarray]:
    """`label`, `probabilities` and `ok` for n encoded files, by plain TensorFlow elsewhere.

    `marked` tells whether a broken picture, which is put amid them, was marked as one. Raises
    ExportError when the folder cannot be loaded or gives no answer in time.

    Example::

        answers_in_fresh_process(Path("serve/flowers/1"), [file.read_bytes()])["label"]
    """
    lengths = np.array([len(picture) for picture in pictures], np.int64)
    request: dict[str, np.ndarray] = {
        "data": np.frombuffer(b"".join(pictures), np.uint8),
        "lengths": lengths,
    }
    return answers_once(_SCRIPT, path, request, timeout_s=timeout_s)


def verify_pixels(
    path: str | Path,
    runtime: Runtime,
    pixels: np.ndarray,
    expected: np.ndarray,
    class_names: Sequence[str],
    *,
    tolerance: float = TOLERANCE,
    timeout_s: float = 600.0,
) -> ServedParity:
    """The comparison of a file that takes pixels with the expected answers, if they match.

    `pixels` are (n, size, size, 3) float32 in [0, 255], `expected` the model's probabilities
    (n, c) float, with the unknown scores as one more column where it has them; these may differ by
    a hundred times the tolerance. The file answers in a fresh process that has its runtime alone.

    Raises:
        ParityError: other answers; it names the worst picture.
        ExportError: the file cannot be run.

    Example::

        parity = verify_pixels("flowers.onnx", "onnx", pixels, table, ("daisy", "rose"))
    """
    table = np.asarray(expected, np.float32)
    classes = len(class_names)
    if not len(pixels) or len(pixels) != len(table) or table.shape[1] not in (classes, classes + 1):
        raise ExportError(
            f"Expected a row of answers for each of 1 or more pictures, {classes} columns or one "
            f"more, came pixels {pixels.shape} and answers {table.shape}. Hand in both for the "
            "same pictures and classes."
        )
    served = answers_once(_ONCE[runtime], Path(path), {"pixels": pixels}, timeout_s=timeout_s)
    names = np.array(class_names, np.str_)
    served.setdefault("label", names[served["probabilities"].argmax(axis=1) % classes])
    served["ok"] = np.ones(len(pixels), bool)
    labels = [str(name) for name in names[table[:, :classes].argmax(axis=1)]]
    parity = _compare(served, labels, table[:, :classes], tolerance)
    if table.shape[1] == classes:
        return parity
    scores = table[:, classes]
    return replace(parity, unknown_difference=_score_difference(served, scores, tolerance))


def _compare(
    served: dict[str, np.ndarray], labels: list[str], expected: np.ndarray, tolerance: float
) -> ServedParity:
    ok, given = served["ok"], served["probabilities"]
    if given.shape != expected.shape:
        raise ParityError(
            f"Expected probabilities {expected.shape}, the served model gave {given.shape}. "
            "Export the bundle that made the expected answers."
        )
    if not ok.any():
        raise ParityError(
            f"Expected at least one picture that serving decodes, came {len(ok)} that it does "
            "not. Hand in JPEG, PNG, GIF or BMP files."
        )
    # A NaN on either side compares as equal to nothing, so it must count as the worst.
    difference = np.nan_to_num(np.abs(given - expected).max(axis=1), nan=np.inf)
    difference[~ok] = 0.0
    differs = _other_label(served["label"], labels, expected, tolerance) & ok
    worst = int(np.argmax(difference + differs))
    parity = ServedParity(
        pictures=int(ok.sum()),
        largest_difference=float(difference.max()),
        label_mismatches=int(differs.sum()),
        not_decodable=tuple(int(row) for row in np.flatnonzero(~ok)),
        tolerance=tolerance,
    )
    if parity.largest_difference > tolerance or parity.label_mismatches:
        column = int(np.argmax(np.abs(given[worst] - expected[worst])))
        raise ParityError(
            f"Expected the served answers within {tolerance:g} of the model's; {parity}. Worst is "
            f"picture {worst}: model {labels[worst]!r}, served {str(served['label'][worst])!r}, "
            f"class {column} {expected[worst, column]:.6f} against {given[worst, column]:.6f}. "
            "Check that both come from the same weights and saw the same pictures."
        )
    return parity


def _score_difference(
    served: dict[str, np.ndarray], expected: np.ndarray, tolerance: float
) -> float:
    """How far the unknown scores (n,) are from the expected ones, and flags from scores, at most.

    Raises:
        ParityError: there are none, or they are too far away.
    """
    ok = served["ok"]
    given = served.get("unknown_score", np.full(len(ok), np.nan))
    difference = np.nan_to_num(np.abs(given - expected), nan=np.inf)
    difference[~ok] = 0.0
    worst = int(difference.argmax())
    most = SCORES_TO_PROBABILITIES * tolerance
    flags = served.get("unknown", given > 1)  # a file of pixels gives the score alone
    if difference[worst] > most or (flags != (given > 1)).any():
        raise ParityError(
            f"Expected the served unknown scores within {most:g} of the model's, and the flag to "
            f"be whether they are above 1. Worst is picture {worst}: {expected[worst]:.4f} "
            f"against {given[worst]:.4f}. Check that both come from the same weights."
        )
    return float(difference[worst])


def _other_label(
    given: np.ndarray, labels: list[str], expected: np.ndarray, tolerance: float
) -> np.ndarray:
    """Rows whose label differs although the two best classes are no tie within tolerance."""
    tied = np.zeros(len(labels), bool)
    if expected.shape[1] > 1:
        second, best = np.sort(expected, axis=1)[:, -2:].T
        tied = best - second <= 2 * tolerance
    return (given != np.array(labels, dtype=np.str_)) & ~tied
