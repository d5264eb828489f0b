"""A trained bundle as one ONNX file: pixels in, probabilities out, with its labels inside.

    bundle ─ resizing cut off ─▶ converters.keras_to_onnx ─▶ metadata put behind it

images float32 (n, size_px, size_px, 3), RGB in [0, 255] ─▶ probabilities float32 (n, c), embedding
float32 (n, d), and unknown_score float32 (n,) where the classifier has one; n is free. The scaling
is inside; decoding and resizing are not, since ONNX Runtime has no operators for files.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from tlkeras.errors import ExportError
from tlkeras.export.named import IMAGES, named_network

if TYPE_CHECKING:
    from tlkeras.bundle.bundle import Bundle


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
    size_px, layer = int(bundle.backbone["size_px"]), str(bundle.backbone["embedding_layer"])
    try:
        network = named_network(
            bundle.model, size_px, bundle.network.unknown, layer, embedding=True
        )
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
