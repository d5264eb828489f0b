"""Pictures a second through each engine, beside a compiled tf.function and the machine's limit.

    python -m benchmarks.extraction [--network ResNet50] [--rounds 5] [--smoke]

One process a network. In it the engines and the matrix products of NumPy, TensorFlow and OpenVINO
take turns, each with all cores; medians over the rounds count. `times` is against the tf.function
of the same network, at the batch that suits it better of 8 and 32. `of_peak` is the share of the
fastest matrix product of the same precision: (2 x multiplications of the network's convolutions
and dense layers x pictures/s) / its FLOP/s. Above 1 is possible where an engine needs fewer
multiplications than the layers have (Winograd).

MobileNetV2 has its pretrained weights; the others are untrained, their BatchNormalization set by
real pictures. Writes benchmarks/results/extraction.json with a plot beside it.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.harness.machine import ROOT, described
from benchmarks.harness.pictures import DATA, MOBILENETV2
from benchmarks.harness.results import RESULTS, written

if TYPE_CHECKING:
    import keras
    import numpy as np

NETWORKS = ("MobileNetV2", "ResNet50", "VGG16", "EfficientNetV2B0", "ConvNeXtTiny")
REFERENCE = "tf.function"
BATCHES = (8, 32)  # of the tf.function
PRODUCTS = ("numpy", "tensorflow", "openvino")
PICTURES = 32

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--data", type=Path, default=DATA, help="folder with datasets/ and weights/")
parser.add_argument("--network", action="append", choices=NETWORKS, help="repeatable; all")
parser.add_argument("--rounds", type=int, default=5)
parser.add_argument("--seconds", type=float, default=2.0, help="of one engine's turn")
parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the result")
parser.add_argument("--smoke", action="store_true", help="one network, one short round")
parser.add_argument("--worker", choices=NETWORKS, help=argparse.SUPPRESS)


def measured(name: str, options: argparse.Namespace) -> dict[str, object]:
    """The rows of one network, in this process."""
    pixels = pictures(options.data)
    model = network(name, options.data, pixels)
    with tempfile.TemporaryDirectory() as folder:
        contenders, differences, failed = engines(model, pixels, Path(folder))
        rates: dict[str, list[float]] = {key: [] for key in contenders}
        peaks: dict[str, list[float]] = {}
        products = matrix_products()
        for number in range(options.rounds):
            for key in _turned(list(contenders), number):
                call, streams, batch = contenders[key]
                rates[key].append(throughput(call, pixels, streams, batch, options.seconds))
            for key, product in products.items():
                peaks.setdefault(key, []).append(_gflops(product, options.seconds / 4))
    return _rows(name, flops(model), rates, differences, peaks, failed)


Contender = tuple[Callable[["np.ndarray"], "np.ndarray"], int, int]


def engines(
    model: "keras.Model", pixels: "np.ndarray", folder: Path
) -> tuple[dict[str, Contender], dict[str, float], dict[str, str]]:
    """(call, streams, batch) of every engine there is, how far it is from Keras, what failed."""
    import numpy as np

    import converters
    from tlkeras.features.engines.litert import litert_engine
    from tlkeras.features.engines.onnxruntime import onnxruntime_engine
    from tlkeras.features.engines.openvino import openvino_engine
    from tlkeras.features.engines.tensorflow import compiled, tensorflow_engine
    from tlkeras.features.engines.trunk import trunk

    size = pixels.shape[1]
    cut = trunk(model, size)
    onnx, tflite = folder / "network.onnx", folder / "network.tflite"
    plain = compiled(cut, size)
    expected = plain(pixels[:8])
    found: dict[str, Contender] = {
        f"{REFERENCE}, batch {batch}": (plain, 1, batch) for batch in BATCHES
    }
    makers: Mapping[str, Callable[[], Any]] = {
        "tensorflow": lambda: tensorflow_engine(model, size),
        "onnxruntime": lambda: onnxruntime_engine(converters.keras_to_onnx(cut, onnx)),
        "openvino": lambda: openvino_engine(onnx),
        "openvino bfloat16": lambda: openvino_engine(onnx, precision="bfloat16"),
        "litert": lambda: litert_engine(converters.keras_to_litert(cut, tflite)),
    }
    differences, failed = {}, {}
    for key, make in makers.items():
        try:
            engine = make()
            got = engine(pixels[:8])
        except Exception as error:  # whatever one engine lacks, the others are measured
            failed[key] = f"{type(error).__name__}: {str(error)[:200]}"
            continue
        found[key] = (engine, engine.streams, engine.batch)
        differences[key] = float(np.abs(got - expected).max() / np.abs(expected).max())
    return found, differences, failed


def network(name: str, data: Path, pixels: "np.ndarray") -> "keras.Model":
    """The backbone, pretrained where its weights are at hand, else set by real pictures."""
    import keras

    from tlkeras.backbones.build import build
    from tlkeras.backbones.catalogue import find

    if name == "MobileNetV2":
        return build(find(name), data / MOBILENETV2)
    model = build(find(name), None, seed=1)
    norms = [x for x in model._flatten_layers() if isinstance(x, keras.layers.BatchNormalization)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    model(pixels[:16], training=True)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    return model


def pictures(data: Path, size: int = 224) -> "np.ndarray":
    """Real pictures (32, size, size, 3) float32 in [0, 255]."""
    import numpy as np
    from PIL import Image

    rows = []
    for path in sorted((data / "datasets" / "imagenet_sample_100").glob("*.JPEG"))[:PICTURES]:
        with Image.open(path) as picture:
            rows.append(np.asarray(picture.convert("RGB").resize((size, size)), "float32"))
    return np.stack(rows)


def throughput(
    call: Callable[["np.ndarray"], "np.ndarray"],
    pixels: "np.ndarray",
    streams: int,
    batch: int,
    seconds: float,
) -> float:
    """Pictures a second with every stream busy, the first call of each not counted."""
    rows = [pixels[at : at + batch] for at in range(0, len(pixels) - batch + 1, batch)]
    rates: list[float] = []

    def work() -> None:
        call(rows[0])
        done, started = 0, time.perf_counter()
        while (spent := time.perf_counter() - started) < seconds or not done:
            call(rows[done % len(rows)])
            done += 1
        rates.append(done * batch / spent if spent else 0.0)

    threads = [threading.Thread(target=work) for _ in range(streams)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(rates)


def flops(model: "keras.Model") -> float:
    """Two for each multiplication of a picture in convolutions and dense layers."""
    import keras
    import numpy as np

    total = 0
    for layer in model._flatten_layers(include_self=False):
        kernel = getattr(layer, "kernel", getattr(layer, "depthwise_kernel", None))
        if kernel is None or not layer._inbound_nodes:
            continue
        out = layer.output.shape[1:]
        places = int(np.prod([side for side in out[:-1]])) if len(out) > 1 else 1
        if isinstance(layer, keras.layers.SeparableConv2D):
            raise NotImplementedError("a separable layer has two kernels")
        total += 2 * places * int(np.prod(kernel.shape))
    return float(total)


def matrix_products() -> dict[str, Callable[[], object]]:
    """Products that show the limit, by "precision library", of what is installed."""
    from benchmarks.harness.peak import CONTENDERS

    found = {}
    for key, (package, make) in CONTENDERS.items():
        if package not in PRODUCTS:
            continue
        try:
            found[key] = make()
            found[key]()
        except Exception:  # a precision that the processor or the library lacks
            found.pop(key, None)
    return found


def _gflops(product: Callable[[], object], seconds: float) -> float:
    from benchmarks.harness.peak import rate

    return rate(product, seconds)


def _turned(keys: list[str], number: int) -> list[str]:
    first = number % len(keys)
    return [*keys[first:], *keys[:first]]


def _rows(
    name: str,
    needs: float,
    rates: Mapping[str, list[float]],
    differences: Mapping[str, float],
    peaks: Mapping[str, list[float]],
    failed: Mapping[str, str],
) -> dict[str, object]:
    plain = max(statistics.median(rates[f"{REFERENCE}, batch {batch}"]) for batch in BATCHES)
    limits = {
        precision: max(
            (statistics.median(v) for key, v in peaks.items() if key.startswith(precision)),
            default=0.0,
        )
        for precision in ("float32", "bfloat16")
    }
    rows = []
    for key, values in rates.items():
        precision = "bfloat16" if key.endswith("bfloat16") else "float32"
        median = statistics.median(values)
        rows.append(
            {
                "engine": key,
                "precision": precision,
                "pictures_per_s": round(median, 2),
                "times": round(median / plain, 3),
                "of_peak": round(needs * median / 1e9 / limits[precision], 3)
                if limits[precision]
                else None,
                "difference": differences.get(key),
                "runs": [round(value, 2) for value in values],
            }
        )
    return {
        "network": name,
        "gflop_per_picture": round(needs / 1e9, 3),
        "peak_gflops": {key: round(statistics.median(v), 1) for key, v in peaks.items()},
        "rows": rows,
        "failed": dict(failed),
    }


def main() -> int:
    options = parser.parse_args()
    if options.worker:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        print(json.dumps(measured(options.worker, options)))
        return 0
    names = options.network or NETWORKS
    if options.smoke:
        names, options.rounds, options.seconds = names[:1], 1, 0.2
    document: dict[str, Any] = {
        "benchmark": "extraction",
        "machine": described(peak=False),
        "settings": {"rounds": options.rounds, "seconds": options.seconds},
        "unit": f"times the pictures a second of {REFERENCE}",
        "bars": {},
        "networks": [],
    }
    status = 0
    for name in names:
        command = [sys.executable, "-m", "benchmarks.extraction", "--worker", name]
        command += ["--data", str(options.data), "--rounds", str(options.rounds)]
        command += ["--seconds", str(options.seconds)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"{name} failed:\n{done.stderr[-2000:]}", file=sys.stderr)
            status = 1
            continue
        found = json.loads(done.stdout.strip().splitlines()[-1])
        document["networks"].append(found)
        fit = [row for row in found["rows"] if not row["engine"].startswith(REFERENCE)]
        document["bars"].update({f"{name}, {row['engine']}": row["times"] for row in fit})
        print(page(found), flush=True)
        file = "extraction_smoke.json" if options.smoke else "extraction.json"
        written(document, options.out / file, plot=name == names[-1])
    return status


def page(found: Mapping[str, Any]) -> str:
    """One network's rows as a Markdown table."""
    peaks = ", ".join(f"{key} {value:.0f}" for key, value in found["peak_gflops"].items())
    lines = [
        f"\n{found['network']}: {found['gflop_per_picture']} GFLOP a picture; GFLOP/s: {peaks}",
        "| engine | pictures/s | times | of peak | from Keras |",
        "|---|---:|---:|---:|---:|",
    ]
    for row in found["rows"]:
        of_peak = "" if row["of_peak"] is None else f"{row['of_peak']:.0%}"
        apart = "" if row["difference"] is None else f"{row['difference']:.1e}"
        lines.append(
            f"| {row['engine']} | {row['pictures_per_s']} | {row['times']:.2f} "
            f"| {of_peak} | {apart} |"
        )
    lines += [f"failed: {key}: {why}" for key, why in found["failed"].items()]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
