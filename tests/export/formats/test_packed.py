"""Files written again: smaller, the same answers, weights aligned, a note inside."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from converters.keras_to_litert import litert_bytes
from tests.export.conftest import SIZE_PX
from tlkeras.export.formats.interpreter import answers_of
from tlkeras.export.formats.packed import note_of, operators, packed
from tlkeras.export.formats.rounding.int8 import calibration
from tlkeras.features.engines.trunk import trunk

pytest.importorskip("ai_edge_litert.interpreter")


@pytest.fixture(scope="module")
def converted(bundle: SimpleNamespace, pixels: np.ndarray) -> bytes:
    return litert_bytes(trunk(bundle.model, SIZE_PX), "int8", calibration(pixels, SIZE_PX))


def test_packing_makes_smaller_and_changes_no_bit_of_an_answer(
    converted: bytes, pixels: np.ndarray
) -> None:
    again = packed(converted, {})
    assert len(again) < len(converted)
    np.testing.assert_array_equal(answers_of(again)(pixels), answers_of(converted)(pixels))


def test_weights_lie_aligned(int8_file: Path) -> None:
    from ai_edge_litert.schema_py_generated import Model

    model = Model.GetRootAsModel(int8_file.read_bytes(), 0)
    buffers = [model.Buffers(index) for index in range(model.BuffersLength())]
    starts = [each._tab.Vector(each._tab.Offset(4)) for each in buffers if each.DataLength()]
    assert len(starts) > 4
    assert {start % 16 for start in starts} == {0}


def test_note_comes_back_and_is_replaced_by_the_next(converted: bytes) -> None:
    assert note_of(converted) == {}
    once = packed(converted, {"labels": ["é", "b"]})
    assert note_of(once) == {"labels": ["é", "b"]}
    assert note_of(packed(once, {"labels": ["c"]})) == {"labels": ["c"]}


def test_operators_are_those_that_the_interpreter_runs(converted: bytes) -> None:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    plain = Interpreter(
        model_content=converted,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    run = {each["op_name"] for each in plain._get_ops_details()}
    assert set(operators(converted)) == run
