"""One picture's label from a cold process: the Keras model beside what it was exported to.

    python -m benchmarks.first_prediction [--rounds 7] [--smoke]

A small classifier on MobileNetV2 1.0 with its pretrained weights is trained and exported once; then
fresh processes take turns: a script that loads RUN/model.keras, and one that loads the SavedModel,
the ONNX file or the LiteRT file with the runtime of that alone. All have to give the same label.
Writes benchmarks/results/first_prediction.json with a plot beside it.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from benchmarks.cold_start import program, trained
from benchmarks.harness import Command, Sample, described, interleaved, published, ratios, table
from benchmarks.harness import run as measured
from benchmarks.harness.machine import ROOT
from benchmarks.harness.pictures import DATA
from benchmarks.harness.results import RESULTS

KERAS = "Keras model"
ARTEFACTS = {"saved_model": "SavedModel", "onnx": "ONNX", "litert": "LiteRT"}
SOONER = 10
"""How many times sooner ONNX or LiteRT has to answer than the Keras model."""

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--data", type=Path, default=DATA, help="folder with datasets/ and weights/")
parser.add_argument("--rounds", type=int, default=7)
parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the result")
parser.add_argument("--smoke", action="store_true", help="one round")


def exported(run: Path, folder: Path) -> dict[str, Path]:
    """Each artefact of a run folder, by the command line.

    Raises:
        SystemExit: one could not be exported; with what was said.
    """
    argv = [program(), "export", str(run), str(folder), "--to", ",".join(ARTEFACTS), "--json"]
    sample = measured(Command("export", argv))
    if sample.failure:
        raise SystemExit(f"tlkeras export: {sample.failure}")
    rows = sample.reported or {}
    found = {"saved_model": folder / "saved_model" / "1"}
    found |= {"onnx": folder / f"{run.name}.onnx", "litert": folder / f"{run.name}.tflite"}
    missing = [str(path.name) for path in found.values() if not path.exists()]
    if missing:
        raise SystemExit(f"tlkeras export wrote no {', '.join(missing)}: {rows}")
    return found


def same_label(samples: dict[str, list[Sample]]) -> bool:
    """Whether every process gave one and the same label."""
    given = {str(row.reported.get("label")) for rows in samples.values() for row in rows}
    return len(given) == 1


def commands(run: Path, artefacts: dict[str, Path], picture: Path) -> list[Command]:
    """The processes that take turns."""
    peers = ROOT / "benchmarks" / "peers"
    tail = [str(run / "labels.txt"), str(picture)]
    keras = [sys.executable, str(peers / "keras_load_model.py"), str(run / "model.keras"), *tail]
    once = [sys.executable, str(peers / "first_answer.py")]
    return [
        Command(KERAS, keras),
        *(
            Command(ARTEFACTS[kind], [*once, kind, str(path), *tail])
            for kind, path in artefacts.items()
        ),
    ]


def notes() -> Sequence[str]:
    """What has to be known to read the figures."""
    if find_spec("ai_edge_litert") is not None:
        return ["LiteRT by the package ai-edge-litert."]
    return ["LiteRT by the interpreter in TensorFlow, which is loaded first: no ai-edge-litert."]


def main() -> int:
    options = parser.parse_args()
    if options.smoke:
        options.rounds = 1
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        run, pictures = trained(options.data, folder)
        turns = commands(run, exported(run, folder / "artefacts"), pictures[0])
        for command in turns:  # read from disk once before it counts
            measured(command)
        samples = interleaved(turns, options.rounds)
    published(
        "first_prediction_smoke" if options.smoke else "first_prediction",
        samples,
        reference=KERAS,
        folder=options.out,
        machine=described(peak=False),
        settings={"plotted": "wall_s", "backbone": "MobileNetV2 1.0, 224 px", "needed": SOONER},
        notes=notes(),
    )
    print(table(samples, KERAS))
    times = ratios(samples, KERAS)
    soonest = max(times[name]["wall_s"] for name in ("ONNX", "LiteRT") if name in times)
    print(f"ONNX or LiteRT answers {soonest:.1f} times sooner than the Keras model.")
    failed = any(sample.failure for rows in samples.values() for sample in rows)
    return int(failed or not same_label(samples) or soonest < SOONER)


if __name__ == "__main__":
    sys.exit(main())
