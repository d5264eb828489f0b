"""Which report belongs to which model in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from converters.errors import NoReportError
from converters.report.facts import ImportReport

if TYPE_CHECKING:
    import keras

_REPORTS: WeakKeyDictionary[object, ImportReport] = WeakKeyDictionary()


def record(model: keras.Model, report: ImportReport) -> None:
    """Keep a report for as long as its model lives."""
    _REPORTS[model] = report


def import_report(model: keras.Model) -> ImportReport:
    """What the import of this model found out.

    Raises:
        NoReportError: the model was built or loaded otherwise.

    Example::

        model = converters.onnx_to_keras("resnet50.onnx")
        print(converters.import_report(model))
    """
    try:
        return _REPORTS[model]
    except (KeyError, TypeError) as err:
        raise NoReportError(
            f"Expected a model that converters imported in this process, got "
            f"'{getattr(model, 'name', type(model).__name__)}', of which no report is known. A "
            "saved model loses its report: write it with report.to_json(path) after the import, "
            "and read it with converters.ImportReport.from_json(path)."
        ) from err
