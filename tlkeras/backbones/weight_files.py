"""Weight files onto a built network: every weight covered, or an error and nothing else.

    Keras 3   .weights.h5   layers/<class>_<number>/vars/<place>     matched by that path
    Keras 1/2 .h5           layer_names, each with weight_names       matched by their order

A classifier that the file has on top of the network is left out.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import h5py
import keras
import numpy as np

from tlkeras.backbones.catalogue import backbones
from tlkeras.backbones.foreign.doors import open_hdf5
from tlkeras.backbones.graph import snake_case
from tlkeras.errors import WeightsError

_LOG = logging.getLogger(__name__)

# VGG has the most layers with weights on top: three Dense.
_MOST_TOP_LAYERS = 3
# tf.keras 2.13 to 2.15 wrote the second name.
_KERAS_3_ROOTS = ("layers", "_layer_checkpoint_dependencies")


@dataclass(frozen=True)
class _Stored:
    """The datasets of one layer, still on disk."""

    label: str
    datasets: tuple[h5py.Dataset, ...]

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        return [dataset.shape for dataset in self.datasets]


class _Match(NamedTuple):
    stored: list[_Stored]
    pairs: list[tuple[keras.layers.Layer, _Stored]]
    missing: list[keras.layers.Layer]
    extra: list[str]


def load_file(model: keras.Model, path: Path, name: str) -> None:
    """Copies all weights of `model` from a file, with or without a classifier on top.

    Raises:
        WeightsError: not such a file, or one that does not fit; `model` is to be dropped.

    Example::

        load_file(model, Path("mobilenet_2_5_224_tf_no_top.h5"), "MobileNet-0.25")
    """
    try:
        with open_hdf5(path) as file:
            _copy(file, model, path, name)
    except OSError as err:
        raise WeightsError(
            f"Expected an HDF5 weight file, got {path}, which cannot be read ({err}). It is cut "
            "short or something else: download or save it again."
        ) from err


def fitting_by_size(total: int, name: str) -> list[str]:
    """Backbones other than `name` with that many weights, with or without ImageNet classes.

    >>> fitting_by_size(410_208 + 1000 * 1281, "MobileNet")
    ['MobileNetV2-0.35']
    """
    return [
        spec.name
        for spec in backbones()
        if spec.name != name
        and total - spec.parameters in (0, 1000 * (spec.width + 1), 1001 * (spec.width + 1))
    ]


def layer_names(path: Path) -> set[str]:
    """What the layers of a weight file were called in the network that it was saved from.

    Example::

        "fire2/squeeze1x1" in layer_names(Path("squeezenet_weights_tf_notop.h5"))
    """
    names: set[str] = set()

    def visit(_: str, node: h5py.Group | h5py.Dataset) -> None:
        names.add(str(node.attrs.get("name", "")))

    with open_hdf5(path) as file:
        if "layer_names" in file.attrs or "layer_names0" in file.attrs:
            return set(_names(file, "layer_names"))
        file.visititems(visit)
    return names - {""}


def _copy(file: h5py.File, model: keras.Model, path: Path, name: str) -> None:
    if "model_config" in file.attrs:
        raise WeightsError(
            f"Expected a file of weights, got {path}, which holds a whole Keras model. Give the "
            "path itself as the backbone, or save its weights with model.save_weights(…)."
        )
    match = _match_legacy if "layer_names" in file.attrs else _match_keras_3
    stored, pairs, missing, extra = match(file, model, path)
    problems = [_mismatch(layer, found) for layer, found in pairs]
    problems = [problem for problem in problems if problem]
    problems += [f"layer '{layer.name}' has no weights in the file" for layer in missing]
    if not problems and len(extra) > _MOST_TOP_LAYERS:
        problems = [f"the file has {len(extra)} more layers, from '{extra[0]}' on"]
    if problems:
        raise WeightsError(_does_not_fit(path, name, len(pairs) + len(missing), stored, problems))
    for layer, found in pairs:
        _assign(layer, found, path)
    if extra:
        _LOG.info("%s: left out the classifier on top (%s)", path, ", ".join(extra))


def _match_legacy(file: h5py.File, model: keras.Model, path: Path) -> _Match:
    stored = _legacy(file, path)
    wanted = [layer for layer in model.layers if layer.weights]
    pairs = list(zip(wanted, stored, strict=False))
    extra = [found.label for found in stored[len(wanted) :]]
    return _Match(stored, pairs, wanted[len(stored) :], extra)


def _match_keras_3(file: h5py.File, model: keras.Model, path: Path) -> _Match:
    stored = _keras_3(file, path)
    by_label = {found.label: found for found in stored}
    wanted = dict(_paths(model, ""))
    pairs = [(layer, by_label[label]) for label, layer in wanted.items() if label in by_label]
    missing = [layer for label, layer in wanted.items() if label not in by_label]
    extra = [label for label in by_label if label not in wanted]
    return _Match(stored, pairs, missing, extra)


def _paths(model: keras.Model, prefix: str) -> Iterator[tuple[str, keras.layers.Layer]]:
    seen: dict[str, int] = {}
    for layer in model.layers:
        key = snake_case(type(layer).__name__)
        seen[key] = seen.get(key, -1) + 1
        path = f"{prefix}{key}_{seen[key]}" if seen[key] else f"{prefix}{key}"
        if isinstance(layer, keras.Model):
            yield from _paths(layer, f"{path}/")
        elif layer.weights:
            yield path, layer


def _keras_3(file: h5py.File, path: Path) -> list[_Stored]:
    root = next((root for root in _KERAS_3_ROOTS if root in file), None)
    if root is None:
        raise WeightsError(
            f"Expected Keras weights, got {path}, an HDF5 file with {sorted(file)[:5]}. Save "
            "them with model.save_weights('name.weights.h5')."
        )
    groups: dict[str, dict[int, h5py.Dataset]] = {}

    def visit(name: str, node: h5py.Group | h5py.Dataset) -> None:
        label, _, place = name.rpartition("/vars/")
        if isinstance(node, h5py.Dataset) and place.isdigit():
            groups.setdefault(label.replace(f"/{root}/", "/"), {})[int(place)] = node

    file[root].visititems(visit)
    return [
        _Stored(label, tuple(_inside(group[place], path) for place in sorted(group)))
        for label, group in groups.items()
        if not label.endswith("seed_generator")
    ]


def _legacy(file: h5py.File, path: Path) -> list[_Stored]:
    stored = []
    for label in _names(file, "layer_names"):
        weights = _names(file[label], "weight_names")
        if weights:
            datasets = tuple(_inside(file[label][weight], path) for weight in weights)
            stored.append(_Stored(label, datasets))
    return stored


def _names(group: h5py.Group, attribute: str) -> list[str]:
    # A list over HDF5's 64 kB limit is cut into attribute0, attribute1, …
    if attribute in group.attrs:
        parts = [group.attrs[attribute]]
    else:
        parts = []
        while f"{attribute}{len(parts)}" in group.attrs:
            parts.append(group.attrs[f"{attribute}{len(parts)}"])
    names = [name for part in parts for name in part]
    return [name.decode() if isinstance(name, bytes) else str(name) for name in names]


def _inside(dataset: h5py.Dataset, path: Path) -> h5py.Dataset:
    # A file that is opened must not make us read another one.
    if dataset.external or Path(dataset.file.filename) != path:
        raise WeightsError(
            f"Expected weights inside {path}; '{dataset.name}' points to another file. Save the "
            "weights again into one file."
        )
    return dataset


def _mismatch(layer: keras.layers.Layer, found: _Stored) -> str:
    expected = [tuple(variable.shape) for variable in layer.weights]
    if expected == found.shapes:
        return ""
    return f"layer '{layer.name}' takes {expected}, the file has {found.shapes} ('{found.label}')"


def _assign(layer: keras.layers.Layer, found: _Stored, path: Path) -> None:
    for variable, dataset in zip(layer.weights, found.datasets, strict=True):
        values = np.asarray(dataset[()])
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise WeightsError(
                f"Expected finite weights, got NaN or infinity in {path}, layer "
                f"'{found.label}'. The training that made the file diverged: take another."
            )
        variable.assign(values)
    # Normalization computes from its statistics what it applies.
    if hasattr(layer, "finalize_state"):
        layer.finalize_state()


def _does_not_fit(
    path: Path, name: str, expected: int, stored: list[_Stored], problems: list[str]
) -> str:
    shown = "; ".join(problems[:3])
    more = f"; and {len(problems) - 3} more" if len(problems) > 3 else ""
    total = sum(dataset.size for found in stored for dataset in found.datasets)
    fitting = fitting_by_size(total, name)
    advice = (
        f"By its number of weights it fits {' or '.join(fitting)}."
        if fitting
        else f"Choose the backbone that the file was saved from, or another file for {name}."
    )
    return (
        f"Expected weights of {name} ({expected} layers with weights), got {path} with "
        f"{len(stored)}: {shown}{more}. {advice}"
    )
