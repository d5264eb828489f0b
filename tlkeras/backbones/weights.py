"""Which pretrained weights a built network gets: ImageNet, built in, or a file's."""

import difflib
import logging
import re
from importlib import resources
from pathlib import Path

import keras

from tlkeras.backbones.catalogue import find
from tlkeras.backbones.classic import CLASSICS, darknet_weights, downloads, torch_files
from tlkeras.backbones.classic.torch_weights import load_torch
from tlkeras.backbones.graph import application
from tlkeras.backbones.spec import Backbone
from tlkeras.backbones.weight_files import layer_names, load_file
from tlkeras.errors import WeightsError

_LOG = logging.getLogger(__name__)

_BUILTIN = {"TinyResNet": "tiny_resnet.weights.h5"}
_NAMES = ("default", "imagenet", "builtin")
_HDF5 = (".h5", ".hdf5")
_WAYS_ON = (
    "Ways on: TinyResNet, which needs no network (weights='builtin' with TinyResNet; --backbone "
    "TinyResNet), a file you have (weights='path/to/file.weights.h5'; --weights FILE), or an "
    "untrained network (weights=None; --weights none)."
)


def load(spec: Backbone, model: keras.Model, weights: str | Path | None) -> None:
    """Gives `model`, built from `spec`, its pretrained weights; None leaves it untrained.

    Raises:
        WeightsError: unknown name, unreachable download, or a file that does not fit.

    Example::

        load(find("MobileNet-0.25"), model, "mobilenet_2_5_224_tf_no_top.h5")
    """
    if weights is None:
        return
    wanted = spec.default_weights or "imagenet" if weights == "default" else weights
    if wanted == "imagenet":
        _load_imagenet(spec, model)
    elif wanted == "builtin":
        _load_builtin(spec, model)
    else:
        _load_path(spec, model, _existing_file(wanted, spec))


def _load_path(spec: Backbone, model: keras.Model, path: Path) -> None:
    if path.suffix in torch_files.SUFFIXES:
        load_torch(model, path, spec.name)
    elif path.suffix == darknet_weights.SUFFIX:
        darknet_weights.load_darknet(model, path, spec.name)
    else:
        load_file(model, path, spec.name)
        _check_origin(spec, path)


def _check_origin(spec: Backbone, path: Path) -> None:
    # The weights that came from Caffe by way of Keras 1 give plausible, worse features on
    # pixels of another scale: nothing but the names of their layers tells them apart.
    if spec.application != "SqueezeNet1.1" or spec.preprocessing == "caffe":
        return
    if any(name.startswith("fire2") for name in layer_names(path)):
        raise WeightsError(
            f"Expected weights for {spec.name}, whose pixels are scaled as torchvision does, got "
            f"{path}, which came from Caffe and takes BGR pixels minus their mean. Name the "
            "backbone 'SqueezeNet1.1-caffe' with this file."
        )


def _load_imagenet(spec: Backbone, model: keras.Model) -> None:
    if "imagenet" not in spec.weights:
        by_hand = downloads.source(spec.name)
        raise WeightsError(
            f"{spec.name} has no ImageNet weights that can be fetched by name; it has "
            f"{', '.join(spec.weights) or 'none'}. "
            + (
                f"Download {by_hand} and give the file as weights=…, or weights=None for an "
                "untrained network."
                if by_hand
                else "Choose one of these, or another backbone."
            )
        )
    if spec.application in CLASSICS:
        load_torch(model, downloads.download(spec.name), spec.name)
        return
    # Without its classifier a network's weights do not depend on the picture size.
    trained_px = spec.imagenet_px or (_own_size(spec),)
    nearest_px = min(trained_px, key=lambda px: (abs(px - spec.size_px), -px))
    if nearest_px != spec.size_px:
        _LOG.info("%s: ImageNet weights were trained at %d px", spec.name, nearest_px)
    trained = _download(spec, nearest_px)
    # Keras adjusts NASNet's cells to the picture size: at another one they can differ.
    if [w.shape for w in trained.weights] != [w.shape for w in model.weights]:
        raise WeightsError(
            f"The ImageNet weights of {spec.name} are for pictures of {nearest_px} px; at "
            f"{spec.size_px} px its layers are others. Build it with size_px={nearest_px}."
        )
    for mine, theirs in zip(model.weights, trained.weights, strict=True):
        mine.assign(theirs)
    for mine in model.layers:
        if hasattr(mine, "finalize_state"):
            mine.finalize_state()


def _own_size(spec: Backbone) -> int:
    return find(spec.application).size_px


def _download(spec: Backbone, size_px: int) -> keras.Model:
    try:
        return application(spec.application)(
            input_shape=(size_px, size_px, 3),
            include_top=False,
            weights="imagenet",
            pooling="avg",
            **spec.arguments,
        )
    # Keras' get_file raises a bare Exception when the server cannot be reached.
    except Exception as err:
        host = re.search(r"https?://([^/\s]+)", str(err))
        where = f" from {host[1]}" if host else ""
        raise WeightsError(
            f"The ImageNet weights of {spec.name} could not be downloaded{where} or read from "
            f"Keras' cache ({_first_line(err)}). {_WAYS_ON}"
        ) from err


def _first_line(err: Exception) -> str:
    return (str(err).strip() or type(err).__name__).splitlines()[0][:300]


def _load_builtin(spec: Backbone, model: keras.Model) -> None:
    file_name = _BUILTIN.get(spec.application)
    if file_name is None:
        raise WeightsError(
            f"{spec.name} has no built-in weights; {' and '.join(_BUILTIN)} has. Choose "
            f"TinyResNet, or for {spec.name} weights='imagenet' or a file."
        )
    folder = resources.files("tlkeras.backbones").joinpath("pretrained")
    with resources.as_file(folder.joinpath(file_name)) as path:
        load_file(model, path, spec.name)


def _suffixes(spec: Backbone) -> tuple[str, ...]:
    if spec.application not in CLASSICS:
        return _HDF5
    darknet = (darknet_weights.SUFFIX,) if spec.application == "Darknet19" else ()
    return (*_HDF5, *torch_files.SUFFIXES, *darknet)


def _existing_file(weights: str | Path, spec: Backbone) -> Path:
    path = Path(weights).expanduser()
    suffixes = _suffixes(spec)
    if path.suffix in suffixes and path.is_file():
        return path
    if path.suffix == ".keras" and path.is_file():
        raise WeightsError(
            f"Expected a file of weights, got {path}, a whole Keras model. Give the path itself "
            "as the backbone instead of a catalogue name."
        )
    expected = f"weights {', '.join(map(repr, _NAMES))}, a file ({' '.join(suffixes)}) or None"
    close = difflib.get_close_matches(str(weights).lower(), _NAMES, n=1, cutoff=0.6)
    if close:
        raise WeightsError(f"Expected {expected}, got {str(weights)!r}. Did you mean {close[0]!r}?")
    if not path.exists():
        found, advice = "which is not there", "Check the path."
    elif path.suffix in torch_files.SUFFIXES:
        found = f"a file of PyTorch, which {spec.name} does not take"
        advice = f"{', '.join(CLASSICS)} do; another network is imported whole, not by its weights."
    else:
        found, advice = "which is not such a file", "Check the path."
    raise WeightsError(f"Expected {expected}, got {str(weights)!r}, {found}. {advice}")
