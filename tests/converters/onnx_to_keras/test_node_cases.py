"""The official node cases of ONNX (onnx.backend.test), through the importer.

Each case is a model of one operator, its inputs and what has to come out. The models have fixed
shapes and no batch, so they are imported with the shapes they have. What an operator takes as a
parameter (axes, a shape, scales) is a constant in every file that an exporter writes, and is
made one here. Operators that have weights run twice: with weights that come in as tensors, and
with weights that are stored, which become layers.

What is left out stands in node_cases_excluded.csv with a reason each, and has to fail still.
"""

from __future__ import annotations

import csv
import gc
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

import keras
import numpy as np
import onnx
import onnx.backend.test.data
import pytest
from onnx import numpy_helper

from converters.errors import ConversionError
from converters.onnx_to_keras.convert import assemble
from converters.onnx_to_keras.normalise import REWRITTEN
from converters.onnx_to_keras.registry import known_ops

pytestmark = pytest.mark.slow

DATA = Path(next(iter(onnx.backend.test.data.__path__))) / "node"
EXCLUDED = Path(__file__).with_name("node_cases_excluded.csv")
RTOL, ATOL = 1e-3, 1e-6  # the official runner's rtol
HALF = 2e-3  # the expected numbers were rounded to half precision on their way

PARAMETERS = {
    "AffineGrid": (1,),
    "CastLike": (1,),
    "CenterCropPad": (1,),
    "Col2Im": (1, 2),
    "ConstantOfShape": (0,),
    "CumSum": (1,),
    "Expand": (1,),
    "OneHot": (1,),
    "Pad": (1, 2, 3),
    "Range": (0, 1, 2),
    "Reshape": (1,),
    "Resize": (1, 2, 3),
    "Slice": (1, 2, 3, 4),
    "Split": (1,),
    "Squeeze": (1,),
    "Tile": (1,),
    "TopK": (1,),
    "Trilu": (1,),
    "Unsqueeze": (1,),
    "Upsample": (1,),
} | dict.fromkeys(
    (
        f"Reduce{r}"
        for r in [
            "L1",
            "L2",
            "LogSum",
            "LogSumExp",
            "Max",
            "Mean",
            "Min",
            "Prod",
            "Sum",
            "SumSquare",
        ]
    ),
    (1,),
)
ALWAYS_STORED = {
    "ConvInteger": (1, 2, 3),
    "GRU": (1, 2, 3, 4),
    "LSTM": (1, 2, 3, 4, 7),
    "QLinearConv": (1, 2, 3, 4, 5, 6, 7, 8),
    "RNN": (1, 2, 3, 4),
}
WEIGHTS = {
    "BatchNormalization": (1, 2, 3, 4),
    "Conv": (1, 2),
    "ConvTranspose": (1, 2),
    "DequantizeLinear": (1, 2),
    "Gather": (0,),
    "Gemm": (1, 2),
    "GroupNormalization": (1, 2),
    "InstanceNormalization": (1, 2),
    "LayerNormalization": (1, 2),
    "QuantizeLinear": (1, 2),
    "RMSNormalization": (1,),
} | dict.fromkeys(
    ["Add", "Div", "Max", "MatMul", "Min", "Mul", "PRelu", "Pow", "Sub", "Where"], (1,)
)


@dataclass(frozen=True)
class Case:
    """One case: its folder, its model, and the operators in it."""

    name: str
    proto: onnx.ModelProto
    operators: frozenset[str]

    @property
    def group(self) -> str:
        """The operator; cases that spell one out in others are grouped as such."""
        return next(iter(self.operators)) if len(self.proto.graph.node) == 1 else "spelled out"

    def arrays(self, kind: str, count: int) -> list[np.ndarray | None]:
        """Inputs or outputs; None for what is no tensor."""
        found: list[np.ndarray | None] = []
        infos = self.proto.graph.input if kind == "input" else self.proto.graph.output
        for number, info in zip(range(count), infos, strict=True):
            tensor = onnx.TensorProto()
            is_tensor = info.type.HasField("tensor_type")
            if is_tensor:
                path = DATA / self.name / "test_data_set_0" / f"{kind}_{number}.pb"
                tensor.ParseFromString(path.read_bytes())
            found.append(numpy_helper.to_array(tensor) if is_tensor else None)
        return found


