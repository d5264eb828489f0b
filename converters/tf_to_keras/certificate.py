"""What the import of a file of layers found out, as the report that goes with the model."""

from pathlib import Path

import keras

from converters.parity.certificate import count
from converters.report import ImportReport, LayerRow, record
from converters.tf_to_keras.found import Found


def recorded(model: keras.Model, found: Found, path: Path, kind: str) -> keras.Model:
    """The model, with its report kept for import_report."""
    made = {operation.name: type(operation).__name__ for operation in model.operations}
    rows = tuple(
        LayerRow(layer, made[layer], source)
        for layer, source in found.source_names.items()
        if layer in made
    )
    preprocessing: dict[str, str] = {}
    if found.preprocessing is not None:
        said = found.preprocessing
        preprocessing = {
            "scale": repr(said.scale),
            "offset": repr(said.offset),
            "source": said.source,
        }
        if said.image_size_px is not None:
            preprocessing["image_size_px"] = str(said.image_size_px)
    record(
        model,
        ImportReport(
            path.name,
            kind,
            counts=count(model),
            layers=rows,
            labels=found.labels,
            preprocessing=preprocessing,
            versions={"keras": keras.__version__},
            warnings=found.warnings,
        ),
    )
    return model
