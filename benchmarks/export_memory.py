"""Peak memory of an export to ONNX: ours, and tf2onnx's where it fits into the machine.

    python benchmarks/export_memory.py [--model VGG16] [--tf2onnx]

Each export runs in a process of its own, which reports its own peak; `built` is the peak once
TensorFlow is loaded and the model stands, before anything is exported. `proven` is what
`clf.export(format="onnx")` does: written, and asked for pictures in a fresh process, whose own
memory is not in these figures. --tf2onnx adds the same model by tf2onnx; not for VGG16, where that
takes about 18 GB.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

TOO_LARGE = ("VGG16", "VGG19")

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--model", default="VGG16", help="a name in keras.applications")
parser.add_argument("--tf2onnx", action="store_true", help="the same by tf2onnx")
parser.add_argument(
    "--route", choices=["written", "verified", "proven", "tf2onnx"], help=argparse.SUPPRESS
)


def peak_mb() -> float:
    """The most this process has had in memory so far."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def measure(name: str, route: str) -> dict[str, float]:
    """Peaks in MB and the seconds of one export in this process."""
    import keras

    model = getattr(keras.applications, name)(weights=None)
    built, started = peak_mb(), time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        export(model, Path(folder, "model.onnx"), route)
        size = Path(folder, "model.onnx").stat().st_size / 2**20
    seconds = time.perf_counter() - started
    return {"built": built, "peak": peak_mb(), "seconds": seconds, "file": size}


def export(model: Any, path: Path, route: str) -> None:
    """The file, by one of the routes."""
    if route == "proven":
        prove(model, path)
        return
    if route != "tf2onnx":
        from converters.keras_to_onnx import keras_to_onnx

        keras_to_onnx(model, path, fallback=False, verify=route == "verified")
        return
    import tensorflow as tf
    import tf2onnx

    signature = [tf.TensorSpec((None, *model.input_shape[1:]), tf.float32)]
    function = tf.function(lambda x: model(x, training=False), input_signature=signature)
    tf2onnx.convert.from_function(
        function, input_signature=signature, opset=17, output_path=str(path)
    )


def prove(model: Any, path: Path) -> None:
    """The file as a classifier is exported: seen to answer pictures in a fresh process."""
    from types import SimpleNamespace

    from tlkeras.export.formats.shown import Shown
    from tlkeras.export.formats.table import write
    from tlkeras.export.samples import sample_pictures

    size_px, classes = int(model.input_shape[1]), int(model.output_shape[-1])
    bundle = SimpleNamespace(
        model=model,
        class_names=tuple(f"class {column}" for column in range(classes)),
        backbone={"name": model.name, "size_px": size_px},
        network=SimpleNamespace(unknown=None),
    )

    def answers(pixels: Any) -> Any:
        return model.predict_on_batch(pixels)

    pictures = sample_pictures(size_px)
    write(
        bundle, "onnx", path, Shown(size_px, pictures, answers, answers, lambda: None, lambda: None)
    )


def main() -> None:
    options = parser.parse_args()
    if options.route:
        print(json.dumps(measure(options.model, options.route)))
        return
    if options.tf2onnx and options.model in TOO_LARGE:
        parser.error(f"tf2onnx takes more memory for {options.model} than most machines have")
    print(f"{options.model:22} {'built':>9} {'peak':>9} {'file':>9} {'time':>8}")
    for route in ["written", "verified", "proven", *(["tf2onnx"] if options.tf2onnx else [])]:
        command = [sys.executable, __file__, "--model", options.model, "--route", route]
        told = subprocess.run(command, capture_output=True, text=True, check=True)
        found = json.loads(told.stdout.splitlines()[-1])
        print(
            f"{route:22} {found['built']:6.0f} MB {found['peak']:6.0f} MB "
            f"{found['file']:6.0f} MB {found['seconds']:6.1f} s"
        )


if __name__ == "__main__":
    main()
