"""Time a picture and peak memory as a folder grows: 1,000, 10,000, 100,000 pictures.

    python -m benchmarks.scale [--sizes 1000 10000 100000] [--rounds 3] [--smoke]

Small pictures that all differ are drawn once a size. Then fresh processes take turns, each with an
empty cache: open the folder (list, scan, find copies, split), check it, and extract embeddings
with MobileNetV2 through ONNX Runtime; and the folder and the embeddings once more, now known.
Linear time is the same microseconds a picture in every row, bounded memory the same peak.
Writes benchmarks/results/scale.json with a plot beside it.
"""

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks.harness import Command, Sample, described, interleaved, published, run, table
from benchmarks.harness.machine import ROOT
from benchmarks.harness.results import RESULTS

SIZES = (1_000, 10_000, 100_000)
CLASSES = 10
SIDE_PX = 48
NETWORK, NETWORK_PX = "MobileNetV2", 64  # as in the other benchmarks, at small pictures
STAGES = ("open", "check", "extract", "open again", "extract again")

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="pictures in a folder")
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--folder", type=Path, help="where the pictures lie or are drawn, to keep them")
parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the result")
parser.add_argument("--smoke", action="store_true", help="few pictures, one round")
parser.add_argument("--task", choices=("network", "draw", "measure"), help=argparse.SUPPRESS)
parser.add_argument("--network", type=Path, help=argparse.SUPPRESS)


def main() -> int:
    options = parser.parse_args()
    if options.task:
        TASKS[options.task](options)
        return 0
    if options.smoke:
        options.sizes, options.rounds = [60, 120], 1
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        network = Path(temporary) / "network.onnx"
        _must(_command("network", "network", network, []))
        for size in options.sizes:
            _must(_command("draw", f"{size:,} drawn", network, [size], folder))
        commands = [
            _command("measure", f"{size:,} pictures", network, [size], folder, Path(temporary))
            for size in options.sizes
        ]
        samples = interleaved(commands, options.rounds)
    first = commands[0].name
    stages = {name: _stages(found) for name, found in samples.items()}
    path = published(
        "scale",
        samples,
        reference=first,
        folder=options.out,
        machine=described(),
        settings={"plotted": "peak_mb", "microseconds_a_picture": stages},
        notes=[f"JPEGs of {SIDE_PX} x {SIDE_PX}, drawn; {NETWORK} at {NETWORK_PX} px"],
    )
    print(table(samples, first), *_text(stages), f"\n{path}", sep="\n")
    return int(any(sample.failure for found in samples.values() for sample in found))


def _command(
    task: str,
    name: str,
    network: Path,
    sizes: Sequence[int],
    folder: Path | None = None,
    caches: Path | None = None,
) -> Command:
    argv = [sys.executable, "-m", "benchmarks.scale", "--task", task, "--network", str(network)]
    argv += ["--sizes", *map(str, sizes)] if sizes else []
    argv += ["--folder", str(folder)] if folder else []
    return Command(name, argv, prepare=_fresh_cache(caches) if caches else None, cwd=ROOT)


def _fresh_cache(folder: Path) -> Callable[[], Mapping[str, str]]:
    def prepared() -> Mapping[str, str]:
        cache = folder / "cache"
        shutil.rmtree(cache, ignore_errors=True)
        return {"TLKERAS_CACHE": str(cache)}

    return prepared


def _must(command: Command) -> None:
    sample = run(command)
    if sample.failure:
        raise SystemExit(f"{command.name}: {sample.failure}")


def _stages(samples: Sequence[Sample]) -> dict[str, float]:
    """Median microseconds a picture of each stage and of the first three, wall and CPU."""
    good = [sample.reported for sample in samples if not sample.failure]
    if not good:
        return {}
    found = {
        stage + kind: round(statistics.median(float(str(one[stage + kind])) for one in good), 1)
        for kind in ("", ", CPU")
        for stage in STAGES
    }
    for kind in ("", ", CPU"):
        found["first time" + kind] = round(sum(found[name + kind] for name in STAGES[:3]), 1)
    return found


def _text(stages: Mapping[str, Mapping[str, float]]) -> list[str]:
    lines = ["", "microseconds a picture"]
    for name, found in stages.items():
        lines.append(f"{name}: " + ", ".join(f"{stage} {us:.0f}" for stage, us in found.items()))
    return lines


