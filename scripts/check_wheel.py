"""What is in the wheel, and that it works from there: python scripts/check_wheel.py [--try] WHEEL.

    wheel ─ names, sizes, metadata ─▶ findings
      └── --try ─▶ fresh environment, empty home ─▶ version, backbones, a training on drawn pictures

Exit status 1 and a line a finding. `make wheel` builds one and runs all of it.
"""

import argparse
import email
import os
import re
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parents[1]
MOST_MB = 8
PACKAGES = ("tlkeras", "converters")
NEEDED = (
    "tlkeras/py.typed",
    "converters/py.typed",
    "tlkeras/backbones/pretrained/catalogue.csv",
    "tlkeras/backbones/pretrained/tiny_resnet.md",
    "tlkeras/backbones/pretrained/tiny_resnet.weights.h5",
)
DRAW = """
import sys
from pathlib import Path
import numpy as np
from PIL import Image
rng = np.random.default_rng(0)
for name, colour in (("red", (200, 40, 40)), ("blue", (40, 40, 200))):
    folder = Path(sys.argv[1], name)
    folder.mkdir(parents=True)
    for number in range(20):
        pixels = np.clip(rng.normal(colour, 40, (48, 64, 3)), 0, 255).astype("uint8")
        Image.fromarray(pixels).save(folder / f"{number:02}.png")
"""


def main() -> int:
    """Print the findings; 1 if there are any."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--try", action="store_true", dest="tried", help="install and use it")
    chosen = parser.parse_args()
    found = findings(chosen.wheel)
    for finding in found:
        print(f"{chosen.wheel.name}: {finding}")
    if not found:
        print(f"{chosen.wheel.name}: {chosen.wheel.stat().st_size / 1e6:.1f} MB, as it should be")
    if chosen.tried and not found:
        with tempfile.TemporaryDirectory() as room:
            found = use(chosen.wheel.resolve(), Path(room))
    return 1 if found else 0


def findings(wheel: Path) -> list[str]:
    """What is missing, what should not be there, and what the metadata has wrong."""
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/")]
        info = next(name for name in names if name.endswith(".dist-info/METADATA"))
        said = email.message_from_bytes(archive.read(info))
    found = [f"{name} is missing" for name in (*NEEDED, *_sources()) if name not in names]
    for name in names:
        top = PurePosixPath(name).parts[0]
        foreign = top not in PACKAGES and not top.endswith(".dist-info")
        if foreign or re.search(r"(^|/)(tests?|notebooks|__pycache__)/|\.(pyc|ipynb)$", name):
            found.append(f"{name} does not belong in it")
    megabytes = wheel.stat().st_size / 1e6
    if megabytes >= MOST_MB:
        found.append(f"{megabytes:.1f} MB, expected less than {MOST_MB}")
    version = version_of_project()
    if said["Version"] != version:
        found.append(f"version {said['Version']}, expected {version} of pyproject.toml")
    if not said.get_payload().startswith("# tlkeras"):
        found.append("the README is not its description")
    return found


def version_of_project() -> str:
    """The version, from its one place."""
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"])


def _sources() -> list[str]:
    return [
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
    ]


def use(wheel: Path, room: Path) -> list[str]:
    """What went wrong when the wheel was installed and used, in an environment of its own."""
    environment = room / "environment"
    python = environment / "bin" / "python"
    home = room / "home"
    home.mkdir()
    clean = {"HOME": str(home), "PATH": f"{environment / 'bin'}:/usr/bin:/bin"}
    installing = dict(os.environ)  # how a machine reaches its package index is its own business
    # Compiled when imported: of most files that are installed no command needs the bytecode.
    install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    tested = ["--constraint", str(ROOT / "constraints.txt")]
    run = "runs/colours"
    steps: list[tuple[list[str], dict[str, str]]] = [
        ([sys.executable, "-m", "venv", str(environment)], installing),
        ([str(python), *install, *tested, str(wheel)], installing),
        (["tlkeras", "--version"], clean),
        (["tlkeras", "backbones", "tiny"], clean),
        ([str(python), "-c", DRAW, "colours"], clean),
        (["tlkeras", "train", "colours", "--backbone", "TinyResNet", "--to", run], clean),
        (["tlkeras", "predict", run, "colours/red/00.png"], clean),
        (["tlkeras", "export", run, "serve/colours/1"], clean),
    ]
    for command, variables in steps:
        program = environment / "bin" / command[0]
        full = [str(program) if program.exists() else command[0], *command[1:]]
        done = subprocess.run(
            full, cwd=room, env=variables, capture_output=True, text=True, check=False
        )
        print(f"$ {' '.join(word if word != DRAW else '…' for word in command)}")
        print(done.stdout.strip()[-600:])
        if done.returncode:
            print(done.stderr.strip()[-2000:])
            return [f"{command[0]} ended with {done.returncode}"]
    return []


if __name__ == "__main__":
    sys.exit(main())
