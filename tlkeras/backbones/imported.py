"""A user's own Keras model, or its file, as a backbone of the same form as the catalogue's.

    image ─ resize ─ (preprocessing) ─ the model's own layers ─ ✂ classifier ─ embedding

Importing this module loads no TensorFlow.
"""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from tlkeras.backbones.spec import Backbone, Preprocessing
from tlkeras.errors import BackboneError, WeightsError

if TYPE_CHECKING:
    import keras

_LOG = logging.getLogger(__name__)

_DEFAULT_PX = 224
_KERAS_FILES = (".keras", ".h5", ".hdf5")
_FOREIGN_FILES = {
    ".onnx": "an ONNX model",
    ".pt2": "a PyTorch program",
    ".pt": "a PyTorch file",
    ".pth": "a PyTorch file",
    ".pb": "a TensorFlow graph",
    ".tflite": "a LiteRT model",
}
_OWN_SCALING = ("Rescaling", "Normalization", "TrueDivide", "Divide", "Multiply", "Subtract")
_NEAR_INPUT = 6


def looks_like_file(text: str) -> bool:
    """Whether a backbone's text means a file or folder rather than a catalogue name.

    >>> looks_like_file("runs/flowers.keras"), looks_like_file("MobileNetV2-0.35")
    (True, False)
    """
    path = Path(text)
    return (
        path.suffix.lower() in (*_KERAS_FILES, *_FOREIGN_FILES)
        or len(path.parts) > 1
        or (path / "saved_model.pb").is_file()
    )


def from_model(
    model: "keras.Model | str | Path",
    name: str | None = None,
    layer: str | None = None,
    *,
    preprocessing: Preprocessing | None = None,
    size_px: int | None = None,
) -> tuple[Backbone, "keras.Model"]:
    """Spec and embedding model of any Keras model; the given model is copied, not changed.

    The classifier at its end is cut off: the embedding is what its last Dense layer got. A
    model that ends in a map gets a global average pooling, one that ends in pooling or
    flatten stays as it is.

    Args:
        model: Functional or Sequential, one RGB input; or a `.keras` or whole-model `.h5` file.
        name: of the backbone; the model's own when None.
        layer: name of the layer whose output is the embedding, instead of the automatic cut.
        preprocessing: put in front. None: the model takes RGB in [0, 255] as it is, and a
            warning is logged when nothing near its input scales them.
        size_px: side the pictures are resized to, for a model that takes any size.

    Raises:
        BackboneError: not a model, or one that cannot be copied, cut or fed with RGB.

    Example::

        spec, model = from_model("my_classifier.keras")
        model.predict(pixels)        # (n, any, any, 3) RGB in [0, 255] → (n, spec.width)
    """
    import keras

    from tlkeras.backbones.graft import features_of, flatten
    from tlkeras.backbones.graph import finish
    from tlkeras.backbones.preprocess import preprocess, resize

    source = _open(Path(model)) if isinstance(model, (str, Path)) else model
    label = name or (Path(model).stem if isinstance(model, (str, Path)) else _name(source))
    height, width, resizes_itself = _frame(source, label, size_px)
    if preprocessing is None:
        _warn_without_scaling(source, label)
    mode = preprocessing or "none"
    image = keras.Input((None, None, 3), dtype="float32", name="image")
    taken = {"image", "embedding", "embedding_pool"}
    pixels = image
    if not resizes_itself:
        pixels = resize(pixels, height, width)
        taken.add("resize")
    if mode != "none":
        taken |= {"rescale", "flip"}
    flat = keras.Model(image, flatten(source, preprocess(pixels, mode), taken), name=source.name)
    built = finish(image, features_of(flat, layer), label)
    spec = Backbone(
        name=label,
        application="",
        size_px=max(height, width),
        width=int(built.output_shape[-1]),
        preprocessing=mode,
        parameters=int(built.count_params()),
    )
    return spec, built


def _name(model: "keras.Model") -> str:
    return str(getattr(model, "name", type(model).__name__))


def _open(path: Path) -> "keras.Model":
    import keras

    _check_path(path)
    try:
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as err:  # Keras and h5py raise a dozen kinds for a file they cannot open
        reason = (str(err).strip() or type(err).__name__).splitlines()[0].split(". ")[0]
        raise WeightsError(
            f"Expected a Keras model, got {path}, which does not open ({reason[:200]}). "
            f"{_advice(str(err))}"
        ) from err


