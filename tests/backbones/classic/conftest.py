"""PyTorch twins of the classic networks, each built once for the whole run."""

from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

# Without the extra "torch" there is nothing to compare with.
collect_ignore = (
    []
    if find_spec("torch") and find_spec("safetensors")
    else ["test_darknet_weights.py", "test_parity.py", "test_torch_weights.py"]
)


@pytest.fixture(scope="session")
def twin() -> Callable[[str], Any]:
    """The randomised PyTorch network of a catalogue name, in evaluation mode; not to change."""
    pytest.importorskip("torch")
    from tests.backbones.classic.torch_networks import randomised

    return cache(randomised)


@pytest.fixture(scope="session")
def state_file(
    twin: Callable[[str], Any], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Path]:
    """Path of the twin's state_dict as torch.save writes it."""
    import torch

    folder = tmp_path_factory.mktemp("states")

    def path(name: str) -> Path:
        file = folder / f"{name}.pth"
        if not file.exists():
            torch.save(twin(name).state_dict(), file)
        return file

    return path
