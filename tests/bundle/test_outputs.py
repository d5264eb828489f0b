"""Answers kept in a run folder come back to the last bit, and other files are refused."""

import json

import numpy as np
import pytest

from tlkeras.bundle.outputs import Outputs, from_told, to_json
from tlkeras.errors import BundleError


def outputs() -> Outputs:
    table = np.random.default_rng(0).dirichlet(np.ones(5), 7).astype("float32")
    names = tuple(f"caf\udce9/{row}.jpg" for row in range(7))
    return Outputs(names, tuple(f"{row:064x}" for row in range(7)), table, 1e-4)


def test_every_bit_comes_back() -> None:
    kept = outputs()
    found = from_told(json.loads(to_json(kept)), 5)
    assert found.paths == kept.paths
    assert found.sha256 == kept.sha256
    assert found.tolerance == kept.tolerance
    assert found.probabilities.dtype == np.float32
    np.testing.assert_array_equal(found.probabilities, kept.probabilities)


@pytest.mark.parametrize("classes", [4, 6])
def test_table_of_other_classes_is_refused(classes: int) -> None:
    with pytest.raises(BundleError, match=r"outputs\.json"):
        from_told(json.loads(to_json(outputs())), classes)


@pytest.mark.parametrize("told", [{}, [], {"tolerance": 1, "pictures": [{"path": 3}]}])
def test_something_else_is_refused(told: object) -> None:
    with pytest.raises(BundleError, match="Copy the folder again"):
        from_told(told, 5)


def test_numbers_are_few_characters() -> None:
    row = json.loads(to_json(outputs()))["pictures"][0]
    assert max(len(str(number)) for number in row["probabilities"]) < 16
