"""The process of its own in which Keras runs on torch: model.keras answers.npz out.pt2."""

import sys
from typing import TYPE_CHECKING

import numpy as np

from converters.exported import TOLERANCE
from converters.keras_to_torch.program import DIFFERS
from converters.nested import packed

if TYPE_CHECKING:
    import keras
    from torch import nn

Case = tuple[list[np.ndarray], list[np.ndarray]]


def main(saved: str, answers: str, path: str) -> int:
    """0: the program is written and answers alike; DIFFERS: it answers differently."""
    import keras
    import torch

    cases = _cases(answers)
    first = tuple(torch.from_numpy(array) for array in cases[0][0])
    # DYNAMIC, unlike AUTO, ends in an error where a size would be written into the program.
    free = tuple(
        {axis: torch.export.Dim.DYNAMIC for axis in np.flatnonzero(np.not_equal(*sizes)).tolist()}
        for sizes in zip(*_shapes(cases), strict=True)
    )
    program = torch.export.export(
        _positional(keras.models.load_model(saved, compile=False)),
        first,
        dynamic_shapes=(free,),
        strict=False,
    )
    torch.export.save(program, path)
    # Loaded again, since what the file says is what counts.
    loaded = torch.export.load(path).module()
    for inputs, outputs in cases:
        found = loaded(*(torch.from_numpy(array) for array in inputs))
        for wanted, tensor in zip(outputs, found, strict=True):
            gap = float(np.max(np.abs(wanted - tensor.detach().numpy()), initial=0))
            largest = float(np.max(np.abs(wanted), initial=0))
            if not gap <= TOLERANCE * largest:
                sys.stderr.write(f"largest difference {gap:.3g}, answers reach {largest:.3g}\n")
                return DIFFERS
    return 0


def _positional(model: "keras.Model") -> "nn.Module":
    """A Keras model as a module that takes its inputs in order and gives a tuple."""
    import keras
    from torch import nn

    class Positional(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = model

        def forward(self, *arrays: object) -> tuple[object, ...]:
            return tuple(keras.tree.flatten(self.network(packed(model, arrays), training=False)))

    return Positional().eval()


def _shapes(cases: list[Case]) -> list[list[tuple[int, ...]]]:
    """The shapes of the inputs in the first and in the last case."""
    return [[array.shape for array in inputs] for inputs, _ in (cases[0], cases[-1])]


def _cases(path: str) -> list[Case]:
    """Inputs and outputs of each case: names are number/input/0, number/output/0, …"""
    with np.load(path, allow_pickle=False) as file:
        arrays = dict(file)
    count = 1 + max(int(name.split("/")[0]) for name in arrays)
    return [(_side(arrays, n, "input"), _side(arrays, n, "output")) for n in range(count)]


def _side(arrays: dict[str, np.ndarray], number: int, side: str) -> list[np.ndarray]:
    start = f"{number}/{side}/"
    count = sum(name.startswith(start) for name in arrays)
    return [arrays[f"{start}{position}"] for position in range(count)]


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
