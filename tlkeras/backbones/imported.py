"""A user's own network, or its file, as a backbone of the same form as the catalogue's.

    .keras .h5 ───────────────────────────────────┐
    .onnx .pt2 .pt SavedModel .tflite … ─ import ─┴▶ keras.Model

    image ─ resize ─ (preprocessing) ─ the network's own layers ─ ✂ classifier ─ embedding

Importing this module loads no TensorFlow. Beside it only foreign/doors and the readers of
PyTorch's weights import `converters`.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from tlkeras.backbones.foreign import doors, frame
from tlkeras.backbones.foreign.metadata import Said, said
from tlkeras.backbones.spec import Backbone, Given, Preprocessing, to_preprocessing
from tlkeras.errors import BackboneError, MissingExtraError, WeightsError

if TYPE_CHECKING:
    import keras

    from converters import ImportReport

_KERAS_FILES = (".keras", ".h5", ".hdf5")
_TORCH_FILES = (".pt2", ".pt", ".pth", ".safetensors")
_FOREIGN_FILES = (".onnx", *_TORCH_FILES, ".pb", ".tflite", ".json")
_IN_FOLDERS = ("saved_model.pb", "model.json", "config.json")
_KERAS_2 = ("keras2", "keras2_h5")
_KERAS_KINDS = ("keras", "weights_h5", *_KERAS_2)
_TORCH_KINDS = ("pt2", "torchscript", "state_dict", "safetensors", "hub")


def looks_like_file(text: str) -> bool:
    """Whether a backbone's text means a file or folder rather than a catalogue name.

    >>> looks_like_file("runs/flowers.keras"), looks_like_file("MobileNetV2-0.35")
    (True, False)
    """
    path = Path(text)
    return (
        path.suffix.lower() in (*_KERAS_FILES, *_FOREIGN_FILES)
        or len(path.parts) > 1
        or any((path / name).is_file() for name in _IN_FOLDERS)
    )


def from_model(
    model: "keras.Model | str | Path",
    name: str | None = None,
    layer: str | None = None,
    *,
    preprocessing: Given | None = None,
    size_px: int | None = None,
) -> tuple[Backbone, "keras.Model"]:
    """Spec and embedding model of any network; what is given is copied, not changed.

    The classifier at its end is cut off: the embedding is what its last Dense layer, or the
    convolution that stands for one, got. A network that ends in a map gets a global average
    pooling, one that ends in pooling or flatten stays as it is.

    Args:
        model: Functional or Sequential, one RGB input; or the path of a network: `.keras`,
            `.h5`, `.onnx`, `.pt2`, TorchScript `.pt`, `.pb`, `.tflite`, the `model.json` of
            TensorFlow.js, or the folder of a SavedModel.
        name: of the backbone; the file's or the model's own when None.
        layer: name of the layer whose output is the embedding, instead of the automatic cut.
        preprocessing: put in front: "none", "unit" ([0, 1]), "tf" ([-1, 1]), "torch", "caffe",
            or (mean, deviation) of pixels in [0, 255]. None: what the file says; if it says
            nothing the network takes RGB in [0, 255] as it is, and a warning is logged when
            nothing near its input scales them.
        size_px: side the pictures are resized to, for a network that takes any size.

    Raises:
        BackboneError: not a network, or one that cannot be converted, copied, cut or fed with
            RGB; weights without their network.
        WeightsError: a file that cannot be read.
        MissingExtraError: the package that reads such files is not installed.

    Example::

        spec, model = from_model("resnet18.onnx", preprocessing="torch")
        model.predict(pixels)        # (n, any, any, 3) RGB in [0, 255] → (n, spec.width)
    """
    chosen = None if preprocessing is None else to_preprocessing(preprocessing)
    source = _open(Path(model)) if isinstance(model, (str, Path)) else model

    import keras

    from tlkeras.backbones.graft import embedding_cut, flatten, one_output
    from tlkeras.backbones.graph import finish
    from tlkeras.backbones.preprocess import preprocess, resize

    label = name or (_stem(Path(model)) if isinstance(model, (str, Path)) else _name(source))
    frame.check_graph(source, label)
    report = _report(source)
    found = _said(report)
    classes = len(report.labels) if report and report.labels else None
    source = one_output(source, layer, classes)
    height, width, resizes_itself = frame.sides(source, label, size_px, found.size_px)
    mode = _mode(chosen, found, source, label)
    image = keras.Input((None, None, 3), dtype="float32", name="image")
    taken = {"image", "embedding", "embedding_pool", "embeddings"}
    pixels = image
    if not resizes_itself:
        pixels = resize(pixels, height, width)
        taken.add("resize")
    if mode != "none":
        taken |= {"rescale", "flip"}
    flat = keras.Model(image, flatten(source, preprocess(pixels, mode), taken), name=source.name)
    end = embedding_cut(flat, layer, classes)
    built = finish(image, end.features, label)
    spec = Backbone(
        name=label,
        application="",
        size_px=max(height, width),
        width=int(built.output_shape[-1]),
        preprocessing=mode,
        parameters=int(built.count_params()),
        labels=report.labels if report else (),
        notes=tuple(_notes(report, chosen, found, end.removed)),
    )
    return spec, built


def _name(model: "keras.Model") -> str:
    return str(getattr(model, "name", type(model).__name__))


def _stem(path: Path) -> str:
    """The file's name; the folder's, where every file of the kind has the same name."""
    path = path.resolve()
    return path.parent.name if path.name in _IN_FOLDERS else path.stem


def _open(path: Path) -> "keras.Model":
    """The network at a path, told by its content; each kind has its own guarded door."""
    from converters.kinds import kind_of

    _check_path(path)
    with _explained(path):
        kind = kind_of(path)
    if kind not in _KERAS_KINDS:
        return _convert(path)
    try:
        return doors.open_keras(path)
    except WeightsError:
        # Keras 3 opens few files of Keras 2; our reader builds layer by layer what it knows.
        if kind in _KERAS_2:
            return _convert(path)
        raise


def _check_path(path: Path) -> None:
    if path.is_dir():
        return
    if path.suffix.lower() not in (*_KERAS_FILES, *_FOREIGN_FILES) or path.name.endswith(
        ".weights.h5"
    ):
        raise BackboneError(
            f"Expected a file of a whole Keras model ({' '.join(_KERAS_FILES)}) or of a network "
            f"to import ({' '.join(_FOREIGN_FILES)}), got {path}. For a file of weights name its "
            "backbone and give the file as weights=…"
        )
    if not path.is_file():
        raise BackboneError(
            f"Expected a file with a network, got {path}, which is not there. Check the path."
        )


def _convert(path: Path) -> "keras.Model":
    """The network in a foreign file as a Keras model, proven against its source."""
    import converters
    from converters.kinds import kind_of

    with _explained(path):
        kind = kind_of(path)
        if kind == "onnx":
            return converters.onnx_to_keras(path)
        if kind in _TORCH_KINDS:
            # Where both are loaded torch goes first: TensorFlow's libraries take over its own.
            with suppress(ImportError):
                import_module("torch")
        if kind == "hub":
            return import_module("converters.hub").hub_to_keras(path)
        if kind in _TORCH_KINDS:
            return converters.torch_to_keras(path)
        folder = path.name.startswith("saved_model.") and path.is_file()
        return converters.tf_to_keras(path.parent if folder else path)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Errors of converters as ours, with their message."""
    import converters

    try:
        yield
    except converters.MissingExtraError as err:
        raise MissingExtraError(err.package, err.extra, f"Importing {path}") from err
    except ModuleNotFoundError as err:
        package = (err.name or "onnx").partition(".")[0]
        extra = "torch" if package == "torch" else "convert"
        raise MissingExtraError(package, extra, f"Importing {path}") from err
    except converters.ArchitectureNeededError as err:
        raise BackboneError(
            f"{err} A backbone is a whole network: make one with model = converters."
            f"torch_to_keras({str(path)!r}, architecture=YourModule) and give the model; or name "
            "the backbone of the catalogue that these are weights of, with weights=…"
        ) from err
    except converters.ReadError as err:
        raise WeightsError(str(err)) from err
    except converters.ConversionError as err:
        raise BackboneError(str(err)) from err
    except (ValueError, TypeError) as err:  # an input that cannot be guessed from a torch file
        raise BackboneError(
            f"{err} For {path} that is done in Python: convert it with converters.torch_to_keras "
            "or tf_to_keras, and give the model."
        ) from err


