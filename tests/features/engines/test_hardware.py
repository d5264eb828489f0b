"""What the machine tells of itself, and that nothing breaks where it tells nothing."""

from pathlib import Path

import pytest

from tlkeras.features.engines import hardware

INTEL = """processor\t: 0
model name\t: Intel(R) Xeon(R) Platinum 8488C
flags\t\t: fpu avx avx2 fma avx512f avx512_bf16 amx_bf16 amx_tile

processor\t: 1
model name\t: something else
"""
ARM = "processor\t: 0\nBogoMIPS\t: 243.75\nFeatures\t: fp asimd asimddp i8mm bf16\n"


def told(text: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "cpuinfo").write_text(text)
    monkeypatch.setattr(hardware, "_CPUINFO", folder / "cpuinfo")
    hardware._fields.cache_clear()


@pytest.fixture(autouse=True)
def forgotten() -> object:
    yield
    hardware._fields.cache_clear()


def test_an_intel_processor_with_matrix_units(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told(INTEL, tmp_path, monkeypatch)

    assert hardware.processor_name() == "Intel(R) Xeon(R) Platinum 8488C"
    assert "fpu" not in hardware.units()
    assert {"avx2", "amx_bf16"} <= set(hardware.units())
    assert hardware.has_bfloat16()


def test_an_arm_processor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told(ARM, tmp_path, monkeypatch)

    assert hardware.processor_name()
    assert hardware.units() == ("asimd", "asimddp", "bf16", "i8mm")
    assert hardware.has_bfloat16()


def test_a_processor_without_bfloat16(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told("model name : Old\nflags : fpu avx avx2\n", tmp_path, monkeypatch)

    assert not hardware.has_bfloat16()


def test_a_system_that_tells_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "_CPUINFO", tmp_path / "none")
    monkeypatch.setattr("platform.processor", lambda: "")
    monkeypatch.setattr("platform.machine", lambda: "")
    hardware._fields.cache_clear()

    assert hardware.processor_name() == "unknown"
    assert hardware.units() == ()
    assert not hardware.has_bfloat16()
