"""One picture's label by an exported artefact and its runtime alone, from a cold process.

    python first_answer.py saved_model|onnx|litert ARTEFACT LABELS.txt PHOTO

Prints one JSON object, the label and its probability.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("kind", choices=["saved_model", "onnx", "litert"])
parser.add_argument("artefact", type=Path)
parser.add_argument("labels", type=Path, help="one label a line")
parser.add_argument("picture", type=Path)


def pixels(picture: Path, size: int) -> Any:
    """(1, size, size, 3) float32 RGB in [0, 255]."""
    import numpy as np
    from PIL import Image, ImageOps

    image = ImageOps.exif_transpose(Image.open(picture)).convert("RGB")
    small = image.resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(small, np.float32)[np.newaxis]


def by_saved_model(artefact: Path, picture: Path) -> Any:
    import tensorflow as tf

    serve = tf.saved_model.load(str(artefact)).signatures["serving_default"]
    return serve(image_bytes=tf.constant([picture.read_bytes()]))["probabilities"].numpy()


def by_onnx(artefact: Path, picture: Path) -> Any:
    import onnxruntime

    session = onnxruntime.InferenceSession(artefact, providers=["CPUExecutionProvider"])
    size = session.get_inputs()[0].shape[1]
    return session.run(["probabilities"], {"images": pixels(picture, size)})[0]


def by_litert(artefact: Path, picture: Path) -> Any:
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        from tensorflow.lite import Interpreter
    interpreter = Interpreter(model_path=str(artefact))
    run = interpreter.get_signature_runner()
    size = int(run.get_input_details()["images"]["shape"][1])
    return run(images=pixels(picture, size))["probabilities"]


KINDS: dict[str, Callable[[Path, Path], Any]] = {
    "saved_model": by_saved_model,
    "onnx": by_onnx,
    "litert": by_litert,
}


def main() -> None:
    options = parser.parse_args()
    scores = KINDS[options.kind](options.artefact, options.picture)[0]
    labels = options.labels.read_text(encoding="utf-8").splitlines()
    print(json.dumps({"label": labels[int(scores.argmax())], "probability": float(scores.max())}))


if __name__ == "__main__":
    main()
