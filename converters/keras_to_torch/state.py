"""A Keras model's numbers as the state_dict of a torch module.

Three ways to find a tensor's variable, the surest first: the import's own table, the same name,
the same place among what is left.
"""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from converters.errors import ConversionError
from converters.keras_to_torch.layouts import to_torch
from converters.nested import leaf_layers
from converters.torch_to_keras.origin import LEAVES, origin_of, plain
from converters.torch_to_keras.steps import backwards

if TYPE_CHECKING:
    import keras
    import torch
    from torch import nn

Groups = dict[str, dict[str, tuple[int, ...]]]
SHOWN = 20


def find_state(model: "keras.Model", module: "nn.Module") -> "dict[str, torch.Tensor]":
    """A tensor for every name of the module's state_dict.

    Raises:
        ConversionError: variables without a place, or parameters that the model does not have.
    """
    import torch

    wanted = dict(module.state_dict())
    arrays = {name: value.detach().cpu().numpy() for name, value in wanted.items()}
    found: dict[str, np.ndarray] = {}
    left: list[keras.Layer] = []
    for layer in leaf_layers(model):
        if layer.weights and not _take_known(layer, arrays, found):
            left.append(layer)
    groups = _groups(arrays, found)
    # The importer numbers names that are taken: `conv1_2` may be `conv1`, once all else is placed.
    for names in (plain, lambda name: re.sub(r"_\d+$", "", plain(name))):
        left = [la for la in left if not _take_named(la, names(la.name), groups, found, model)]
    left = _take_by_place(left, groups, found, model)
    _fill_tied(wanted, found)
    problems = [*_homeless(left), *_empty(module, found, arrays)]
    if problems:
        raise ConversionError(
            f"Expected a place in {type(module).__name__} for every weight of '{model.name}', "
            "got:\n  "
            + "\n  ".join(problems[:SHOWN])
            + (f"\n  and {len(problems) - SHOWN} more" if len(problems) > SHOWN else "")
            + "\nGive the module that belongs to the model as module=; its names have to be like "
            "the layers'. What no torch module has (a normalisation of pixels, say) belongs in "
            "front of the model that is written, or into a .pt2 file."
        )
    # What Keras does not have (num_batches_tracked, buffers that nothing trains) stays.
    kept = {**wanted, **_kept_buffers(model, wanted)}
    return {
        name: torch.from_numpy(np.array(found[name], arrays[name].dtype)).reshape(value.shape)
        if name in found
        else kept[name].detach().cpu().clone()
        for name, value in wanted.items()
    }


def _kept_buffers(
    model: "keras.Model", wanted: "dict[str, torch.Tensor]"
) -> "dict[str, torch.Tensor]":
    """Buffers as the imported network had them: their numbers are in the model's graph."""
    for layer in leaf_layers(model):
        origin = origin_of(layer)
        if origin is not None:
            buffers = dict(origin.module.named_buffers())
            return {n: b for n, b in buffers.items() if n in wanted and b.shape == wanted[n].shape}
    return {}


def _take_known(
    layer: "keras.Layer", arrays: dict[str, np.ndarray], found: dict[str, np.ndarray]
) -> bool:
    """Whether the import's table has all of a layer's variables, and the module takes them."""
    origin = origin_of(layer)
    if origin is None:
        return False
    rows, saved = origin.rows, origin.module.state_dict()
    fits = all(
        arrays[row.source].shape == row.shape if row.source in arrays else row.source not in saved
        for some in rows.values()
        for row in some
    )
    unknown = set(range(len(layer.weights))) - set(rows)
    if not fits or any(layer.weights[number].trainable for number in unknown):
        return False
    for number, some in rows.items():
        value = np.asarray(layer.weights[number])
        for row in some:
            if row.source in arrays:
                into = found.get(row.source, arrays[row.source])
                found[row.source] = backwards(value, row.steps, into)
    return True


def _groups(arrays: dict[str, np.ndarray], found: dict[str, np.ndarray]) -> Groups:
    """Tensors that are still wanted, by the module they belong to: {module: {leaf: shape}}."""
    groups: Groups = {}
    for name, value in arrays.items():
        owner, _, leaf = name.rpartition(".")
        if name not in found and leaf != "num_batches_tracked":
            groups.setdefault(owner, {})[leaf] = value.shape
    return groups


