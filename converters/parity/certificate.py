"""The proof that goes with an import: agreement, and a gradient for every weight, in one pass."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from converters.errors import ConversionError, MismatchError
from converters.parity.comparison import Pair, open_pair, row, rows_of
from converters.parity.network import Arrays, as_arrays, called, in_batches
from converters.parity.result import Parity
from converters.report import Counts, ImportReport, record

if TYPE_CHECKING:
    import keras

_LARGEST = 2**27  # numbers in one value, half a gigabyte of float32
_NUDGE = 1e-7  # a rounding of float32
_ROUNDINGS = 4  # differences of this many such changes are rounding too
_MOST_ROUNDING = 3e-3  # a source that changes by more proves nothing either way
_TRANSPOSES = ("Permute", "Transpose", "Moveaxis", "Swapaxes")


def certify(
    model: keras.Model,
    source: object,
    report: ImportReport,
    *,
    tolerance: float = 1e-5,
    batch_sizes: Sequence[int] = (2, 3),
    seed: int = 0,
    allow_mismatch: bool = False,
) -> ImportReport:
    """The report with parity, counts and gradients filled in; it is kept for import_report.

    Args:
        model: what the import has built.
        source: what it was built from: anything that `compare` takes.
        report: what is known so far; its `input_orders` and `output_orders` are used.
        tolerance: see compare.
        batch_sizes: see compare; the gradient is taken on the first.
        seed: decides the random inputs.
        allow_mismatch: return the report of a model that differs instead of raising.

    Raises:
        MismatchError: the model answers differently; `.report` is the report, and the message
            names the first node that differs.

    Example::

        report = certify(model, proto, ImportReport("resnet50.onnx", "ONNX"))
    """
    _check_size(model)
    record(model, report)  # compare and first_divergence look there
    pair = open_pair(source, model, report)
    replies: list[list[np.ndarray]] = []
    missing: tuple[str, ...] | None = None
    zero: tuple[str, ...] = ()
    asked = [pair.inputs(batch, seed) for batch in pair.batches(batch_sizes)]
    pair = pair.without_source()
    for arrays, _ in asked:
        turned = pair.to_model(arrays)
        if missing is None:
            found, missing, zero = _with_gradients(model, turned)
        else:
            found = pair.model.run(turned)
        replies.append(found)
    parity = _agreement(pair, asked, replies, tolerance)
    if not parity.passed:
        own = _own_rounding(source, model, report, asked[0])
        wider = _agreement(pair, asked, replies, max(tolerance, _ROUNDINGS * own))
        if own > tolerance:
            note = (
                f"The source amplifies rounding: its own answers change by {own:.2g} when its "
                f"inputs change by {_NUDGE:g} of themselves. "
            )
            if own <= _MOST_ROUNDING and wider.passed:
                parity, note = wider, f"{note}The difference is judged by that."
            else:
                note = f"{note}So no comparison of answers tells much about it."
            report = replace(report, warnings=(*report.warnings, note))
    done = replace(
        report,
        parity=parity,
        counts=count(model),
        without_gradient=missing,
        zero_gradient=zero,
        fixed_batch=pair.model.fixed_batch,
    )
    if not parity.passed:
        parity, notes = _located(parity, model, source, asked[0][0])
        done = replace(done, parity=parity, warnings=(*done.warnings, *notes))
    record(model, done)
    if not parity.passed and not allow_mismatch:
        raise mismatch(done, parity)
    return done


def _agreement(
    pair: Pair,
    asked: Sequence[tuple[Arrays, Arrays]],
    replies: Sequence[Arrays],
    tolerance: float,
) -> Parity:
    rows = [
        line
        for (_, answers), found in zip(asked, replies, strict=True)
        for line in rows_of(pair, answers, found, tolerance)
    ]
    return Parity(tuple(rows), tolerance, pair.source.label)


def _own_rounding(
    source: object, model: keras.Model, report: ImportReport, asked: tuple[Arrays, Arrays]
) -> float:
    """How much the source's own answers change when its inputs change by a rounding."""
    arrays, answers = asked
    rng = np.random.default_rng(0)
    nudged = [
        array * (1 + _NUDGE * rng.standard_normal(array.shape)).astype(array.dtype)
        if array.dtype.kind == "f"
        else array
        for array in arrays
    ]
    pair = open_pair(source, model, report)
    changed = in_batches(pair.source, nudged)
    gaps = [row("", a, b, 1.0).max_rel for a, b in zip(answers, changed, strict=True) if a.size]
    return max(gaps, default=0.0)


def _check_size(model: keras.Model) -> None:
    """ConversionError for a model that no machine could run, before a runtime tries it."""
    for operation in model.operations:
        for tensor in _flat(operation.output):
            elements = math.prod(size for size in tensor.shape if size is not None)
            if elements > _LARGEST:
                raise ConversionError(
                    f"Expected values of at most {_LARGEST} numbers for each sample, got "
                    f"{list(tensor.shape)} from '{operation.name}'. The file is damaged, or its "
                    "input shapes are too large: give smaller ones with input_shapes."
                )


