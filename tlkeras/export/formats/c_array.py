"""An int8 LiteRT file as C++ source for TensorFlow Lite for Microcontrollers.

flowers_int8.tflite ─▶ flowers_int8.cc   the file's bytes, aligned
                    └▶ flowers_int8.h    shapes, scales, zero points, labels, operators
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tlkeras.disk import write_bytes
from tlkeras.errors import ExportError
from tlkeras.export.formats.micro_ops import DATE, SOURCE, not_on_micro, resolver_method
from tlkeras.export.named import PROBABILITIES, SCORE

ALIGNMENT = 16  # TensorFlow Lite for Microcontrollers asks for it
_A_LINE = 16


@dataclass(frozen=True)
class _Tensor:
    """One side of the network: `shape` without the batch, and how its int8 numbers are meant."""

    shape: tuple[int, ...]
    scale: float
    zero_point: int


@dataclass(frozen=True)
class _Facts:
    """What the header says."""

    name: str
    size: int
    input: _Tensor
    outputs: tuple[str, ...]
    probabilities: _Tensor
    unknown: _Tensor | None
    labels: tuple[str, ...]
    operators: tuple[str, ...]
    activations: int


def to_c(
    litert_file: str | Path, folder: str | Path, *, labels: Sequence[str] | None = None
) -> Path:
    """The folder, with a .cc file of the network's bytes and a .h file that names what they take.

    Both compile as C++11 with -Wall -Werror. Everything is in a namespace named after the file:
    `flowers_int8_model::kModel` and so on. Old ones are replaced.

    Args:
        litert_file: int8 in and out, as `to_litert(…, kind="int8")` writes it.
        folder: where the two files go.
        labels: class names in order; None takes those that `to_litert` left in the file.

    Raises:
        ExportError: the file is not int8, has no labels, or has operators that TensorFlow Lite
            for Microcontrollers lacks.

    Example::

        to_c("flowers_int8.tflite", "firmware/model")
    """
    file, target = Path(litert_file), Path(folder)
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ExportError(
            f"Expected a .tflite file at '{file}', but: {error}. Write one with kind 'int8' first."
        ) from error
    facts = _facts(content, file.stem, labels)
    missing = not_on_micro(facts.operators)
    if missing:
        raise ExportError(
            "Expected operators that TensorFlow Lite for Microcontrollers has "
            f"({SOURCE}, {DATE}). Received also: {', '.join(missing)}. "
            "Take a plainer backbone, MobileNetV2 for one, or run the .tflite file on a phone."
        )
    try:
        write_bytes(target / f"{facts.name}.cc", _source(facts, content).encode())
        write_bytes(target / f"{facts.name}.h", _header(facts).encode())
    except OSError as error:
        raise ExportError(
            f"Expected to write '{facts.name}.cc' and '{facts.name}.h' into '{target}', but: "
            f"{error}. Choose a folder that can be written to."
        ) from error
    return target


def identifier(stem: str) -> str:
    """A name for C++ made of a file's.

    >>> identifier("flowers-v2 int8"), identifier("3 Blüten")
    ('flowers_v2_int8', 'm_3_Bl_ten')
    """
    plain = re.sub(r"[^0-9A-Za-z]+", "_", stem).strip("_") or "m"
    return f"m_{plain}" if plain[0].isdigit() else plain


def literal(text: str) -> str:
    r"""A C++ string literal whose bytes are the text in UTF-8.

    >>> print(literal('a "b" é?'))
    "a \042b\042 \303\251\077"
    """
    plain = {*range(32, 127)} - set(b'"\\?')  # ?? would begin a trigraph
    body = "".join(chr(b) if b in plain else f"\\{b:03o}" for b in text.encode("utf-8"))
    return f'"{body}"'


def _facts(content: bytes, stem: str, labels: Sequence[str] | None) -> _Facts:
    from tlkeras.export.formats.interpreter import interpreter_of, outputs_of
    from tlkeras.export.formats.packed import note_of, opened, operators

    interpreter = interpreter_of(content)
    given, *more = interpreter.get_input_details()
    outputs = outputs_of(interpreter)
    kinds = {np.dtype(each["dtype"]).name for each in (given, *outputs.values())}
    if kinds != {"int8"} or more or {PROBABILITIES} != outputs.keys() - {SCORE}:
        raise ExportError(
            f"Expected a .tflite file with one input and {PROBABILITIES}, with {SCORE} or without, "
            f"all int8. Received: {', '.join(sorted(kinds))}, {1 + len(more)} inputs and "
            f"{', '.join(outputs)}. Write it with kind 'int8'."
        )
    told = note_of(content).get("labels") if labels is None else list(labels)
    width = int(outputs[PROBABILITIES]["shape"][-1])
    if not isinstance(told, list) or len(told) != width:
        raise ExportError(
            f"Expected a label for each of {width} outputs. Received: {told!r}. "
            "Hand in labels, in the order of the outputs."
        )
    places = [each["index"] for each in interpreter.get_output_details()]
    return _Facts(
        identifier(stem),
        len(content),
        _tensor(given),
        tuple(sorted(outputs, key=lambda name: places.index(outputs[name]["index"]))),
        _tensor(outputs[PROBABILITIES]),
        _tensor(outputs[SCORE]) if SCORE in outputs else None,
        tuple(map(str, told)),
        tuple(operators(content)),
        activation_bytes(opened(content)),
    )


def _tensor(told: dict[str, Any]) -> _Tensor:
    scale, zero_point = told["quantization"]
    shape = tuple(int(side) for side in told["shape"][1:])
    return _Tensor(shape, float(scale), int(zero_point))


def activation_bytes(model: Any) -> int:
    """The most bytes of tensors that are needed at once while a file, opened, is run.

    A device's arena is larger than that, by what its kernels need for themselves.
    """
    graph = model.subgraphs[0]
    made = {int(index): step for step, op in enumerate(graph.operators) for index in op.outputs}
    made |= {int(index): 0 for index in graph.inputs}
    last = {
        int(index): step
        for step, op in enumerate(graph.operators)
        for index in op.inputs
        if int(index) in made
    }
    last |= {int(index): len(graph.operators) for index in graph.outputs}
    sizes = {index: int(np.prod(graph.tensors[index].shape)) for index in made}  # int8
    return max(
        sum(sizes[index] for index in made if made[index] <= step <= last.get(index, made[index]))
        for step in range(len(graph.operators))
    )


def _header(facts: _Facts) -> str:
    guard = f"TLKERAS_{facts.name.upper()}_H_"
    height, width, channels = facts.input.shape
    adds = "\n".join(f"  resolver.{resolver_method(name)}();" for name in facts.operators)
    return f"""\
