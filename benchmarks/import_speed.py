"""Import of one ONNX file: ours beside onnx2tf's, in seconds and in memory.

    python benchmarks/import_speed.py [--onnx resnet50.onnx] [--rounds 3]

Each import runs in a process of its own, which has loaded its framework before the clock starts.
Ours is the whole import: reading, building, comparison with ONNX Runtime at two batch sizes, and
a gradient for every weight; `unverified` is the same without the last two. onnx2tf writes nothing
(`disable_model_save`, its other settings as they are) and compares nothing.
`more` is the peak above what the process had before the import, in sizes of the file's weights.
Without --onnx, a ResNet-50 of the import zoo is exported first (needs torch and timm).
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROUTES = ("converters", "unverified", "onnx2tf")

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--onnx", type=Path, help="the file to import")
parser.add_argument("--rounds", type=int, default=3, help="how often each is run, by turns")
parser.add_argument("--route", choices=ROUTES, help=argparse.SUPPRESS)


def peak_mb() -> float:
    """The most this process has had in memory so far."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def measure(path: Path, route: str) -> dict[str, float]:
    """Seconds and megabytes of one import in this process."""
    import keras
    import numpy as np
    import onnxruntime  # noqa: F401 - loaded before the clock starts

    keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])(np.zeros((1, 4), np.float32))
    convert = by_onnx2tf() if route == "onnx2tf" else by_converters(route == "converters")
    before, started, cpu = peak_mb(), time.perf_counter(), time.process_time()
    convert(path)
    return {
        "seconds": time.perf_counter() - started,
        "cpu": time.process_time() - cpu,
        "more": peak_mb() - before,
    }


def by_converters(verify: bool) -> Callable[[Path], object]:
    import converters

    return lambda path: converters.onnx_to_keras(path, verify=verify)


def by_onnx2tf() -> Callable[[Path], object]:
    import onnx2tf

    def convert(path: Path) -> None:
        onnx2tf.convert(
            input_onnx_file_path=str(path),
            disable_model_save=True,
            non_verbose=True,
        )

    return convert


def resnet50(folder: Path) -> Path:
    """A ResNet-50 with BatchNorm, exported by torch."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from benchmarks.import_zoo.export import exported
    from benchmarks.import_zoo.networks import NETWORKS

    return exported(NETWORKS["resnet50"], "torchscript", folder)


def child(path: Path, route: str) -> dict[str, float]:
    """What `measure` finds in a fresh process."""
    command = [sys.executable, __file__, "--onnx", str(path), "--route", route]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
    if done.returncode:
        raise SystemExit(f"{route} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def main() -> None:
    options = parser.parse_args()
    if options.route:
        print(json.dumps(measure(options.onnx, options.route)))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = (options.onnx or resnet50(Path(folder))).resolve()
        weights_mb = path.stat().st_size / 2**20
        found: dict[str, list[dict[str, float]]] = {route: [] for route in ROUTES}
        for _ in range(options.rounds):
            for route, rows in found.items():
                rows.append(child(path, route))
    print(f"{path.name}: {weights_mb:.0f} MB of weights, median of {options.rounds}")
    seconds = {}
    for route, rows in found.items():
        medians = {key: statistics.median(row[key] for row in rows) for key in rows[0]}
        seconds[route] = medians["seconds"]
        print(
            f"{route:<11} {medians['seconds']:6.1f} s   CPU {medians['cpu']:6.1f} s   "
            f"more {medians['more']:6.0f} MB = {medians['more'] / weights_mb:.1f} x weights"
        )
    for route in ROUTES[:2]:
        print(f"{route} / onnx2tf: {seconds[route] / seconds['onnx2tf']:.2f} of its seconds")


if __name__ == "__main__":
    main()
