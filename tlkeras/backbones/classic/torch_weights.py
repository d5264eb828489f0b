"""PyTorch's weights with torchvision's names onto a classic network: all of them, or an error.

    layer1.0.conv1.weight       (out, in, h, w)     layer1_0_conv1/kernel           (h, w, in, out)
    layer1.0.bn1.running_mean   (c,)                layer1_0_bn1/moving_mean        (c,)
    stage2.0.branch1.0.weight   (c, 1, h, w)        stage2_0_branch1_0/kernel       (h, w, c, 1)
    fc.weight, aux1.…           classifiers         left out

timm's ResNets and files around a state_dict (`{"state_dict": …}`, `module.…`) are read as well.
"""

import difflib
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from tlkeras.backbones.classic.torch_files import read_tensors
from tlkeras.backbones.weight_files import fitting_by_size
from tlkeras.errors import WeightsError

_LOG = logging.getLogger(__name__)

_ON_TOP = ("fc", "classifier", "head", "aux1", "aux2")
_NORM = {
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
_CONV = {"kernel": "weight", "bias": "bias"}
_KERNEL = (2, 3, 1, 0)  # (out, in, h, w) → (h, w, in, out)
_DEPTHWISE = (2, 3, 0, 1)  # (c, 1, h, w) → (h, w, c, 1)


class _Place(NamedTuple):
    """Where a tensor goes, and the order that its axes take there."""

    variable: keras.Variable
    axes: tuple[int, ...]

    @property
    def torch_shape(self) -> tuple[int, ...]:
        shape = [0] * len(self.axes)
        for size, axis in zip(self.variable.shape, self.axes, strict=True):
            shape[axis] = int(size)
        return tuple(shape)


def load_torch(model: keras.Model, path: Path, name: str) -> None:
    """Copies all weights of `model` from a `.pth`, `.pt` or `.safetensors` file.

    Args:
        model: as `network(name)` builds it, with or without its preprocessing.
        path: a state_dict, with or without a classifier.
        name: of the backbone, for messages.

    Raises:
        WeightsError: not such a file, or tensors that are missing, too many or of other
            shapes, all of them named; `model` is as it was.
        MissingExtraError: torch or safetensors is not installed.

    Example::

        load_torch(model, Path("resnet18-f37072fd.pth"), "ResNet18")
    """
    tensors = {
        key: tensor
        for key, tensor in read_tensors(path).items()
        if not key.endswith("num_batches_tracked")
    }
    places = _places(model)
    found = _without_prefix(tensors, places)
    if name.startswith("Darknet") and not places.keys() & found.keys():
        found = _by_order(found, model)
    problems = _problems(found, places)
    if problems:
        raise WeightsError(_does_not_fit(path, name, tensors, len(places), problems))
    broken = [key for key in places if not np.isfinite(found[key]).all()]
    if broken:
        raise WeightsError(
            f"Expected finite weights, got NaN or infinity in {path}, {', '.join(broken)}. The "
            "training that made the file diverged: take another."
        )
    for key, place in places.items():
        place.variable.assign(found[key].transpose(place.axes))
    if found.keys() - places.keys():
        left = sorted({key.partition(".")[0] for key in found.keys() - places.keys()})
        _LOG.info("%s: left out the classifier (%s)", path, ", ".join(left))


def _places(model: keras.Model) -> dict[str, _Place]:
    """Torch's name of each weight and its place here, in the order of the network."""
    places = {}
    for layer in model.layers:
        names = _NORM if isinstance(layer, keras.layers.BatchNormalization) else _CONV
        kernel = _DEPTHWISE if isinstance(layer, keras.layers.DepthwiseConv2D) else _KERNEL
        for variable in layer.weights:
            axes = kernel if len(variable.shape) == 4 else (0,)
            key = f"{layer.name.replace('_', '.')}.{names[variable.name]}"
            places[key] = _Place(variable, axes)
    return places


def _without_prefix(
    tensors: Mapping[str, np.ndarray], places: Mapping[str, _Place]
) -> dict[str, np.ndarray]:
    """Tensors without what DataParallel, Lightning and others put before every name."""
    first = next(iter(places))
    prefixes = {key.removesuffix(first) for key in tensors if key.endswith(first)} | {""}

    def hits(prefix: str) -> int:
        return sum(prefix + key in tensors for key in places)

    # At equal hits the shortest, so that a file that fits is never cut.
    prefix = min(prefixes, key=lambda prefix: (-hits(prefix), len(prefix)))
    return {key.removeprefix(prefix): tensor for key, tensor in tensors.items()}


def _by_order(tensors: Mapping[str, np.ndarray], model: keras.Model) -> dict[str, np.ndarray]:
    """Tensors of a chain renamed by their place: a chain has one order, whatever its names.

    Only for Darknet-19, of which every repository has its own naming.
    """
    layers = [layer.name.replace("_", ".") for layer in model.layers if layer.weights]
    modules = list(dict.fromkeys(key.rpartition(".")[0] for key in tensors))
    mine = dict(zip(modules, layers, strict=False))
    last = {module: "classifier" for module in modules[len(layers) : len(layers) + 1]}
    renamed = {}
    for key, tensor in tensors.items():
        module, _, parameter = key.rpartition(".")
        renamed[f"{({**mine, **last}).get(module, module)}.{parameter}"] = tensor
    return renamed


def _problems(found: Mapping[str, np.ndarray], places: Mapping[str, _Place]) -> list[str]:
    extra = [key for key in found if key not in places and key.partition(".")[0] not in _ON_TOP]
    problems = []
    for key, place in places.items():
        if key not in found:
            close = difflib.get_close_matches(key, extra, n=1, cutoff=0.8)
            problems.append(f"'{key}' is missing" + (f", close to '{close[0]}'" if close else ""))
        elif found[key].shape != place.torch_shape:
            problems.append(f"'{key}' is {found[key].shape}, expected {place.torch_shape}")
    return problems + [f"'{key}' has no place" for key in extra]


def _does_not_fit(
    path: Path,
    name: str,
    tensors: Mapping[str, np.ndarray],
    expected: int,
    problems: list[str],
) -> str:
    others = fitting_by_size(sum(tensor.size for tensor in tensors.values()), name)
    advice = (
        f"By its number of weights it fits {' or '.join(others)}."
        if others
        else f"Take a state_dict with torchvision's names of {name}, or import the whole network."
    )
    return (
        f"Expected weights of {name} ({expected} tensors), got {path} with {len(tensors)}, "
        f"beginning with '{next(iter(tensors), '')}': {'; '.join(problems)}. {advice}"
    )
