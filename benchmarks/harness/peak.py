"""How fast this machine multiplies matrices: GFLOP/s by library and precision, all cores.

    python -m benchmarks.harness.peak

The limit that a network's figures are held against. Each library takes its turn, several times;
the best of its turns counts, since a neighbour can only make it slower. One that is not installed
is left out. Prints one JSON object: {"float32 numpy": 210.3, "bfloat16 openvino": 820.1, …}.
"""

import argparse
import importlib.util
import json
import os
import time
from collections.abc import Callable

SIDE = 2048
TURNS = 5

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--seconds", type=float, default=0.5, help="of one turn")


def numpy_product() -> Callable[[], object]:
    import numpy as np

    a = np.random.default_rng(0).standard_normal((SIDE, SIDE), np.float32)
    out = np.empty_like(a)
    return lambda: np.matmul(a, a, out=out)


def tensorflow_product(dtype: str) -> Callable[[], object]:
    import tensorflow as tf

    a = tf.cast(tf.random.stateless_normal((SIDE, SIDE), (0, 1)), dtype)
    graph = tf.function(lambda x: tf.matmul(x, x)[0, 0])
    return lambda: graph(a).numpy()


def torch_product(dtype: str) -> Callable[[], object]:
    import torch

    a = torch.randn(SIDE, SIDE).to(getattr(torch, dtype))
    return lambda: a @ a


def openvino_product(precision: str) -> Callable[[], object]:
    import numpy as np
    import openvino as ov
    from openvino import opset13 as op

    x = op.parameter([SIDE, SIDE], np.float32)
    weights = np.random.default_rng(1).standard_normal((SIDE, SIDE), np.float32)
    # Reduced inside, so that reading the product out is not what is timed.
    product = op.reduce_sum(op.matmul(x, op.constant(weights), False, False), op.constant([0, 1]))
    compiled = ov.Core().compile_model(
        ov.Model([product], [x]),
        "CPU",
        {"INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY"},
    )
    request = compiled.create_infer_request()
    return lambda: request.infer([weights], share_inputs=True)


CONTENDERS: dict[str, tuple[str, Callable[[], Callable[[], object]]]] = {
    "float32 numpy": ("numpy", numpy_product),
    "float32 tensorflow": ("tensorflow", lambda: tensorflow_product("float32")),
    "float32 torch": ("torch", lambda: torch_product("float32")),
    "float32 openvino": ("openvino", lambda: openvino_product("f32")),
    "bfloat16 tensorflow": ("tensorflow", lambda: tensorflow_product("bfloat16")),
    "bfloat16 torch": ("torch", lambda: torch_product("bfloat16")),
    "bfloat16 openvino": ("openvino", lambda: openvino_product("bf16")),
}


def rate(product: Callable[[], object], seconds: float) -> float:
    """GFLOP/s of products repeated for that long: the quickest one of them."""
    best, until = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < until:
        started = time.perf_counter()
        product()
        best = min(best, time.perf_counter() - started)
    return 2 * SIDE**3 / best / 1e9


def best(rates: dict[str, float], precision: str) -> float | None:
    """The highest rate of a precision, whoever reached it; None if nobody tried."""
    return max((r for name, r in rates.items() if name.startswith(precision)), default=None)


def main() -> None:
    options = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    products = {}
    for name, (package, make) in CONTENDERS.items():
        if importlib.util.find_spec(package) is None:
            continue
        try:
            products[name] = make()
            products[name]()
        except Exception:  # a precision that this library or processor lacks
            products.pop(name, None)
    rates = dict.fromkeys(products, 0.0)
    for _ in range(TURNS):
        for name, product in products.items():
            rates[name] = max(rates[name], rate(product, options.seconds / TURNS))
    print(json.dumps({name: round(value, 1) for name, value in rates.items()}))


if __name__ == "__main__":
    main()
