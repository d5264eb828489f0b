"""What a SavedModel can be asked, as its own file says: signatures with names, types and shapes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tlkeras.errors import ExportError

LABELS_FILE = "labels.txt"
PREPROCESS_FILE = "preprocess.json"
"""What lies in the SavedModel's assets."""

_SIGNATURES = ("serving_default", "embed", "predict_images", "predict_tensor")
_OUTPUTS = ("label", "score", "probabilities", "embedding", "unknown_score", "unknown", "ok")
_SIDES = ("n", "h", "w")


@dataclass(frozen=True)
class Tensor:
    """One named input or output; -1 in the shape is a side that is free.

    >>> print(Tensor("images", "uint8", (-1, -1, -1, 3)), Tensor("label", "string", (-1,)))
    images uint8 (n, h, w, 3) label string (n,)
    """

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def sides(self) -> str:
        """The shape, with letters for what is free."""
        sides = [str(side) if side >= 0 else _SIDES[at] for at, side in enumerate(self.shape)]
        return f"({', '.join(sides)}{',' if len(sides) == 1 else ''})"

    def __str__(self) -> str:
        return f"{self.name} {self.dtype} {self.sides}"


@dataclass(frozen=True)
class Asked:
    """One signature: what it takes, what it gives."""

    name: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


def signatures_in(folder: Path) -> tuple[Asked, ...]:
    """The signatures of the SavedModel in the folder, the default one first.

    Raises:
        ExportError: there is none, or it is damaged.

    Example::

        print(*signatures_in(Path("serve/flowers/1"))[0].outputs, sep="\\n")
    """
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped,unused-ignore]
    from tensorflow.core.protobuf import saved_model_pb2

    saved = saved_model_pb2.SavedModel()
    file = folder / "saved_model.pb"
    try:
        saved.ParseFromString(file.read_bytes())
        defined = saved.meta_graphs[0].signature_def
    except (OSError, DecodeError, IndexError) as error:
        raise ExportError(
            f"Expected a SavedModel with its signatures in '{file}', but: {error}. Export again."
        ) from error
    return tuple(
        Asked(
            name,
            _tensors(defined[name].inputs),
            _tensors(defined[name].outputs),
        )
        for name in _in_order(defined, _SIGNATURES)
        if not name.startswith("__")  # TensorFlow's own, which runs when the model is loaded
    )


def _tensors(infos: Mapping) -> tuple[Tensor, ...]:
    import tensorflow as tf

    return tuple(
        Tensor(
            name,
            tf.dtypes.as_dtype(infos[name].dtype).name,
            tuple(side.size for side in infos[name].tensor_shape.dim),
        )
        for name in _in_order(infos, _OUTPUTS)
    )


def _in_order(names: Iterable[str], order: tuple[str, ...]) -> list[str]:
    known = {name: place for place, name in enumerate(order)}
    return sorted(names, key=lambda name: (known.get(name, len(order)), name))
