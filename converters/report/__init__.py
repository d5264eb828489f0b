"""The certificate of an import: agreement, trainability, and where every weight came from."""

from converters.report.facts import Counts, ImportReport, LayerRow, WeightRow
from converters.report.record import import_report, record

__all__ = [
    "Counts",
    "ImportReport",
    "LayerRow",
    "WeightRow",
    "import_report",
    "record",
]
