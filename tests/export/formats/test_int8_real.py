"""Real weights, real pictures: int8 costs at most two points and a third of the size (trap E4)."""

import shutil
import subprocess
from pathlib import Path

import pytest

from benchmarks.quantised import part, trained
from tlkeras.export.formats.c_array import to_c
from tlkeras.export.formats.litert_file import to_litert
from tlkeras.export.formats.quality import read_quality

pytest.importorskip("ai_edge_litert.interpreter")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["cats_dogs", "clothing_small"])
def test_int8_keeps_accuracy_and_a_third_of_the_size(
    shared_data: Path, kind: str, tmp_path: Path
) -> None:
    bundle = trained(shared_data, kind, tmp_path / "run")
    shown, _ = part(bundle, "train")
    known = {"validation": part(bundle, "validation"), "test": part(bundle, "test")}
    whole = to_litert(bundle, tmp_path / "a.tflite", pictures=shown[:8])
    small = to_litert(bundle, tmp_path / "b.tflite", kind="int8", pictures=shown, known=known)
    for found in read_quality(small):
        assert found.before is not None
        assert found.before > {"cats_dogs": 0.9, "clothing_small": 0.65}[kind]
        assert found.drop <= 0.02
        assert found.agreement >= 0.9
    assert small.stat().st_size <= 0.35 * whole.stat().st_size
    compiler = shutil.which("g++")
    if compiler is not None:
        folder = to_c(small, tmp_path / "c")
        command = [compiler, "-std=c++11", "-Wall", "-Werror", "-c", str(folder / "b.cc")]
        subprocess.run(command, check=True, cwd=tmp_path)
