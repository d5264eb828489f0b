"""Small ONNX files, written by hand and by torch's exporter."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

Write = Callable[..., Path]


@pytest.fixture
def write_onnx(tmp_path: Path) -> Write:
    """Path of a network 18 x 24 px → convolution, BatchNorm, ReLU, pool, `classes` scores."""
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper, numpy_helper

    def write(
        name: str = "net.onnx",
        classes: int = 4,
        metadata: Mapping[str, str] | None = None,
        outputs: tuple[str, ...] = ("scores",),
    ) -> Path:
        rng = np.random.default_rng(7)
        arrays = {
            "conv.weight": rng.normal(0, 0.3, (6, 3, 3, 3)),
            "bn.weight": rng.uniform(0.7, 1.3, 6),
            "bn.bias": rng.normal(0, 0.3, 6),
            "bn.running_mean": rng.normal(0, 0.3, 6),
            "bn.running_var": rng.uniform(0.7, 1.3, 6),
            "fc.weight": rng.normal(0, 0.5, (classes, 6)),
            "fc.bias": rng.normal(0, 0.5, classes),
        }
        norm = ["conv", "bn.weight", "bn.bias", "bn.running_mean", "bn.running_var"]
        nodes = [
            helper.make_node(
                "Conv", ["image", "conv.weight"], ["conv"], strides=[2, 2], pads=[1, 1, 1, 1]
            ),
            helper.make_node("BatchNormalization", norm, ["bn"]),
            helper.make_node("Relu", ["bn"], ["map"]),
            helper.make_node("GlobalAveragePool", ["map"], ["pool"]),
            helper.make_node("Flatten", ["pool"], ["flat"]),
            helper.make_node("Gemm", ["flat", "fc.weight", "fc.bias"], ["scores"], transB=1),
        ]
        shapes = {"scores": ["n", classes], "map": ["n", 6, 9, 12]}
        graph = helper.make_graph(
            nodes,
            "net",
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, 18, 24])],
            [helper.make_tensor_value_info(o, TensorProto.FLOAT, shapes[o]) for o in outputs],
            [numpy_helper.from_array(a.astype("float32"), key) for key, a in arrays.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        helper.set_model_props(model, dict(metadata or {}))
        onnx.save(model, tmp_path / name)
        return tmp_path / name

    return write
