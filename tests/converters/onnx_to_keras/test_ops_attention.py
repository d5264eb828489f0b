"""ONNX's Attention operator against ONNX's reference, and the one operation that fusion makes."""

import keras
import numpy as np
import pytest

from converters.onnx_to_keras.ops.attention import attention
from tests.converters.onnx_to_keras.one_node import imported, one_node

TOLERANCE = 2e-6
HEADS = [("N", 4, 5, 6), ("N", 4, 7, 6), ("N", 4, 7, 3)]
FLAT = [("N", 5, 24), ("N", 7, 12), ("N", 7, 6)]


@pytest.mark.parametrize(
    ("shapes", "attributes"),
    [
        (HEADS, {}),
        (HEADS, {"scale": 0.3, "softcap": 2.0}),
        (HEADS, {"is_causal": 1}),
        (FLAT, {"q_num_heads": 4, "kv_num_heads": 2}),
        ([HEADS[0], ("N", 2, 7, 6), ("N", 2, 7, 3)], {"q_num_heads": 4, "kv_num_heads": 2}),
    ],
)
def test_attention(shapes: list[tuple[int, ...]], attributes: dict[str, object]) -> None:
    proto = one_node("Attention", shapes, opset=23, **attributes)
    assert imported(proto, judge="reference").difference < TOLERANCE


def test_masks_and_a_past() -> None:
    mask = np.tri(5, 10, 5, dtype=bool)
    past = [("N", 4, 3, 6), ("N", 4, 3, 3)]
    proto = one_node("Attention", [*HEADS, "mask", *past], {"mask": mask}, 3, opset=23)
    assert imported(proto, judge="reference").difference < TOLERANCE


def test_one_operation_is_as_exact_as_its_parts() -> None:
    rng = np.random.default_rng(0)
    shapes = [(2, 5, 4, 6), (2, 7, 4, 6), (2, 7, 4, 3)]
    q, k, v = (rng.normal(size=shape).astype(np.float32) for shape in shapes)
    bias = rng.normal(size=(1, 4, 5, 7)).astype(np.float32)
    inputs = [keras.Input(array.shape[1:]) for array in (q, k, v)]
    model = keras.Model(inputs, attention(_Build(), *inputs, bias, scale=0.3))
    scores = 0.3 * np.einsum("bqhd,bkhd->bhqk", *(x.astype(np.float64) for x in (q, k))) + bias
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    expected = np.einsum("bhqk,bkhd->bqhd", weights, v)
    np.testing.assert_allclose(np.asarray(model([q, k, v], training=False)), expected, atol=1e-6)


class _Build:
    """What the operation needs of a Build: tensors as they are."""

    def tensor(self, value: object) -> object:
        return value
