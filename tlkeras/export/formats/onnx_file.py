"""A trained bundle as one ONNX file: pixels in, probabilities out, with its labels inside.

    bundle ─ resizing cut off ─▶ converters.keras_to_onnx ─▶ metadata put behind it

images float32 (n, size_px, size_px, 3), RGB in [0, 255] ─▶ probabilities float32 (n, c), and
unknown_score float32 (n,) where the classifier has one; n is free. The scaling is inside; decoding
and resizing are not, since ONNX Runtime has no operators for files.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from tlkeras.errors import ExportError
from tlkeras.heads.unknown import SHORTEST

if TYPE_CHECKING:
    import keras

    from tlkeras.bundle.bundle import Bundle
    from tlkeras.heads.unknown import UnknownScore

IMAGES, PROBABILITIES, SCORE = "images", "probabilities", "unknown_score"


def to_onnx(bundle: "Bundle", path: str | Path, *, opset: int | None = None) -> Path:
    """The path, once an ONNX file is there that holds the network, labels and preprocessing.

    The file's metadata has `labels` (one a line, in the order of the columns) and `preprocessing`
    (JSON). More than 2 GB of weights go to `path` + ".data". Nothing is verified;
    `formats.table.write` does both.

    Args:
        bundle: the trained classifier.
        path: the file to write; an older one gives way once the new one is complete.
        opset: 13 to 21; None: 17, or 18 for a network that needs it.

    Raises:
        ExportError: another opset, a layer that can't be written, or a package is missing; no
            file is left.

    Example::

        to_onnx(bundle, "flowers.onnx", opset=17)
    """
    import converters
    from converters.exported import staged

    target = Path(path)
    if target.is_dir():
        raise ExportError(
            f"Expected the name of a file for the ONNX model. Received: the folder '{target}'. "
            f"Name a file in it, for example '{target / 'model.onnx'}'."
        )
    network = _network(bundle, int(bundle.backbone["size_px"]))
    try:
        with staged(target) as fresh:
            converters.keras_to_onnx(network, fresh, opset=opset, verify=False)
            _add_metadata(fresh, facts(bundle))
    except (converters.ConversionError, ValueError, TypeError, NotImplementedError) as error:
        raise ExportError(f"{bundle.model.name} can't be written as ONNX: {error}") from error
    except OSError as error:
        raise ExportError(
            f"Expected to write an ONNX file at '{target}', but: {error}. "
            "Make room on the disk, or choose a folder that can be written to."
        ) from error
    return target


def facts(bundle: "Bundle") -> dict[str, str]:
    """What the file's metadata says, by key: labels, preprocessing, backbone, licence.

    Example::

        facts(bundle)["labels"].split("\\n")      # ["daisy", "iris", "rose"]
    """
    from tlkeras.export.savedmodel import preprocessing

    size_px = int(bundle.backbone["size_px"])
    told = {
        **preprocessing(bundle),
        "input": {"name": IMAGES, "shape": ["n", size_px, size_px, 3], "axes": "NHWC"},
        "inside_the_file": ["scaling"],
        "before_the_file": ["decoding", "orientation", "resize"],
    }
    return {
        "labels": "\n".join(bundle.class_names),
        "preprocessing": json.dumps(told, ensure_ascii=False),
        "backbone": str(bundle.backbone.get("name", "")),
        "licence": str(bundle.backbone.get("licence", "")),
    }


def _network(bundle: "Bundle", size_px: int) -> "keras.Model":
    """{images} → {probabilities, unknown_score where there is one}, for pixels of one size."""
    import keras

    from tlkeras.features.engines.trunk import trunk

    model, unknown = bundle.model, bundle.network.unknown
    outputs = [model.outputs[0]]
    if unknown is not None:
        outputs.append(model.get_layer(str(bundle.backbone["embedding_layer"])).output)
    cut = trunk(keras.Model(model.inputs[0], outputs, name=model.name), size_px)
    pixels, given = cut.inputs[0], cut.outputs
    if pixels is model.inputs[0]:  # of the user's own model, whose names stay
        pixels = keras.Input(pixels.shape[1:], dtype=pixels.dtype)
        given = keras.tree.flatten(cut(pixels, training=False))
    pixels.name = IMAGES
    named = {PROBABILITIES: given[0]}
    if unknown is not None:
        named[SCORE] = _score(given[1], unknown)
    return keras.Model({IMAGES: pixels}, named, name=model.name)


def _score(embedding: "keras.KerasTensor", unknown: "UnknownScore") -> "keras.KerasTensor":
    """(n,) float32 of embeddings (n, …); see `UnknownScore`."""
    import keras

    vectors = keras.layers.Flatten(dtype="float32")(embedding)
    length = keras.ops.sqrt(keras.ops.sum(vectors * vectors, axis=-1, keepdims=True))
    classes = unknown.kernel.shape[1]
    centres = keras.layers.Dense(classes, use_bias=False, dtype="float32", name="unknown")
    closeness = centres(vectors / keras.ops.maximum(length, SHORTEST))
    centres.set_weights([unknown.kernel])
    return unknown.offset - keras.ops.max(closeness, axis=-1)


def _add_metadata(path: Path, values: Mapping[str, str]) -> None:
    """Puts the metadata at the end of the file at `path`, however large that is.

    Two protobuf messages one after the other are one that has the fields of both (protobuf's
    guide to its encoding, "Last One Wins"), so the weights need not be read.
    """
    import onnx

    more = onnx.ModelProto()
    for key, value in values.items():
        more.metadata_props.add(key=key, value=value)
    with path.open("ab") as file:
        file.write(more.SerializeToString())