def _take_named(
    layer: "keras.Layer",
    own: str,
    groups: Groups,
    found: dict[str, np.ndarray],
    model: "keras.Model",
) -> bool:
    """Whether a module of this name takes the layer's variables; it is used up then."""
    for owner in list(groups):
        if plain(owner) == own and _take(layer, owner, groups, found, model):
            return True
    if len(layer.weights) != 1:
        return False
    # A parameter of its own (a class token, a scale): the layer has its name, or its owner's.
    names = {
        (owner, leaf): f"{owner}.{leaf}".strip(".") for owner in groups for leaf in groups[owner]
    }
    for whole in (True, False):
        fitting = {
            (owner, leaf): array
            for (owner, leaf), name in names.items()
            if plain(name if whole else owner) == own
            if (array := to_torch(layer, layer.weights[0], groups[owner][leaf], model)) is not None
        }
        if len(fitting) == 1:
            ((owner, leaf), array) = fitting.popitem()
            found[names[owner, leaf]] = array
            del groups[owner][leaf]
            return True
    return False


def _take_by_place(
    left: "list[keras.Layer]", groups: Groups, found: dict[str, np.ndarray], model: "keras.Model"
) -> "list[keras.Layer]":
    """Layers that stay without a place, after giving each the only module that fits it."""
    homeless = []
    for layer in left:
        fitting = [
            owner
            for owner in groups
            if groups[owner] and _arrays(layer, groups[owner], model) is not None
        ]
        if len(fitting) != 1 or not _take(layer, fitting[0], groups, found, model):
            homeless.append(layer)
    return homeless


def _take(
    layer: "keras.Layer",
    owner: str,
    groups: Groups,
    found: dict[str, np.ndarray],
    model: "keras.Model",
) -> bool:
    arrays = _arrays(layer, groups[owner], model)
    if arrays is None:
        return False
    found.update({f"{owner}.{leaf}" if owner else leaf: a for leaf, a in arrays.items()})
    groups[owner] = {leaf: s for leaf, s in groups[owner].items() if leaf not in arrays}
    return True


def _arrays(
    layer: "keras.Layer", leaves: dict[str, tuple[int, ...]], model: "keras.Model"
) -> dict[str, np.ndarray] | None:
    """The layer's variables under a module's names, in its layouts; None where one does not fit."""
    result: dict[str, np.ndarray] = {}
    for variable in layer.weights:
        names = [name for name in LEAVES.get(variable.name, ()) if name in leaves]
        array = to_torch(layer, variable, leaves[names[0]], model) if names else None
        if array is None:
            return None
        result[names[0]] = array
    # A torch LSTM adds two biases; Keras keeps their sum.
    if "bias_ih_l0" in result and "bias_hh_l0" in leaves:
        result["bias_hh_l0"] = np.zeros(leaves["bias_hh_l0"], np.float32)
    return result


def _fill_tied(wanted: "dict[str, torch.Tensor]", found: dict[str, np.ndarray]) -> None:
    """One tensor under several names is one variable: all of its names get the numbers."""
    owners = {(t.data_ptr(), t.shape): n for n, t in wanted.items() if n in found and t.numel()}
    for name, tensor in wanted.items():
        owner = owners.get((tensor.data_ptr(), tensor.shape))
        if name not in found and owner is not None:
            found[name] = found[owner]


def _homeless(layers: "list[keras.Layer]") -> Iterator[str]:
    for layer in layers:
        shapes = ", ".join(f"{v.name} {tuple(v.shape)}" for v in layer.weights)
        yield f"{type(layer).__name__} '{layer.name}' ({shapes}) without a place"


def _empty(
    module: "nn.Module", found: dict[str, np.ndarray], arrays: dict[str, np.ndarray]
) -> Iterator[str]:
    parameters = {name for name, _ in module.named_parameters(remove_duplicate=False)}
    statistics = ("running_mean", "running_var")
    for name, value in arrays.items():
        if name not in found and (name in parameters or name.endswith(statistics)):
            yield f"{name} {value.shape} that no layer has"
