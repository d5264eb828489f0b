"""A head put onto a saved backbone without Keras: a .keras file is JSON and HDF5 in a zip.

backbone.keras ─ config.json + layers of the head ─┐
               └ model.weights.h5 + their weights ─┴─▶ model.keras, as model.save() writes it

Keras takes seconds to load, and on a frozen backbone there is nothing for it to compute.
"""

import io
import json
import zipfile
from collections.abc import Collection, Sequence
from itertools import count
from pathlib import Path
from typing import cast

import numpy as np

from tlkeras.errors import BundleError
from tlkeras.heads.affine import Affine

Json = dict[str, object]
_FIXED_TIME = (1980, 1, 1, 0, 0, 0)  # the same model gives the same bytes


def splice(backbone: Path, head: Sequence[Affine], target: Path) -> None:
    """Writes `target`: the Functional model in the file `backbone` with Dense layers on top.

    Args:
        backbone: a .keras file with one output, (n, d).
        head: from the embedding (n, d) to probabilities (n, classes), in order.
        target: the .keras file to write.

    Raises:
        BundleError: `backbone` is no such file, or the head does not fit it.

    Example::

        splice(Path("backbone.keras"), [Affine(kernel, bias, "softmax")], target)
    """
    try:
        with zipfile.ZipFile(backbone) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        config = json.loads(members["config.json"])
        layers = config["config"]["layers"]
        end, *rest = _outputs(config["config"])
    except (OSError, KeyError, ValueError, TypeError, zipfile.BadZipFile) as error:
        raise BundleError(
            f"A head is put onto a Functional model in a .keras file. Received: {backbone} "
            f"({type(error).__name__}: {error}). Save the backbone again."
        ) from error
    if rest:
        raise BundleError(
            f"A backbone has one output. Received: {1 + len(rest)} in {backbone}. Cut the others."
        )
    width = _width(layers, str(end)) or head[0].kernel.shape[0]
    added = _Added(str(end), width, {layer["name"] for layer in layers})
    for number, affine in enumerate(head):
        added.affine(affine, "logits" if number == len(head) - 1 else "hidden")
    config["config"] |= {"name": "classifier", "output_layers": [added.last, 0, 0]}
    taken = [str(layer["class_name"]) for layer in layers]
    layers += added.layers
    members["config.json"] = json.dumps(config).encode()
    members["model.weights.h5"] = _with_weights(members["model.weights.h5"], taken, added)
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name, _FIXED_TIME), content)


class _Added:
    """The head's layers as Keras serialises them, each fed by the one before."""

    def __init__(self, embedding: str, width: int, taken: set[str]) -> None:
        self.last, self.width, self.taken = embedding, width, taken
        self.layers: list[Json] = []
        self.weights: list[list[np.ndarray]] = []

    def affine(self, affine: Affine, name: str) -> None:
        """Dropout if there is any, the product, and a softmax if it ends in one."""
        inputs, units = affine.kernel.shape
        if inputs != self.width:
            raise BundleError(
                f"A head's layers fit one another. Received: {name!r} for vectors of {inputs} "
                f"after {self.last!r}, which gives {self.width}."
            )
        if affine.dropout:
            self._layer("Dropout", "dropout", {"rate": affine.dropout})
        inside = "linear" if affine.activation == "softmax" else affine.activation
        settings: Json = {"units": units, "activation": inside, "use_bias": True}
        self._layer("Dense", name, settings, [affine.kernel, affine.bias])
        self.width = units
        if affine.activation == "softmax":
            self._layer("Softmax", "probabilities", {"axis": -1})

    def _layer(
        self, kind: str, name: str, config: Json, weights: Sequence[np.ndarray] = ()
    ) -> None:
        name = free_name(name, self.taken)
        self.taken.add(name)
        shape = [None, self.width]
        given = {"shape": shape, "dtype": "float32", "keras_history": [self.last, 0, 0]}
        self.layers.append(
            {
                "module": "keras.layers",
                "class_name": kind,
                # float32 whatever the policy: probabilities in half precision surprise everyone.
                "config": {"name": name, "trainable": True, "dtype": "float32", **config},
                "registered_name": None,
                "build_config": {"input_shape": shape},
                "name": name,
                "inbound_nodes": [
                    {"args": [{"class_name": "__keras_tensor__", "config": given}], "kwargs": {}}
                ],
            }
        )
        self.weights.append([np.ascontiguousarray(weight, "float32") for weight in weights])
        self.last = name


def free_name(name: str, taken: Collection[str]) -> str:
    """The name, with a number after it if a layer of the backbone has it already.

    >>> free_name("dropout", {"dropout", "dropout_1"})
    'dropout_2'
    """
    if name not in taken:
        return name
    return next(numbered for number in count(1) if (numbered := f"{name}_{number}") not in taken)


def _outputs(config: Json) -> list[object]:
    """Names of the layers that a Functional model's outputs come from."""
    said = cast("list[object]", config["output_layers"])
    return [said[0]] if isinstance(said[0], str) else [cast("list[object]", one)[0] for one in said]


def _width(layers: Sequence[Json], name: str) -> int | None:
    """How many values the layer of that name gives, if it changes no shape."""
    layer = next(layer for layer in layers if layer["name"] == name)
    if layer["class_name"] != "Activation":
        return None
    node = cast("list[Json]", layer["inbound_nodes"])[0]
    tensor = cast("list[Json]", node["args"])[0]
    return int(cast("dict[str, list[int]]", tensor["config"])["shape"][-1])


def _with_weights(content: bytes, taken: Sequence[str], added: _Added) -> bytes:
    """The HDF5 file with the head's weights, under the paths that Keras gives its layers."""
    import h5py

    # Keras numbers the layers of a class: dense, dense_1, … in the order of the model.
    before = {kind: taken.count(kind) for kind in ("Dense", "Dropout", "Softmax")}
    file = io.BytesIO(content)
    with h5py.File(file, "r+") as store:
        for layer, weights in zip(added.layers, added.weights, strict=True):
            kind = str(layer["class_name"])
            number = before[kind]
            before[kind] += 1
            path = kind.lower() + (f"_{number}" if number else "")
            variables = store.create_group(f"layers/{path}/vars")
            variables.attrs["name"] = layer["name"]
            for place, weight in enumerate(weights):
                variables.create_dataset(str(place), data=weight)
    return file.getvalue()
