"""What an import found out, as data: the certificate that goes with a converted model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from converters.doors.json_text import MOST_BYTES, first_bytes, read_json
from converters.errors import ReadError
from converters.exported.staging import staged
from converters.parity.result import Divergence, OutputParity, Parity
from converters.report.page import to_fragment, to_page
from converters.report.text import headline, to_text

FORMAT = 1


@dataclass(frozen=True)
class LayerRow:
    """One layer or operation of the Keras model and what it stands for in the source.

    `orders` has, for each of `outputs`, the axes with which
    `keras_value == transpose(source_value, order)`; empty where they are the same.
    """

    layer: str
    op: str
    node: str = ""
    outputs: tuple[str, ...] = ()
    weights: tuple[str, ...] = ()
    orders: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True)
class WeightRow:
    """One array of the source and the Keras variable that has its numbers.

    `steps` lead from the source's array to the variable's, each a name of a NumPy function
    with its numbers: `("transpose", (2, 3, 1, 0))`, `("reshape", (512, 7, 7, 10))`,
    `("take", (axis, start, stop))` for a part of it.
    """

    source: str
    variable: str
    shape: tuple[int, ...] = ()
    steps: tuple[tuple[str, tuple[int, ...]], ...] = ()


@dataclass(frozen=True)
class Counts:
    """What a model consists of; `weights` are those that training may change.

    The moving means and variances of BatchNorm are `statistics`, and not among the weights.
    """

    weights: int = 0
    trainable: int = 0
    parameters: int = 0
    trainable_parameters: int = 0
    statistics: int = 0
    operations: int = 0
    batch_norms: int = 0
    transposes: int = 0
    custom_layers: tuple[str, ...] = ()


@dataclass(frozen=True)
class ImportReport:
    """The certificate of an import: agreement, trainability, and where everything came from.

    Args:
        source: the file or class that was imported.
        kind: of the source, such as "ONNX".
        parity: agreement with the source at two batch sizes; None when it was not checked.
        counts: of the Keras model.
        without_gradient: trainable variables that no gradient reaches; None: not checked.
        zero_gradient: those whose gradient was exactly zero on the random inputs.
        layers: Keras layer → node of the source, in the order of computation.
        weights: array of the source → Keras variable.
        input_orders: source input → order with `keras == transpose(source, order)`, in the
            order of the model's inputs.
        output_orders: the same for the outputs.
        preprocessing: what the file says about its input, as found.
        labels: names of the classes, when the file has them.
        metadata: the file's own notes.
        versions: of the packages that took part.
        warnings: what a user should know.
        fixed_batch: the batch size that the source was made for; None: any.

    Example::

        report = converters.import_report(model)
        print(report)
        report.to_html("report.html")
    """

    source: str
    kind: str
    parity: Parity | None = None
    counts: Counts = Counts()
    without_gradient: tuple[str, ...] | None = None
    zero_gradient: tuple[str, ...] = ()
    layers: tuple[LayerRow, ...] = ()
    weights: tuple[WeightRow, ...] = ()
    input_orders: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    output_orders: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    preprocessing: Mapping[str, str] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    fixed_batch: int | None = None

    @property
    def passed(self) -> bool:
        """Whether the model agrees with its source and every trainable weight can learn."""
        return self.parity is not None and self.parity.passed and not self.without_gradient

    def __repr__(self) -> str:
        trained = f"{self.counts.trainable} of {self.counts.weights} weights trainable"
        return f"ImportReport({headline(self)}; {trained})"

    def __str__(self) -> str:
        return to_text(self)

    def _repr_html_(self) -> str:
        return to_fragment(self)

    def to_dict(self) -> dict[str, object]:
        """Everything as strings, numbers, lists and dictionaries; what JSON holds."""
        plain = asdict(
            self, dict_factory=lambda items: {k: _plain(v) for k, v in items if k != "operator"}
        )
        return {"format": FORMAT, "passed": self.passed, **plain}

    def to_json(self, path: str | Path) -> Path:
        """Write the report as JSON, to be read with from_json."""
        return _write(path, json.dumps(self.to_dict(), indent=1, ensure_ascii=False) + "\n")

    def to_html(self, path: str | Path) -> Path:
        """Write the report as one HTML file that needs nothing else."""
        return _write(path, to_page(self))

    @classmethod
    def from_json(cls, path: str | Path) -> ImportReport:
        """The report that to_json wrote.

        Raises:
            ReadError: not such a file.
        """
        try:
            content: Any = read_json(first_bytes(Path(path), MOST_BYTES + 1), Path(path).name)
            return _from_dict(content)
        except (ValueError, KeyError, TypeError, AttributeError) as err:
            raise ReadError(
                f"Expected the JSON file of an import report, got '{path}' ({err}). Write it with "
                "report.to_json(path)."
            ) from err


def _plain(value: object) -> object:
    return dict(value) if isinstance(value, Mapping) else value


def _write(path: str | Path, text: str) -> Path:
    with staged(path) as fresh:
        fresh.write_text(text, "utf-8")
    return Path(path)


def _from_dict(content: dict[str, Any]) -> ImportReport:
    """Built from what json.load gives; lists become tuples."""
    if content.get("format") != FORMAT:
        raise ValueError(f"format {content.get('format')!r}, not {FORMAT}")
    known = {key: _tuples(value) for key, value in content.items()}
    del known["format"], known["passed"]
    known["counts"] = Counts(**known["counts"])
    known["layers"] = tuple(LayerRow(**row) for row in known["layers"])
    known["weights"] = tuple(WeightRow(**row) for row in known["weights"])
    if known["parity"] is not None:
        known["parity"] = _parity(known["parity"])
    return ImportReport(**known)


def _parity(content: dict[str, Any]) -> Parity:
    outputs = tuple(OutputParity(**row) for row in content.pop("outputs"))
    first = content.pop("first_divergence")
    return Parity(outputs, first_divergence=Divergence(**first) if first else None, **content)


def _tuples(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_tuples(item) for item in value)
    if isinstance(value, dict):
        return {key: _tuples(item) for key, item in value.items()}
    return value
