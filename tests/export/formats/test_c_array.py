"""C++ source of an int8 file: compiles without a warning, holds the bytes, names what it takes."""

import re
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from tests.export.conftest import NAMES, SIZE_PX
from tlkeras.errors import ExportError
from tlkeras.export.formats.c_array import to_c
from tlkeras.export.formats.litert_file import to_litert

interpreters = pytest.importorskip("ai_edge_litert.interpreter")

PROGRAM = """
#include <cstdio>
#include <cstdint>
#include "ants_and_bees_int8.h"

using namespace ants_and_bees_int8_model;

struct Resolver {
  unsigned int count = 0;
  void AddConv2D() { ++count; std::puts("CONV_2D"); }
  void AddFullyConnected() { ++count; std::puts("FULLY_CONNECTED"); }
  void AddMean() { ++count; std::puts("MEAN"); }
  void AddMul() { ++count; std::puts("MUL"); }
  void AddAdd() { ++count; std::puts("ADD"); }
  void AddSoftmax() { ++count; std::puts("SOFTMAX"); }
};

int main(int, char** arguments) {
  std::FILE* copy = std::fopen(arguments[1], "wb");
  std::fwrite(kModel, 1, kModelSize, copy);
  std::fclose(copy);
  for (const char* label : kLabels) std::puts(label);
  std::printf("%d %d %d %d\\n", kInputHeight, kInputWidth, kInputChannels, kClasses);
  std::printf("%.9g %d %.9g %d\\n", kInputScale, kInputZeroPoint, kOutputScale, kOutputZeroPoint);
  Resolver resolver;
  AddOperators(resolver);
  std::printf("%d\\n", resolver.count == kOperators);
  return static_cast<int>(reinterpret_cast<std::uintptr_t>(kModel) % 16);
}
"""


@pytest.fixture
def compiler() -> str:
    found = shutil.which("g++")
    if found is None:
        pytest.skip("no g++ on this machine")
    return found


def test_compiled_source_holds_the_files_bytes_and_says_what_it_takes(
    int8_file: Path, compiler: str, tmp_path: Path
) -> None:
    folder = to_c(int8_file, tmp_path / "c")
    (tmp_path / "main.cc").write_text(PROGRAM)
    source, program = folder / "ants_and_bees_int8.cc", tmp_path / "program"
    strict = ["-std=c++11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", f"-I{folder}"]
    subprocess.run(
        [compiler, *strict, str(tmp_path / "main.cc"), str(source), "-o", str(program)], check=True
    )
    copy = tmp_path / "copy.tflite"
    told = subprocess.run([str(program), str(copy)], capture_output=True, check=True)  # 0: aligned
    lines = told.stdout.decode("utf-8").splitlines()
    assert copy.read_bytes() == int8_file.read_bytes()
    assert lines[:4] == list(NAMES)
    assert lines[4:6] == [f"{SIZE_PX} {SIZE_PX} 3 4", "1 -128 0.00390625 -128"]
    assert lines[-1] == "1"


def test_header_says_from_which_value_on_a_picture_is_unlike(
    scored_int8: Path, pixels: np.ndarray, compiler: str, tmp_path: Path
) -> None:
    folder = to_c(scored_int8, tmp_path)
    told = (folder / "scored.h").read_text()
    value = {name: float(number) for name, number in re.findall(r"(k\w+) = ([-\d.e]+)", told)}
    interpreter = interpreters.Interpreter(model_path=str(scored_int8))
    interpreter.allocate_tensors()
    outputs = interpreter.get_output_details()
    flags = []
    for row in (pixels.astype(np.int16) - 128).astype(np.int8):
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], row[np.newaxis])
        interpreter.invoke()
        (raw,) = interpreter.get_tensor(outputs[int(value["kUnknownOutput"])]["index"])
        score = (float(raw) - value["kUnknownZeroPoint"]) * value["kUnknownScale"]
        flags.append(score > 1)
        assert flags[-1] == (raw > value["kUnknownLimit"])
    assert 0 < sum(flags) < len(flags)
    assert outputs[int(value["kOutput"])]["shape"].tolist() == [1, len(NAMES)]
    assert "resolver.AddL2Normalization();" in told
    command = [compiler, "-std=c++11", "-Wall", "-Werror", "-c", "scored.cc"]
    subprocess.run(command, check=True, cwd=folder)


def test_a_float_file_is_refused(bundle: SimpleNamespace, tmp_path: Path) -> None:
    path = to_litert(bundle, tmp_path / "a.tflite")
    with pytest.raises(ExportError, match=r"all int8\. Received: float32"):
        to_c(path, tmp_path / "c")
    assert not (tmp_path / "c").exists()


def test_operators_that_microcontrollers_lack_are_named(pixels: np.ndarray, tmp_path: Path) -> None:
    image = keras.Input((SIZE_PX, SIZE_PX, 3))
    maps = keras.layers.Conv2D(4, 3, activation="gelu")(keras.layers.Rescaling(1 / 255)(image))
    pooled = keras.layers.GlobalAveragePooling2D()(maps)
    model = keras.Model(image, keras.layers.Dense(2, activation="softmax")(pooled))
    odd = SimpleNamespace(model=model, class_names=("a", "b"), backbone={"size_px": SIZE_PX})
    odd.network = SimpleNamespace(unknown=None)
    path = to_litert(odd, tmp_path / "a.tflite", kind="int8", pictures=pixels, max_drop=1)
    with pytest.raises(ExportError, match="Received also: GELU"):
        to_c(path, tmp_path / "c")


def test_labels_must_be_as_many_as_outputs(int8_file: Path, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="a label for each of 4 outputs"):
        to_c(int8_file, tmp_path, labels=["a", "b"])


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"none\.tflite"):
        to_c(tmp_path / "none.tflite", tmp_path)
