"""Answers kept in a run folder: what a few known pictures were answered when it was saved.

outputs.json   path and SHA-256 of each picture, its probabilities, and how far apart is equal
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tlkeras.errors import BundleError

FILE = "outputs.json"


@dataclass(frozen=True, eq=False)
class Outputs:
    """What some pictures were answered.

    Attributes:
        paths: (n,) files of the pictures.
        sha256: (n,) hash of each file, as 64 hexadecimal digits.
        probabilities: (n, classes) float32.
        tolerance: how far a probability may be from these where the network is the same.
    """

    paths: tuple[str, ...]
    sha256: tuple[str, ...]
    probabilities: np.ndarray
    tolerance: float

    def __len__(self) -> int:
        return len(self.paths)


def to_json(outputs: Outputs) -> str:
    """The text of the file.

    >>> kept = Outputs(("a.jpg",), ("9f" * 32,), np.array([[0.25, 0.75]], "float32"), 1e-4)
    >>> from_told(json.loads(to_json(kept)), 2).probabilities.tolist()
    [[0.25, 0.75]]
    """
    rows = [
        # Nine digits bring back every float32.
        {"path": path, "sha256": digest, "probabilities": [float(f"{p:.9g}") for p in row]}
        for path, digest, row in zip(
            outputs.paths, outputs.sha256, outputs.probabilities.tolist(), strict=True
        )
    ]
    return json.dumps({"tolerance": outputs.tolerance, "pictures": rows}, indent=1) + "\n"


def from_told(told: Mapping[str, Any], classes: int) -> Outputs:
    """What the file's JSON object tells, for a classifier of so many classes.

    Raises:
        BundleError: it tells something else.
    """
    try:
        rows = told["pictures"]
        table = np.array([row["probabilities"] for row in rows], "float32").reshape(-1, classes)
        if len(table) != len(rows):
            raise ValueError(f"{len(table)} rows of {classes} numbers for {len(rows)} pictures")
        paths = tuple(str(row["path"]) for row in rows)
        digests = tuple(str(row["sha256"]) for row in rows)
        return Outputs(paths, digests, table, float(told["tolerance"]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BundleError(
            f"{FILE} has the answers for some pictures, {classes} probabilities each. Received: "
            f"{type(error).__name__}: {error}. Copy the folder again, or save the run again."
        ) from error
