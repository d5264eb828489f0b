"""What the last bits of a training depend on beside the recipe: processor, threads, libraries."""

import os
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from tlkeras.features.engines.hardware import processor_name, units
from tlkeras.threads import cores

PACKAGES = ("onnxruntime", "openvino", "ai-edge-litert", "h5py")
VARIABLES = (
    "CUDA_VISIBLE_DEVICES",
    "KERAS_BACKEND",
    "KMP_BLOCKTIME",
    "MKL_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_CORETYPE",
    "OPENBLAS_NUM_THREADS",
    "TF_DETERMINISTIC_OPS",
    "TF_ENABLE_ONEDNN_OPTS",
    "TF_NUM_INTEROP_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "ONEDNN_MAX_CPU_ISA",
    "NVIDIA_TF32_OVERRIDE",
)


def environment() -> dict[str, str]:
    """Processor, cores, linear algebra, engines, and the environment variables that are set.

    >>> int(environment()["cores"]) >= 1
    True
    """
    return {
        "processor": processor_name(),
        "processor units": " ".join(units()),
        "cores": str(cores()),
        "blas": _blas(),
        **{name: found for name in PACKAGES if (found := _version(name))},
        **{name: os.environ[name] for name in VARIABLES if name in os.environ},
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _blas() -> str:
    """NumPy's library of matrix products, with its version."""
    try:
        show: Any = np.show_config  # whose stub is that of an older release
        told = show(mode="dicts")["Build Dependencies"]["blas"]
        return f"{told['name']} {told['version']}"
    except (KeyError, TypeError):
        return "unknown"