// A picture's class, by TensorFlow Lite for Microcontrollers. Made by tlkeras.
//
// In:  {height} x {width} pixels, row by row, {channels} int8 each: red, green, blue, less 128.
//      Stretch the picture to that size; the network scales by itself.
// Out: {len(facts.labels)} int8, one a class;
//      probability = (value - kOutputZeroPoint) * kOutputScale.{_unknown_comment(facts)}

#ifndef {guard}
#define {guard}

#include <cstddef>
#include <cstdint>

namespace {facts.name}_model {{

extern const unsigned char kModel[];  // aligned to {ALIGNMENT} bytes
constexpr std::size_t kModelSize = {facts.size};

constexpr int kInputHeight = {height};
constexpr int kInputWidth = {width};
constexpr int kInputChannels = {channels};
constexpr float kInputScale = {_float(facts.input.scale)};
constexpr std::int32_t kInputZeroPoint = {facts.input.zero_point};

constexpr int kOutput = {facts.outputs.index(PROBABILITIES)};  // interpreter.output(kOutput)
constexpr int kClasses = {len(facts.labels)};
constexpr float kOutputScale = {_float(facts.probabilities.scale)};
constexpr std::int32_t kOutputZeroPoint = {facts.probabilities.zero_point};
{_unknown_constants(facts)}
extern const char* const kLabels[kClasses];  // UTF-8

// Tensors that are needed at once. The arena is larger, by what the kernels need for themselves.
constexpr std::size_t kActivationBytes = {facts.activations};

// Registers what the network needs with a tflite::MicroMutableOpResolver<kOperators>.
constexpr unsigned int kOperators = {len(facts.operators)};
template <class Resolver>
inline void AddOperators(Resolver& resolver) {{
{adds}
}}

}}  // namespace {facts.name}_model

#endif  // {guard}
"""


def _unknown_comment(facts: _Facts) -> str:
    if facts.unknown is None:
        return ""
    return "\n//      And one int8; above kUnknownLimit: a picture unlike those it was trained on."


def _unknown_constants(facts: _Facts) -> str:
    if facts.unknown is None:
        return ""
    scale, zero_point = np.float32(facts.unknown.scale), facts.unknown.zero_point
    limit = max(value for value in range(-128, 128) if (value - zero_point) * scale <= 1)
    return f"""
constexpr int kUnknownOutput = {facts.outputs.index(SCORE)};  // interpreter.output(kUnknownOutput)
constexpr float kUnknownScale = {_float(facts.unknown.scale)};
constexpr std::int32_t kUnknownZeroPoint = {zero_point};
constexpr std::int32_t kUnknownLimit = {limit};  // the score 1
"""


def _source(facts: _Facts, content: bytes) -> str:
    rows = "\n".join(_rows(content))
    labels = ",\n    ".join(literal(name) for name in facts.labels)
    return f"""\
#include "{facts.name}.h"

namespace {facts.name}_model {{

const char* const kLabels[kClasses] = {{
    {labels},
}};

alignas({ALIGNMENT}) const unsigned char kModel[] = {{
{rows}
}};
static_assert(sizeof(kModel) == kModelSize, "the header is of another network");

}}  // namespace {facts.name}_model
"""


def _rows(content: bytes) -> Iterator[str]:
    for start in range(0, len(content), _A_LINE):
        yield "    " + ", ".join(f"0x{byte:02x}" for byte in content[start : start + _A_LINE]) + ","


def _float(value: float) -> str:
    """A float literal that reads back as the same float32.

    >>> _float(1.0), _float(0.00390625), _float(float(np.float32(0.1)))
    ('1.0f', '0.00390625f', '0.1f')
    """
    text = str(np.float32(value))
    return f"{text}f" if "." in text or "e" in text else f"{text}.0f"
