"""One picture's label from a cold start: `tlkeras predict` beside keras.models.load_model.

    python -m benchmarks.cold_start [--rounds 9] [--smoke]

A small classifier on MobileNetV2 1.0 with its pretrained weights is trained and saved once; then
fresh processes take turns: `tlkeras predict RUN photo.jpg`, the same for eight pictures, a script
that loads RUN/model.keras, and `tlkeras --help`. CPU seconds are what counts: a process that waits
for the disk is slow once, one that computes is slow every time. Both must give the same label.
Writes benchmarks/results/cold_start.json with a plot beside it.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks.harness import Command, described, interleaved, published, run, table
from benchmarks.harness.machine import ROOT
from benchmarks.harness.pictures import DATA, MOBILENETV2, put_together
from benchmarks.harness.results import RESULTS

THEIRS, OURS = "keras.models.load_model", "tlkeras predict"
PICTURES = 120

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--data", type=Path, default=DATA, help="folder with datasets/ and weights/")
parser.add_argument("--rounds", type=int, default=9)
parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the result")
parser.add_argument("--smoke", action="store_true", help="one round")


def trained(data: Path, folder: Path) -> tuple[Path, list[Path]]:
    """A run folder with a small classifier in it, and the pictures it was trained on.

    Raises:
        SystemExit: it could not be trained; with what was said.
    """
    pictures, to = folder / "pictures", folder / "run"
    put_together(data, pictures, PICTURES)
    argv = [program(), "train", str(pictures), "--to", str(to), "--backbone", "MobileNetV2"]
    argv += ["--weights", str((data / MOBILENETV2).resolve()), "--force", "--json"]
    sample = run(Command("train", argv, {"TLKERAS_CACHE": str(folder / "cache")}))
    if sample.failure:
        raise SystemExit(f"tlkeras train: {sample.failure}")
    return to, sorted(pictures.rglob("*.jpg"))


def program() -> str:
    """The command line of the environment that runs this."""
    return str(Path(sys.executable).parent / "tlkeras")


def main() -> int:
    options = parser.parse_args()
    if options.smoke:
        options.rounds = 1
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        to, pictures = trained(options.data, folder)
        script = ROOT / "benchmarks" / "peers" / "keras_load_model.py"
        theirs = [sys.executable, str(script), str(to / "model.keras"), str(to / "labels.txt")]
        cache = {"TLKERAS_CACHE": str(folder / "cache")}
        several = [str(path) for path in pictures[:8]]
        predict = [program(), "predict", str(to)]
        commands = [
            Command(THEIRS, [*theirs, several[0]]),
            Command(OURS, [*predict, several[0], "--json"], cache),
            Command(f"{OURS}, 8 pictures", [*predict, *several, "--json"], cache),
            Command("tlkeras --help", [program(), "--help"], cache),
        ]
        for command in commands:  # read from disk once before it counts
            run(command)
        samples = interleaved(commands, options.rounds)
    name = "cold_start_smoke" if options.smoke else "cold_start"
    published(
        name,
        samples,
        reference=THEIRS,
        folder=options.out,
        machine=described(peak=False),
        settings={"plotted": "cpu_s", "backbone": "MobileNetV2 1.0, 224 px"},
    )
    print(table(samples, THEIRS))
    return int(any(sample.failure for rows in samples.values() for sample in rows))


if __name__ == "__main__":
    sys.exit(main())
