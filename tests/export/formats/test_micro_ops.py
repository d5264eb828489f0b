"""Operators of TensorFlow Lite for Microcontrollers: names of LiteRT's own schema."""

import pytest

from tlkeras.export.formats.micro_ops import MICRO_OPERATORS, not_on_micro, resolver_method

schema = pytest.importorskip("ai_edge_litert.schema_py_generated")


def test_every_name_is_one_of_the_schema() -> None:
    assert not MICRO_OPERATORS - set(vars(schema.BuiltinOperator))


def test_custom_operators_and_transformers_are_not_there() -> None:
    assert not_on_micro(["CONV_2D", "GELU", "MyOwn", "GELU"]) == ["GELU", "MyOwn"]


@pytest.mark.parametrize(
    ("operator", "method"),
    [
        ("DEPTHWISE_CONV_2D", "AddDepthwiseConv2D"),
        ("AVERAGE_POOL_2D", "AddAveragePool2D"),
        ("PADV2", "AddPadV2"),
        ("RESIZE_NEAREST_NEIGHBOR", "AddResizeNearestNeighbor"),
        ("UNIDIRECTIONAL_SEQUENCE_LSTM", "AddUnidirectionalSequenceLSTM"),
    ],
)
def test_methods_are_the_resolvers_own(operator: str, method: str) -> None:
    assert resolver_method(operator) == method
