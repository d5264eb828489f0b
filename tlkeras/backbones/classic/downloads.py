"""torchvision's ImageNet weights: which file, from where, and whether it is the one it should be.

The name of each file ends in the first digits of its SHA-256, which PyTorch's own hub checks too.
"""

import hashlib
import re
from pathlib import Path

import keras

from tlkeras.backbones.classic.torch_files import require_reader
from tlkeras.errors import WeightsError

_FOLDER = "https://download.pytorch.org/models/"
_FILES = {
    "ResNet18": "resnet18-f37072fd.pth",
    "ResNet34": "resnet34-b627a593.pth",
    "SqueezeNet1.1": "squeezenet1_1-b8a52dc0.pth",
    "GoogLeNet": "googlenet-1378be20.pth",
    "ShuffleNetV2-0.5": "shufflenetv2_x0.5-f707e7126e.pth",
    "ShuffleNetV2": "shufflenetv2_x1-5666bf0f80.pth",
    "ShuffleNetV2-1.5": "shufflenetv2_x1_5-3c479a10.pth",
    "ShuffleNetV2-2.0": "shufflenetv2_x2_0-8be3c8ee.pth",
}
# No digest of these is published, so that a download could not be checked.
_BY_HAND = {
    "Darknet19": "darknet19.weights from https://pjreddie.com/darknet/imagenet/",
    "SqueezeNet1.1-caffe": (
        "squeezenet_weights_tf_dim_ordering_tf_kernels_notop.h5 from the keras-squeezenet project"
    ),
}


def source(name: str) -> str:
    """Where the ImageNet weights of a classic backbone are, in words.

    Example::

        source("ResNet18@96")       # "https://download.pytorch.org/models/resnet18-f37072fd.pth"
    """
    plain = name.partition("@")[0]
    if plain in _FILES:
        return _FOLDER + _FILES[plain]
    return _BY_HAND.get(plain, "")


def download(name: str) -> Path:
    """Path of torchvision's file in Keras' cache, fetched unless it is there already.

    Raises:
        WeightsError: it cannot be had, or is not the file that its name promises.
        MissingExtraError: torch, which reads it, is not installed.

    Example::

        download("ResNet18")        # ~/.keras/models/resnet18-f37072fd.pth
    """
    url = source(name)
    file_name = url.rpartition("/")[2]
    require_reader(Path(file_name))
    try:
        path = Path(keras.utils.get_file(file_name, origin=url, cache_subdir="models"))
    # get_file raises a bare Exception when the server cannot be reached.
    except Exception as err:
        reason = (str(err).strip() or type(err).__name__).splitlines()[0][:200]
        raise WeightsError(
            f"The ImageNet weights of {name} could not be downloaded from download.pytorch.org "
            f"({reason}). Ways on: download {url} elsewhere and give weights='{file_name}', or "
            "weights=None for an untrained network, or weights='builtin' with TinyResNet."
        ) from err
    _check(path, file_name, url)
    return path


def _check(path: Path, file_name: str, url: str) -> None:
    expected = re.search(r"-([0-9a-f]{8,})\.pth$", file_name)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if expected is None or digest.startswith(expected[1]):
        return
    path.unlink()
    raise WeightsError(
        f"Expected a file whose SHA-256 begins with {expected[1]} from {url}, got {digest[:10]}…; "
        "it has been deleted. Try again; if it comes back the same, a proxy may have put its own "
        "page in its place: download the file elsewhere and give its path as weights=…"
    )
