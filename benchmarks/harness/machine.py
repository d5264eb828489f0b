"""What a result was measured on: processor, cores, memory, versions, matrix-multiply peak."""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# What decides how fast networks run; the rest of /proc/cpuinfo's flags does not.
FLAGS = (
    *("avx2", "fma", "f16c", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16"),
    *("amx_tile", "amx_bf16", "amx_int8", "avx_vnni", "asimd", "bf16", "i8mm", "sve"),
)
PACKAGES = (
    *("tensorflow", "keras", "numpy", "onnxruntime", "openvino", "ai-edge-litert", "pillow"),
    *("torch", "torchvision", "timm", "fastai", "keras-hub", "kserve", "tlkeras"),
)
_VERSIONS = """
import importlib.metadata as metadata, json, sys
found = {"python": sys.version.split()[0]}
for name in sys.argv[1:]:
    try:
        found[name] = metadata.version(name)
    except metadata.PackageNotFoundError:
        pass
print(json.dumps(found))
"""


def described(pythons: Mapping[str, str] | None = None, *, peak: bool = True) -> dict[str, object]:
    """The machine in words and numbers, as JSON can hold it.

    Args:
        pythons: interpreters by the name of the row that runs on them; the versions of what is
            installed there are told.
        peak: measure the matrix-multiply peak as well, a few seconds in a process of its own.
    """
    found: dict[str, object] = {
        **processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
        "memory_gb": memory_gb(),
        "system": platform.system(),
        "load_before": round(os.getloadavg()[0], 2),
        "commit": _answer(["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"]),
        "versions": {
            name: versions(python)
            for name, python in {"tlkeras": sys.executable, **(pythons or {})}.items()
        },
    }
    if peak:
        found["matmul_gflops"] = matmul_gflops()
    return found


def processor() -> dict[str, object]:
    """Name and the flags that matter; from /proc/cpuinfo where there is one."""
    lines: dict[str, str] = {}
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            key, _, value = line.partition(":")
            lines.setdefault(key.strip(), value.strip())
    except OSError:
        return {"processor": platform.processor() or platform.machine(), "flags": []}
    flags = set((lines.get("flags") or lines.get("Features") or "").split())
    return {
        "processor": lines.get("model name", platform.machine()),
        "flags": [flag for flag in FLAGS if flag in flags],
    }


def memory_gb() -> float | None:
    """Gigabytes of memory in this machine."""
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1)
    except (ValueError, OSError):
        return None


def versions(python: str) -> dict[str, str]:
    """Versions of the packages that matter, as that interpreter has them."""
    answer = _answer([python, "-I", "-c", _VERSIONS, *PACKAGES])  # not what lies in this folder
    return json.loads(answer) if answer else {}


def matmul_gflops(seconds: float = 0.5) -> dict[str, float]:
    """Peak of matrix multiplication by library and precision; see `benchmarks.harness.peak`."""
    command = [sys.executable, "-m", "benchmarks.harness.peak", "--seconds", str(seconds)]
    answer = _answer(command, cwd=ROOT)
    return json.loads(answer.splitlines()[-1]) if answer else {}


def _answer(command: list[str], cwd: Path | None = None) -> str:
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=True, cwd=cwd, env=environment
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()