def _report(source: "keras.Model") -> "ImportReport | None":
    """What its import found out, for a network that was imported in this process."""
    import converters

    try:
        return converters.import_report(source)
    except converters.NoReportError:
        return None


def _said(report: "ImportReport | None") -> Said:
    if report is None:
        return Said()
    image = {k: v for k, v in report.metadata.items() if k.startswith("Image.")}
    return said({**image, **report.preprocessing}, fractions=report.kind == "timm")


def _mode(
    chosen: Preprocessing | None, found: Said, source: "keras.Model", label: str
) -> Preprocessing:
    """What the user says, else what the file says, else nothing."""
    if chosen is not None:
        return chosen
    if found.preprocessing is not None:
        return found.preprocessing
    frame.warn_without_scaling(source, label)
    return "none"


def _notes(
    report: "ImportReport | None",
    chosen: Preprocessing | None,
    found: Said,
    removed: tuple[str, ...],
) -> Iterator[str]:
    """What a user should know of an imported network, a sentence each."""
    if report is None:
        return
    agreement = "its answers were not compared with the source's"
    if report.parity is not None:
        agreement = f"its answers agree with the source's within {report.parity.max_rel:.1e}"
    yield f"imported {Path(report.source).name} ({report.kind}): {agreement}"
    if removed:
        names = "', '".join(removed)
        yield f"cut off the old classifier '{names}' and what follows it"
    if found.unread and chosen is None:
        yield f"the file says of its pixels {found.unread}, which is not understood"
    if found.preprocessing is not None and chosen is None:
        yield f"preprocessing {found.preprocessing}, as the file says"
    if found.preprocessing is not None and chosen not in (None, found.preprocessing):
        yield f"preprocessing {chosen}, as you said; the file says {found.preprocessing}"