def write_network(options: argparse.Namespace) -> None:
    import converters
    from tlkeras.backbones.build import build
    from tlkeras.backbones.catalogue import find

    model = build(find(NETWORK), weights=None, size_px=NETWORK_PX)
    converters.keras_to_onnx(model, options.network)


def draw(options: argparse.Namespace) -> None:
    """Class folders of pictures that differ, like photographs: the coarser, the stronger."""
    from multiprocessing import Pool

    (size,) = options.sizes
    folder = _folder(options)
    if folder.is_dir():
        return
    rough = folder.with_name(folder.name + ".tmp")
    for label in range(CLASSES):
        (rough / f"class{label}").mkdir(parents=True, exist_ok=True)
    with Pool() as pool:
        pool.starmap(
            _draw_some, [(rough, start, min(start + 200, size)) for start in range(0, size, 200)]
        )
    os.replace(rough, folder)


def _draw_some(folder: Path, start: int, stop: int) -> None:
    import numpy as np
    from PIL import Image

    for number in range(start, stop):
        rng = np.random.default_rng(number)
        levels = np.full((SIDE_PX, SIDE_PX, 3), rng.uniform(60, 190), np.float32)
        for cells, strength in ((2, 40), (3, 30), (6, 20), (12, 12), (24, 8)):
            light = rng.normal(0, 0.8 * strength, (cells, cells, 1))
            colour = rng.normal(0, 0.5 * strength, (cells, cells, 3))
            coarse = (light + colour).astype(np.float32)
            for channel in range(3):
                plane = Image.fromarray(np.ascontiguousarray(coarse[..., channel]))
                smooth = plane.resize((SIDE_PX, SIDE_PX), Image.Resampling.BICUBIC)
                levels[..., channel] += np.asarray(smooth)
        path = folder / f"class{number % CLASSES}" / f"{number:06}.jpg"
        Image.fromarray(levels.clip(0, 255).astype(np.uint8)).save(path, quality=90)
        # The scan keeps nothing of a file that changed a moment ago.
        os.utime(path, (1_700_000_000, 1_700_000_000))


def measure(options: argparse.Namespace) -> None:
    """Print microseconds a picture of each stage, wall and CPU, and the peak memory after it."""
    import numpy as np

    from tlkeras.data.folder import ImageFolder
    from tlkeras.features.engines.onnxruntime import onnxruntime_engine
    from tlkeras.features.extract import Extractor

    reported: dict[str, object] = {"pictures": options.sizes[0]}

    def extracted(data: ImageFolder) -> None:
        extract = Extractor(lambda pictures: engine, NETWORK_PX, width=width, key="scale")
        for part in (data.train, data.validation, data.test):
            extract(part.pictures)

    def done(stage: str) -> None:
        nonlocal began, cpu
        reported[stage] = round((time.perf_counter() - began) / options.sizes[0] * 1e6, 2)
        reported[f"{stage}, CPU"] = round((time.process_time() - cpu) / options.sizes[0] * 1e6, 2)
        reported[f"{stage}, peak MB"] = round(_peak_mb(), 1)
        began, cpu = time.perf_counter(), time.process_time()

    began, cpu = time.perf_counter(), time.process_time()
    for again in ("", " again"):
        data = None  # not two of them at once
        data = ImageFolder(_folder(options))
        done("open" + again)
        if not again:
            data.check()
            done("check")
            # Here, as in training: the folder is opened before there is an engine. Its start is
            # the same for any number of pictures, and belongs to none of the stages.
            engine = onnxruntime_engine(options.network)
            blank = np.zeros((engine.batch, NETWORK_PX, NETWORK_PX, 3), np.float32)
            width = engine(blank).shape[1]
            began, cpu = time.perf_counter(), time.process_time()
        extracted(data)
        done("extract" + again)
    print(json.dumps(reported))


def _peak_mb() -> float:
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def _folder(options: argparse.Namespace) -> Path:
    return Path(options.folder) / f"{options.sizes[0]}_pictures"


TASKS = {"network": write_network, "draw": draw, "measure": measure}

if __name__ == "__main__":
    sys.exit(main())
