"""Two networks on the same inputs: how far their answers are apart, and where it begins."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from converters.errors import ConversionError
from converters.parity.inputs import InputSpec, Size, filled, random_inputs
from converters.parity.network import Arrays, Network, in_batches, open_network, with_inputs
from converters.parity.orders import (
    Order,
    channels_last,
    guess,
    inverse,
    permuted,
    recorded,
)
from converters.parity.result import OutputParity, Parity, relative

if TYPE_CHECKING:
    from converters.report.facts import ImportReport


@dataclass(frozen=True)
class Pair:
    """A source and a model, and how the model's axes lie against the source's."""

    source: Network
    model: Network
    input_orders: tuple[Order, ...]
    output_orders: tuple[Order, ...] | None  # None: told by the shapes of the answers

    def batches(self, sizes: Sequence[int]) -> tuple[int, ...]:
        """The batch sizes that both take."""
        fixed = self.model.fixed_batch
        if fixed:
            return (fixed,)
        step = self.source.fixed_batch or 1
        return tuple(dict.fromkeys(size * step for size in sizes))

    def inputs(self, batch: int, seed: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Random inputs and the source's answers; positive numbers if others give no numbers."""
        specs = self.source.inputs or ()
        if self.source.fixed_batch:  # it is run several times, see in_batches
            specs = tuple(replace(spec, shape=(batch, *spec.shape[1:])) for spec in specs)
        arrays = random_inputs(specs, batch, seed)
        answers = in_batches(self.source, arrays)
        if not any(np.isfinite(a).any() for a in answers if a.dtype.kind == "f" and a.size):
            arrays = random_inputs(specs, batch, seed, positive=True)
            answers = in_batches(self.source, arrays)
        return arrays, answers

    def without_source(self) -> Pair:
        """The pair when the source has answered: its weights need not stay in memory."""
        return replace(self, source=replace(self.source, run=_gone))

    def to_model(self, arrays: Arrays) -> list[np.ndarray]:
        """The source's inputs in the model's axis order."""
        return permuted(arrays, self.input_orders)


def _gone(arrays: Arrays) -> list[np.ndarray]:
    raise ConversionError("Expected a source that is still open, got one that was let go.")


def compare(
    source: object,
    model: object,
    inputs: object = None,
    *,
    tolerance: float = 1e-5,
    batch_sizes: Sequence[int] = (2, 3),
    seed: int = 0,
    bisect: bool = False,
    allow_ops: Collection[str] = (),
) -> Parity:
    """How far the answers of a source and a model are apart, on the same inputs.

    Args:
        source: an ONNX path, bytes or model, a torch module, a `.tflite`, `.pt2` or TorchScript
            file, a SavedModel folder, a Keras model, or a function of arrays.
        model: the same kinds; mostly the Keras model that was made from the source.
        inputs: an array, a list of them in the source's order, or a dictionary by its input
            names, in the source's axis order. None: random ones, another in every sample.
        tolerance: largest difference that passes, as a share of the largest answer.
        batch_sizes: of the random inputs.
        seed: decides the random inputs.
        bisect: on a difference, look for the first node at which it begins. Needs an ONNX
            source and a model that was imported from it in this process.
        allow_ops: operators of a SavedModel, by name, that are run although they reach files,
            devices or other programs.

    Raises:
        ConversionError: one of the two cannot be run, or they have other inputs or outputs.

    Example::

        parity = converters.compare("resnet50.onnx", model)
        assert parity.passed, parity
    """
    from converters.parity.onnx_runs import check_values

    check_values(source)
    check_values(model)
    pair = open_pair(
        open_network(source, allow_ops), open_network(model, allow_ops), _report_of(model)
    )
    rows: list[OutputParity] = []
    given = None if inputs is None else _given(inputs, pair.source)
    for batch in pair.batches(batch_sizes) if given is None else (0,):
        if given is None:
            arrays, answers = pair.inputs(batch, seed)
        else:
            arrays, answers = given, in_batches(pair.source, given)
        rows += rows_of(pair, answers, pair.model.run(pair.to_model(arrays)), tolerance)
    parity = Parity(tuple(rows), tolerance, pair.source.label)
    if bisect and not parity.passed:
        from converters.parity.divergence import first_divergence

        at = given or pair.inputs(pair.batches(batch_sizes)[0], seed)[0]
        parity = replace(parity, first_divergence=first_divergence(source, model, at, tolerance))
    return parity


def open_pair(source: object, model: object, report: ImportReport | None = None) -> Pair:
    """Both networks, with what is known of the axes; the source's free sizes as the model has."""
    from_source, from_model = open_network(source), open_network(model)
    report = report or _report_of(model)
    if from_source.inputs is None and from_model.inputs is None:
        raise ConversionError(
            "Expected one network that says what it takes, got two functions without shapes. "
            "Give the inputs."
        )
    known: list[Order] | None = None
    if report is not None:
        names = [spec.name for spec in from_source.inputs or ()]
        known = recorded(report.input_orders, names, len(from_model.inputs or names))
    if from_source.inputs is None:
        from_source, orders = _mirrored(from_source, from_model, known)
    else:
        from_model = (
            from_model if from_model.inputs else with_inputs(from_model, from_source.inputs)
        )
        _same_count(from_source, from_model)
        orders = known or _guessed(from_source, from_model)
        sizes = [
            _reordered(spec.shape, inverse(order))
            for spec, order in zip(from_model.inputs or (), orders, strict=True)
        ]
        from_source = with_inputs(from_source, filled(from_source.inputs or (), sizes))
    outputs = None
    if report is not None and report.output_orders:
        outputs = recorded(report.output_orders, from_source.outputs, len(report.output_orders))
    return Pair(from_source, from_model, tuple(orders), tuple(outputs) if outputs else None)


