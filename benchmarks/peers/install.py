"""Makes the virtual environment of a peer, once.

    python -m benchmarks.peers.install NAME...     # keras_guide torch_timm fastai keras_hub kserve
    python -m benchmarks.peers.install all

They lie in $TLKERAS_BENCHMARKS, or ~/.cache/tlkeras-benchmarks/peers, never in the checkout. One
that is there and was made from the same requirements is left as it is. Where pip should take
another index (PyTorch's builds for processors alone, say), set PIP_EXTRA_INDEX_URL.
"""

import argparse
import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
REQUIREMENTS = {path.stem: path for path in sorted((HERE / "requirements").glob("*.txt"))}
# Installed after the requirements, without what they ask for themselves.
ALONE = {"keras_hub": ("keras-hub==0.31.1",)}
# The rest of these sets is held to the versions that tlkeras is tested with.
CONSTRAINED = ("keras_guide", "keras_hub")

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("name", nargs="+", choices=[*REQUIREMENTS, "all"], help="which peer")


def folder() -> Path:
    """Where the environments are."""
    chosen = os.environ.get("TLKERAS_BENCHMARKS")
    return Path(chosen).expanduser() if chosen else Path.home() / ".cache/tlkeras-benchmarks/peers"


def python_of(name: str) -> Path:
    """The interpreter of a peer's environment, made or not."""
    inside = ("Scripts", "python.exe") if sys.platform == "win32" else ("bin", "python")
    return folder().joinpath(name, *inside)


def installed(name: str) -> bool:
    """Whether the environment was made, from the requirements as they are now."""
    ready = folder() / name / ".ready"
    return ready.is_file() and ready.read_text(encoding="utf-8") == _wanted(name)


def install(name: str) -> Path:
    """The peer's interpreter, with everything it needs.

    Raises:
        subprocess.CalledProcessError: pip could not install it; what it said is on the terminal.
    """
    python, target = python_of(name), folder() / name
    if installed(name):
        return python
    if not python.exists():
        venv.create(target, with_pip=True)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    held = ["--constraint", str(ROOT / "constraints.txt")] if name in CONSTRAINED else []
    subprocess.run([*pip, *held, "--requirement", str(REQUIREMENTS[name])], check=True)
    if name in ALONE:
        subprocess.run([*pip, "--no-deps", *ALONE[name]], check=True)
    (target / ".ready").write_text(_wanted(name), encoding="utf-8")
    return python


def _wanted(name: str) -> str:
    text = REQUIREMENTS[name].read_text(encoding="utf-8") + " ".join(ALONE.get(name, ()))
    return hashlib.sha256(text.encode()).hexdigest()


def main() -> None:
    options = parser.parse_args()
    for name in REQUIREMENTS if "all" in options.name else options.name:
        print(f"{name}: {install(name)}", flush=True)


if __name__ == "__main__":
    main()
