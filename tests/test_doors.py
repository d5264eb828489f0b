"""The doors open fast: what is loaded by the imports and commands that need no TensorFlow."""

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("tensorflow", "keras", "torch", "onnx", "sklearn", "matplotlib", "scipy")

DOORS = {
    "import tlkeras": "import tlkeras, converters",
    "tlkeras --help": "sys.argv = ['tlkeras', '--help']; from tlkeras.cli.main import run; run()",
    "tlkeras backbones": (
        "sys.argv = ['tlkeras', 'backbones']; from tlkeras.cli.main import run; run()"
    ),
    "tlkeras check": (
        "sys.argv = ['tlkeras', 'check', {folder!r}]; from tlkeras.cli.main import run; run()"
    ),
    "a classifier by name": "import tlkeras as tl; tl.ImageClassifier('MobileNetV2-0.35')",
}


@pytest.mark.parametrize("door", DOORS)
def test_door_loads_no_heavy_package(door: str, flower_folder: Path) -> None:
    script = (
        "import sys\n"
        f"try:\n    {DOORS[door].format(folder=str(flower_folder))}\n"
        "except SystemExit as end:\n    assert not end.code, end.code\n"
        f"loaded = [name for name in {HEAVY!r} if name in sys.modules]\n"
        "assert not loaded, loaded\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


def test_public_names_are_all_there() -> None:
    import tlkeras as tl

    for name in tl.__all__:
        assert getattr(tl, name) is not None
    with pytest.raises(AttributeError, match="Classifier"):
        _ = tl.Classifier