def _flat(output: object) -> list[Any]:
    import keras

    return list(keras.tree.flatten(output))


def mismatch(report: ImportReport, parity: Parity) -> MismatchError:
    """The error for a model that differs, with its report."""
    if parity.max_rel == 0:
        return MismatchError(
            f"Expected {report.source} to answer with numbers, got no finite one on random "
            "inputs, so that there is nothing to compare with. Check its weights for NaN; to "
            "look at the model use allow_mismatch=True, or verify=False.",
            report,
        )
    first = parity.first_divergence
    where = f" The first value that differs is made by {first}." if first else ""
    return MismatchError(
        f"Expected the converted {report.source} to answer as its source does, within a relative "
        f"difference of {parity.tolerance:g}; got {parity.max_rel:.2g} (max abs "
        f"{parity.max_abs:.2g}).{where} {' '.join(report.warnings)} Report this with the "
        "operator's file (report.parity.write_operator), or take allow_mismatch=True.",
        report,
    )


def _located(
    parity: Parity, model: keras.Model, source: object, arrays: Arrays
) -> tuple[Parity, tuple[str, ...]]:
    """The parity with its first divergence, or a note why that could not be found."""
    from converters.parity.divergence import first_divergence

    try:
        first = first_divergence(source, model, arrays, parity.tolerance)
    except ConversionError as err:
        return parity, (f"First node that differs: {err}",)
    return replace(parity, first_divergence=first), ()


def count(model: keras.Model) -> Counts:
    """What a Keras model consists of.

    Example::

        count(keras.applications.ResNet50(weights=None)).batch_norms    # 53
    """
    operations = [op for op in model.operations if type(op).__name__ != "InputLayer"]
    layers = _leaves(model)
    norms = [layer for layer in layers if type(layer).__name__ == "BatchNormalization"]
    moving = {
        id(variable)
        for layer in norms
        for variable in (layer.moving_mean, layer.moving_variance)
        if variable is not None
    }
    floats = [
        variable
        for variable in model.weights
        if "float" in str(variable.dtype) and id(variable) not in moving
    ]
    trained = {id(variable) for variable in model.trainable_weights}
    ours = [variable for variable in floats if id(variable) in trained]
    custom = sorted({type(op).__name__ for op in operations if not _built_in(op)})
    return Counts(
        weights=len(floats),
        trainable=len(ours),
        parameters=sum(int(np.prod(variable.shape)) for variable in floats),
        trainable_parameters=sum(int(np.prod(variable.shape)) for variable in ours),
        statistics=len(moving),
        operations=len(operations),
        batch_norms=len(norms),
        transposes=sum(type(op).__name__ in _TRANSPOSES for op in operations),
        custom_layers=tuple(custom),
    )


def _leaves(model: keras.Model) -> list[keras.layers.Layer]:
    return [layer for layer in model._flatten_layers(include_self=False, recursive=True)]


def _built_in(operation: object) -> bool:
    return type(operation).__module__.startswith(("keras.", "keras_hub."))


def _with_gradients(
    model: keras.Model, arrays: Arrays
) -> tuple[list[np.ndarray], tuple[str, ...] | None, tuple[str, ...]]:
    """Answers of the model, trainable variables without a gradient, those where it is zero.

    A random direction over all outputs, so that a softmax does not hide what is before it.
    Other Keras backends than TensorFlow: only the answers.
    """
    import keras

    if keras.config.backend() != "tensorflow":
        return as_arrays(called(model, arrays)), None, ()
    import tensorflow as tf

    variables = model.trainable_weights
    rng = np.random.default_rng(7)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch([variable.value for variable in variables])
        outputs = keras.tree.flatten(called(model, arrays))
        loss = tf.constant(0.0)
        for output in outputs:
            if output.dtype.is_floating:
                kind = output.dtype.as_numpy_dtype
                direction = rng.standard_normal(output.shape, np.float32).astype(kind)
                direction /= max(1e-30, float(np.abs(_finite(output.numpy())).max(initial=0)))
                loss += tf.reduce_sum(tf.cast(output * direction, "float32"))
    answers = [output.numpy() for output in outputs]
    try:
        gradients = tape.gradient(loss, [variable.value for variable in variables])
    except LookupError:  # an operator that TensorFlow has no gradient for
        return answers, tuple(variable.path for variable in variables), ()
    except Exception as err:  # TensorFlow's own, of a dozen kinds
        raise ConversionError(
            f"Expected a gradient of '{model.name}', but: {' '.join(str(err).split())[:300]}. "
            "Report this with the source's file."
        ) from err
    pairs = list(zip(variables, gradients, strict=True))
    missing = tuple(variable.path for variable, gradient in pairs if gradient is None)
    zero = tuple(
        variable.path
        for variable, gradient in pairs
        if gradient is not None and not np.any(tf.convert_to_tensor(gradient))
    )
    return answers, missing, zero


def _finite(values: np.ndarray) -> np.ndarray:
    return values[np.isfinite(values)]
