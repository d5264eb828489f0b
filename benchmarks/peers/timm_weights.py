"""Keras' MobileNetV2 weights under timm's names, so that a peer in PyTorch has the same ones.

    python -m benchmarks.peers.timm_weights FILE.weights.h5 OUT.npz

Both list the same layers in the same order; kernels (h, w, in, out) become (out, in, h, w). The
peer builds `mobilenetv2_100` with pad_type="same" and bn_eps=1e-3, which are Keras' own.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np

REPEATS = (1, 2, 3, 4, 3, 3, 1)  # blocks in each of the network's stages
NORM = ("weight", "bias", "running_mean", "running_var")

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("weights", type=Path)
parser.add_argument("out", type=Path)


def pairs() -> Iterator[tuple[str, str, str]]:
    """(kind of convolution, its name, its norm's name) from the picture to the embedding."""
    yield "conv2d", "conv_stem", "bn1"
    for stage, repeats in enumerate(REPEATS):
        for block in range(repeats):
            at = f"blocks.{stage}.{block}."
            if stage == 0:
                yield "depthwise_conv2d", at + "conv_dw", at + "bn1"
                yield "conv2d", at + "conv_pw", at + "bn2"
                continue
            yield "conv2d", at + "conv_pw", at + "bn1"
            yield "depthwise_conv2d", at + "conv_dw", at + "bn2"
            yield "conv2d", at + "conv_pwl", at + "bn3"
    yield "conv2d", "conv_head", "bn2"


def timm_state(weights: Path) -> dict[str, np.ndarray]:
    """Arrays by timm's names, of a Keras 3 `.weights.h5` file of MobileNetV2."""
    state: dict[str, np.ndarray] = {}
    counts = {"conv2d": 0, "depthwise_conv2d": 0, "batch_normalization": 0}
    with h5py.File(weights) as file:

        def next_of(kind: str) -> list[np.ndarray]:
            number, counts[kind] = counts[kind], counts[kind] + 1
            stored = file["layers"][f"{kind}_{number}" if number else kind]["vars"]
            return [stored[str(place)][()] for place in range(len(stored))]

        for kind, convolution, norm in pairs():
            (kernel,) = next_of(kind)
            order = (2, 3, 0, 1) if kind == "depthwise_conv2d" else (3, 2, 0, 1)
            state[f"{convolution}.weight"] = np.ascontiguousarray(kernel.transpose(order))
            values = next_of("batch_normalization")
            state.update({f"{norm}.{name}": v for name, v in zip(NORM, values, strict=True)})
    return state


def main() -> None:
    options = parser.parse_args()
    np.savez(options.out, **timm_state(options.weights))


if __name__ == "__main__":
    main()
