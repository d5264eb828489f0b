"""How long one picture takes, from its bytes to its label: p50 and p99 by way of serving.

    python -m benchmarks.serving_latency [--rounds 5] [--smoke]

A small classifier on MobileNetV2 1.0 with its pretrained weights is trained, saved and exported
once. Each way then runs in a process of its own, by turns, so that no other's waiting threads are
in its way: it loads, answers some requests to warm up, and then one request after another is timed,
reading and resizing the picture included. The percentiles are over the requests of all rounds, the
ratios are medians divided. Writes benchmarks/results/serving_latency.json with a plot beside it.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.cold_start import trained
from benchmarks.harness import Command, described, interleaved
from benchmarks.harness.machine import ROOT
from benchmarks.harness.pictures import DATA
from benchmarks.harness.processes import Sample
from benchmarks.harness.results import RESULTS, written

REFERENCE = "keras predict"
WARM_UP, REQUESTS, PICTURES = 20, 200, 20

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--data", type=Path, default=DATA, help="folder with datasets/ and weights/")
parser.add_argument("--rounds", type=int, default=5)
parser.add_argument("--requests", type=int, default=REQUESTS, help="timed in each round")
parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the result")
parser.add_argument("--smoke", action="store_true", help="a few requests, one round")
parser.add_argument("--way", help=argparse.SUPPRESS)
parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)

Answer = Callable[[bytes], int]
"""The bytes of a picture → the index of its label."""


def by_keras_predict(folder: Path) -> Answer:
    import keras

    model = keras.models.load_model(folder / "run" / "model.keras")
    return lambda file: int(model.predict(pixels_of(file), verbose=0).argmax())


def by_keras_call(folder: Path) -> Answer:
    import keras
    import numpy as np

    model = keras.models.load_model(folder / "run" / "model.keras")
    return lambda file: int(np.asarray(model(pixels_of(file), training=False)).argmax())


def by_savedmodel(folder: Path) -> Answer:
    import tensorflow as tf

    loaded = tf.saved_model.load(str(folder / "serve" / "1"))
    serve = loaded.signatures["serving_default"]
    return lambda file: int(
        serve(image_bytes=tf.constant([file]))["probabilities"].numpy().argmax()
    )


def by_tlkeras(folder: Path) -> Answer:
    import tlkeras as tl
    from tlkeras.progress import silent

    classifier = tl.ImageClassifier.load(folder / "run")
    return lambda file: int(classifier.predict(file, progress=silent).probabilities.argmax())


def by_onnxruntime(folder: Path) -> Answer:
    from tlkeras.features.engines.onnxruntime import onnxruntime_engine
    from tlkeras.threads import cores

    engine = onnxruntime_engine(folder / "run" / "model.onnx", streams=1, threads=cores())
    return lambda file: int(engine(pixels_of(file)).argmax())


def by_openvino(folder: Path) -> Answer:
    from tlkeras.features.engines.openvino import openvino_engine
    from tlkeras.threads import cores

    file = folder / "run" / "model.onnx"
    engine = openvino_engine(file, streams=1, threads=cores(), batch=1)
    return lambda picture: int(engine(pixels_of(picture)).argmax())


def pixels_of(file: bytes) -> Any:
    """One picture (1, 224, 224, 3) float32, as tlkeras reads it."""
    from tlkeras.data.pipeline import load_pixels

    return load_pixels(file, (224, 224))[None]


WAYS: dict[str, Callable[[Path], Answer]] = {
    REFERENCE: by_keras_predict,
    "keras call": by_keras_call,
    "SavedModel": by_savedmodel,
    "tlkeras predict": by_tlkeras,
    "run's ONNX, ONNX Runtime": by_onnxruntime,
    "run's ONNX, OpenVINO": by_openvino,
}


def worker(way: str, folder: Path, requests: int) -> dict[str, object]:
    """Milliseconds of each request, and the labels given, in this process."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    files = [path.read_bytes() for path in sorted((folder / "asked").iterdir())]
    answer = WAYS[way](folder)
    for number in range(min(WARM_UP, requests)):
        answer(files[number % len(files)])
    spent, labels = [], []
    for number in range(requests):
        started = time.perf_counter()
        label = answer(files[number % len(files)])
        spent.append(1000 * (time.perf_counter() - started))
        labels.append(label)
    return {"ms": [round(value, 3) for value in spent], "labels": labels[: len(files)]}


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that so large a share of them does not exceed.

    >>> percentile([4.0, 1.0, 3.0, 2.0], 0.5), percentile([4.0, 1.0, 3.0, 2.0], 0.99)
    (2.0, 4.0)
    """
    ordered = sorted(values)
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]


def rows_of(samples: dict[str, list[Sample]]) -> list[dict[str, object]]:
    """p50, p99 and least milliseconds by way, times less than the reference, same labels or not."""
    times: dict[str, list[list[float]]] = {
        way: [list(s.reported["ms"]) for s in rows if not s.failure]  # type: ignore[call-overload]
        for way, rows in samples.items()
    }
    labels = {way: rows[0].reported.get("labels") for way, rows in samples.items() if rows}
    base = [statistics.median(one) for one in times.get(REFERENCE, [])]
    found: list[dict[str, object]] = []
    for way, rounds in times.items():
        if not rounds:
            found.append({"way": way, "failed": samples[way][0].failure[-300:]})
            continue
        pooled = [value for one in rounds for value in one]
        middle = statistics.median(statistics.median(one) for one in rounds)
        found.append(
            {
                "way": way,
                "p50_ms": round(percentile(pooled, 0.5), 2),
                "p99_ms": round(percentile(pooled, 0.99), 2),
                "least_ms": round(min(pooled), 2),
                "times_less": round(statistics.median(base) / middle, 2) if base else None,
                "same_labels": labels[way] == labels.get(REFERENCE),
                "requests": len(pooled),
            }
        )
    return found


def prepared(data: Path, folder: Path) -> None:
    """run/, serve/1/ and asked/ in the folder."""
    import tlkeras as tl

    to, pictures = trained(data, folder)
    os.environ["TLKERAS_CACHE"] = str(folder / "cache")
    tl.ImageClassifier.load(to).export(folder / "serve" / "1")
    (folder / "asked").mkdir()
    for path in pictures[:: max(1, len(pictures) // PICTURES)][:PICTURES]:
        (folder / "asked" / path.name).write_bytes(path.read_bytes())


def main() -> int:
    options = parser.parse_args()
    if options.way == "prepare":
        prepared(options.data, options.folder)
        return 0
    if options.way:
        print(json.dumps(worker(options.way, options.folder, options.requests)))
        return 0
    if options.smoke:
        options.rounds, options.requests = 1, 20
    with tempfile.TemporaryDirectory() as folder:
        base = [sys.executable, "-m", "benchmarks.serving_latency", "--folder", folder]
        base += ["--data", str(options.data), "--requests", str(options.requests)]
        environment = {"TLKERAS_CACHE": f"{folder}/cache"}
        (made,) = interleaved(
            [Command("prepare", [*base, "--way", "prepare"], cwd=ROOT)], 1
        ).values()
        if made[0].failure:
            raise SystemExit(made[0].failure)
        commands = [Command(way, [*base, "--way", way], environment, cwd=ROOT) for way in WAYS]
        samples = interleaved(commands, options.rounds)
    rows = rows_of(samples)
    document = {
        "benchmark": "serving_latency",
        "machine": described(peak=False),
        "settings": {"rounds": options.rounds, "requests": options.requests},
        "unit": "milliseconds from bytes to label, p50",
        "bars": {str(row["way"]): row["p50_ms"] for row in rows if "p50_ms" in row},
        "rows": rows,
    }
    name = "serving_latency_smoke" if options.smoke else "serving_latency"
    written(document, options.out / f"{name}.json", plot=True)
    print("| way | p50 ms | p99 ms | least ms | times less | same labels |")
    print("|---|---:|---:|---:|---:|---|")
    for row in rows:
        if "failed" in row:
            print(f"| {row['way']} | failed: {str(row['failed']).splitlines()[-1]} | | | | |")
            continue
        keys = ("way", "p50_ms", "p99_ms", "least_ms", "times_less", "same_labels")
        print("| " + " | ".join(str(row[key]) for key in keys) + " |")
    return int(any("failed" in row for row in rows))


if __name__ == "__main__":
    sys.exit(main())