def _report_of(model: Any) -> ImportReport | None:
    from converters.errors import NoReportError
    from converters.report import import_report

    try:
        return import_report(model)
    except NoReportError:
        return None


def _mirrored(
    source: Network, model: Network, known: list[Order] | None
) -> tuple[Network, list[Order]]:
    """A source that takes what the model takes, in its own axis order."""
    specs = model.inputs or ()
    orders = known or [
        channels_last(len(spec.shape)) if source.channels_first else tuple(range(len(spec.shape)))
        for spec in specs
    ]
    inputs = [
        InputSpec(spec.name, tuple(_reordered(spec.shape, inverse(order))), spec.dtype)
        for spec, order in zip(specs, orders, strict=True)
    ]
    return with_inputs(source, inputs), orders


def _guessed(source: Network, model: Network) -> list[Order]:
    # The batch is left out: a source of fixed batch 1 may have become a model of any batch.
    return [
        guess((None, *spec.shape[1:]), (None, *other.shape[1:]))
        for spec, other in zip(source.inputs or (), model.inputs or (), strict=True)
    ]


def _reordered(shape: Sequence[Size], order: Order) -> tuple[Size, ...]:
    return tuple(shape[axis] for axis in order) if len(order) == len(shape) else tuple(shape)


def _same_count(source: Network, model: Network) -> None:
    if len(source.inputs or ()) != len(model.inputs or ()):
        raise ConversionError(
            f"Expected two networks with the same inputs, got {_names(source)} and "
            f"{_names(model)}. Give the two that belong together."
        )


def _names(network: Network) -> str:
    return f"{[spec.name for spec in network.inputs or ()]} ({network.label})"


def _given(inputs: object, source: Network) -> list[np.ndarray]:
    if isinstance(inputs, Mapping):
        names = [spec.name for spec in source.inputs or ()]
        if sorted(inputs) != sorted(names):
            raise ConversionError(
                f"Expected an array for each of {names}, got {sorted(inputs)}. Use these names."
            )
        return [np.asarray(inputs[name]) for name in names]
    if isinstance(inputs, (list, tuple)) and len(source.inputs or inputs) == len(inputs):
        return [np.asarray(array) for array in inputs]
    return [np.asarray(inputs)]


def rows_of(pair: Pair, source: Arrays, model: Arrays, tolerance: float) -> Iterator[OutputParity]:
    """One row for each output; the model's answers are turned to the source's axis order."""
    if len(source) != len(model):
        raise ConversionError(
            f"Expected {len(source)} outputs as the source has, got {len(model)} from the model. "
            "Give the two that belong together."
        )
    for position, (wanted, found) in enumerate(zip(source, model, strict=True)):
        if pair.output_orders:
            order = pair.output_orders[position]
        else:
            order = guess(wanted.shape, found.shape)
        turned = permuted([found], [inverse(order)])[0]
        name = pair.source.outputs[position] if pair.source.outputs else f"output {position}"
        yield row(name, wanted, turned, tolerance)


def row(name: str, wanted: np.ndarray, found: np.ndarray, tolerance: float) -> OutputParity:
    """Difference of two arrays in the same axis order.

    >>> row("y", np.array([1.0, 2.0]), np.array([1.0, 2.5]), 1e-5).max_rel
    0.25
    """
    if wanted.shape != found.shape or wanted.dtype.kind in "OSU":
        same = wanted.shape == found.shape and bool(np.all(wanted == found))
        gap = 0.0 if same else float("inf")
        return OutputParity(name, wanted.shape, gap, 0.0, gap, same)
    if wanted.size == 0:
        return OutputParity(name, wanted.shape, 0.0, 0.0, 0.0, True)
    reference, other = np.asarray(wanted, np.float64), np.asarray(found, np.float64)
    with np.errstate(invalid="ignore"):
        gaps = np.abs(reference - other)
    equal = (reference == other) | (np.isnan(reference) & np.isnan(other))  # inf - inf is NaN
    gaps = np.where(equal, 0.0, np.where(np.isnan(gaps), np.inf, gaps))
    worst = np.unravel_index(int(np.argmax(gaps)), gaps.shape)
    finite = np.abs(reference[np.isfinite(reference)])
    largest = float(finite.max()) if finite.size else 0.0
    max_abs = float(gaps[worst])
    max_rel = relative(max_abs, largest)
    exact = wanted.dtype.kind in "biu"
    return OutputParity(
        name,
        wanted.shape,
        max_abs,
        largest,
        max_rel,
        # An answer without one finite number agrees with anything that is broken too.
        (max_abs == 0 if exact else max_rel <= tolerance) and finite.size > 0,
        tuple(int(axis) for axis in worst),
        bool(len(reference) < 2 or np.any(reference[0] != reference[1])) if wanted.ndim else True,
    )