@cache
def cases() -> dict[str, list[Case]]:
    """All cases, by operator."""
    found: dict[str, list[Case]] = defaultdict(list)
    for folder in sorted(DATA.iterdir()):
        path = folder / "model.onnx"
        if path.exists():
            proto = onnx.load_model_from_string(path.read_bytes())
            names = frozenset(f"{n.domain}.{n.op_type}".lstrip(".") for n in proto.graph.node)
            case = Case(folder.name, proto, names)
            found[case.group].append(case)
    return dict(found)


@cache
def excluded() -> tuple[dict[str, str], dict[str, str]]:
    """Reasons: by operator that has no converter, and by pattern of the names of cases."""
    with EXCLUDED.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    parts = ({r["name"]: r["reason"] for r in rows if r["kind"] == k} for k in ("operator", "case"))
    operators, patterns = parts
    return operators, patterns


def why_not(case: Case) -> str | None:
    """Why a case is left out."""
    operators, patterns = excluded()
    for name in sorted(case.operators):
        if name in operators:
            return operators[name]
    return next((patterns[p] for p in patterns if fnmatchcase(case.name, p)), None)


def run(case: Case, stored: bool) -> None:
    """Imports and runs one case; raises if the answers are not the expected ones."""
    proto = onnx.ModelProto()
    proto.CopyFrom(case.proto)
    inputs = case.arrays("input", len(proto.graph.input))
    outputs = case.arrays("output", len(proto.graph.output))
    feeds = dict(zip((i.name for i in proto.graph.input), inputs, strict=True))
    _store(proto, feeds, _fixed(proto, stored))
    model, laid_out, _ = assemble(proto, {}, static=True)
    given = [np.transpose(feeds[n], laid_out.input_orders[n]) for n in laid_out.graph.inputs]
    got = keras.tree.flatten(model(given if len(given) > 1 else given[0], training=False))
    for info, mine, theirs in zip(proto.graph.output, got, outputs, strict=True):
        order = laid_out.output_orders[info.name]
        mine = np.asarray(mine)
        _compare(np.transpose(mine, np.argsort(order)) if order else mine, theirs)


def _fixed(proto: onnx.ModelProto, stored: bool) -> set[str]:
    """Names of the inputs that are stored in the file: parameters, or weights too."""
    fixed: set[str] = set()
    moving: set[str] = set()
    for node in proto.graph.node:
        places = PARAMETERS.get(node.op_type, ()) + ALWAYS_STORED.get(node.op_type, ())
        if stored:
            places += WEIGHTS.get(node.op_type, ())
        for number, name in enumerate(node.input):
            (fixed if number in places else moving).add(name)
    fixed |= _parameters_of_the_original(proto)
    moving -= fixed
    names = [info.name for info in proto.graph.input]
    idle = [name for name in names if name not in fixed | moving]
    return (fixed - moving) | set(idle if len(idle) < len(names) else ())


def _parameters_of_the_original(proto: onnx.ModelProto) -> set[str]:
    """A case that spells an operator out has the parameters of the case that does not."""
    name = proto.graph.name.removesuffix("_expanded").split("_expanded_ver")[0]
    path = DATA / name / "model.onnx"
    if name == proto.graph.name or not path.exists():
        return set()
    (node, *_) = onnx.load_model_from_string(path.read_bytes()).graph.node
    places = PARAMETERS.get(node.op_type, ())
    return {name for number, name in enumerate(node.input) if number in places}


def _store(proto: onnx.ModelProto, feeds: dict[str, np.ndarray], fixed: set[str]) -> None:
    kept = [info for info in proto.graph.input if info.name not in fixed] or proto.graph.input[:1]
    kept = list(kept)
    for info in kept:  # some files leave a size open that the data has
        if info.type.HasField("tensor_type"):
            shape = info.type.tensor_type.shape
            del shape.dim[:]
            shape.dim.extend(
                onnx.TensorShapeProto.Dimension(dim_value=n) for n in feeds[info.name].shape
            )
    names = {info.name for info in kept}
    for info in proto.graph.input:
        if info.name not in names:
            array = feeds.pop(info.name)
            proto.graph.initializer.append(numpy_helper.from_array(array, info.name))
    del proto.graph.input[:]
    proto.graph.input.extend(kept)