def _check_path(path: Path) -> None:
    foreign = _FOREIGN_FILES.get(path.suffix.lower())
    if path.is_dir():
        foreign = "a SavedModel" if (path / "saved_model.pb").exists() else "a folder"
    if foreign:
        raise BackboneError(
            f"Expected a .keras or .h5 file of a Keras model, got {path}, {foreign}, which this "
            "version does not import. Convert it to Keras first and give the .keras file."
        )
    if path.suffix not in _KERAS_FILES or path.name.endswith(".weights.h5"):
        raise BackboneError(
            f"Expected a .keras or .h5 file of a whole Keras model, got {path}. For a file of "
            "weights name its backbone and give the file as weights=…"
        )
    if not path.is_file():
        raise BackboneError(
            f"Expected a file with a Keras model, got {path}, which is not there. Check the path."
        )


def _advice(problem: str) -> str:
    if "ambda" in problem or "marshal" in problem:
        return (
            "It has a Lambda layer, which stores Python code and is not run here: replace it by "
            "a Keras layer in the program that made the file, and save again."
        )
    if "Could not locate" in problem or "Unknown layer" in problem:
        return "It needs a class of its author's: import that, load it, and give the model."
    if "No model config" in problem:
        return "It holds only weights: name its backbone and give the file as weights=…"
    return "It is cut short or something else: save or download it again."


def _check_graph(model: "keras.Model", label: str) -> None:
    import keras

    from tlkeras.backbones.graft import is_graph

    if not isinstance(model, keras.Model):
        raise BackboneError(
            f"Expected a keras.Model or the path of one, got {type(model).__name__}. Give a "
            "catalogue name, a Keras model, or a .keras file."
        )
    if not is_graph(model) or not model.built or not getattr(model, "inputs", None):
        raise BackboneError(
            f"Expected a built Functional or Sequential Keras model, got '{label}' of the class "
            f"{type(model).__name__}. Build it functionally: keras.Model(inputs, outputs), or "
            "give a Sequential model its keras.Input."
        )


def _frame(source: "keras.Model", label: str, size_px: int | None) -> tuple[int, int, bool]:
    """Height and width that the model is fed with, and whether it resizes to them itself."""
    from tlkeras.backbones.graft import leaves

    _check_graph(source, label)
    shape = tuple(source.inputs[0].shape)
    if len(source.inputs) != 1 or len(source.outputs) != 1 or len(shape) != 4:
        raise BackboneError(
            f"Expected a model with one picture in and one output, got '{label}' with inputs "
            f"{[tuple(i.shape) for i in source.inputs]} and {len(source.outputs)} outputs. Make "
            "one with keras.Model(one_input, one_output)."
        )
    if shape[-1] != 3:
        raise BackboneError(
            f"Expected a model for RGB pictures (n, h, w, 3), got '{label}' for {shape}. Put "
            "layers in front of it that turn 3 channels into its own, for example "
            f"keras.layers.Conv2D({shape[-1]}, 1), and give the whole as a new model."
        )
    first = next(iter(leaves(source)), None)
    if first is not None and type(first).__name__ == "Resizing":
        return first.height, first.width, True
    fixed = {side for side in shape[1:3] if side is not None}
    if size_px is not None and fixed and fixed != {size_px}:
        raise BackboneError(
            f"Expected pictures of {shape[1]} x {shape[2]} px, the only size that '{label}' "
            f"takes, got size_px={size_px}. Leave size_px out."
        )
    side = size_px or _DEFAULT_PX
    return shape[1] or side, shape[2] or side, False


def _warn_without_scaling(source: "keras.Model", label: str) -> None:
    from tlkeras.backbones.graft import leaves

    near = [type(operation).__name__ for operation in leaves(source)][:_NEAR_INPUT]
    if not set(near) & set(_OWN_SCALING):
        _LOG.warning(
            "%s: no Rescaling or Normalization near its input, so that it gets pixels in "
            "[0, 255]; if it was trained on other values, say preprocessing='tf', 'torch' or "
            "'caffe', or preprocessing='none' if this is right",
            label,
        )