def _compare(mine: np.ndarray, theirs: np.ndarray | None) -> None:
    """Shape, then type, then values; every floating-point type is float32 in Keras."""
    if theirs is None:
        raise NotImplementedError("the output is no tensor")
    assert mine.shape == theirs.shape
    floating = theirs.dtype.kind == "f" or theirs.dtype.name == "bfloat16"
    assert (mine.dtype.kind == "f") if floating else (mine.dtype == theirs.dtype)
    half = floating and theirs.dtype.itemsize == 2
    np.testing.assert_allclose(
        mine.astype(np.float64),
        theirs.astype(np.float64),
        rtol=HALF if half else RTOL,
        atol=HALF if half else ATOL,
    )


def claimed(operators: Iterable[str]) -> bool:
    """Whether every operator has a converter, or is gone before one is needed."""
    gone = {*REWRITTEN, "Constant", "ConstantOfShape", "Dropout", "If", "Range", "Shape", "Size"}
    return all(name in known_ops() or name in gone for name in operators)


COUNTS: Counter[str] = Counter()


@pytest.mark.parametrize("group", sorted(cases()))
def test_operator(group: str) -> None:
    """Every case of one operator; failures are told together."""
    failures = []
    for case in cases()[group]:
        if why_not(case) is not None:
            COUNTS["left out"] += 1
            continue
        variants = (
            (False, True) if _fixed(case.proto, True) - _fixed(case.proto, False) else (False,)
        )
        for stored in variants:
            COUNTS["stored" if stored else "passed"] += 1
            try:
                run(case, stored)
            except Exception as err:  # one report for the whole operator
                COUNTS["stored" if stored else "passed"] -= 1
                COUNTS["failed"] += 1
                text = str(err).strip().splitlines() or [type(err).__name__]
                failures.append(f"{case.name}{' (stored)' * stored}: {' '.join(text[:4])[:300]}")
    keras.backend.clear_session()
    gc.collect()
    assert not failures, "\n".join(failures)


def test_every_operator_is_claimed_or_has_a_reason() -> None:
    operators, _ = excluded()
    names = {name for group in cases().values() for case in group for name in case.operators}
    silent = {name for name in names if name not in operators and not claimed([name])}
    assert not silent
    both = {name for name in operators if claimed([name])}
    assert not both, "these have a converter now: take them off the list"


def test_every_exclusion_is_needed() -> None:
    """What is left out by name fails still, and no pattern is without a case."""
    _, patterns = excluded()
    operators, _ = excluded()
    everything = [case for group in cases().values() for case in group]
    idle, passing = set(patterns), []
    for case in everything:
        hits = [pattern for pattern in patterns if fnmatchcase(case.name, pattern)]
        idle.difference_update(hits)
        if not hits or case.operators & set(operators):
            continue
        try:
            run(case, stored=False)
        except Exception:  # which is what the list says
            continue
        passing.append(case.name)
    assert not passing, "\n".join(["these pass now:", *passing])
    assert not idle


def test_the_count_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    total = sum(len(group) for group in cases().values())
    with capsys.disabled():
        sys.stdout.write(
            f"\nONNX node cases: {total} in all, {COUNTS['passed']} passed "
            f"(and {COUNTS['stored']} again with stored weights), "
            f"{COUNTS['failed']} failed, {COUNTS['left out']} left out with a reason\n"
        )


def test_a_case_that_is_left_out_raises_an_error_of_ours() -> None:
    """Never a bare error of Keras or TensorFlow."""
    for name in ("test_lstm_with_peepholes", "test_maxpool_with_argmax_2d_precomputed_pads"):
        (case,) = [c for group in cases().values() for c in group if c.name == name]
        with pytest.raises(ConversionError):
            run(case, stored=False)
