"""A script, run by its path: an ONNX file's answers to pixels, by NumPy and ONNX Runtime alone.

    python onnx.py FILE.onnx request.npz answers.npz

The request holds `pixels` float32 (n, size, size, 3). Everything that the file was made with is
barred, so that an answer proves that it needs none of it; the labels are those in the file. The
first picture goes alone and the rest in batches, so that the batch is seen to be open.
"""

import sys
from itertools import pairwise

BATCH = 16
BARRED = ("tensorflow", "keras", "onnx", "tlkeras", "converters")


def main(model: str, request: str, answers: str) -> None:
    """Each output by its name, and `label` string (n,), into `answers`."""
    for package in BARRED:
        sys.modules[package] = None  # type: ignore[assignment]
    import numpy as np
    import onnxruntime

    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    labels = np.array(session.get_modelmeta().custom_metadata_map["labels"].split("\n"), np.str_)
    names = [output.name for output in session.get_outputs()]
    with np.load(request) as stored:
        pixels = stored["pixels"]
    parts: dict[str, list[np.ndarray]] = {name: [] for name in names}
    edges = [0, 1, *range(1 + BATCH, len(pixels), BATCH), len(pixels)]
    for start, end in pairwise(edges):
        if start == end:
            continue
        for name, value in zip(names, session.run(names, {"images": pixels[start:end]})):  # noqa: B905
            parts[name].append(np.asarray(value))
    found = {name: np.concatenate(column) for name, column in parts.items()}
    found["label"] = labels[found["probabilities"].argmax(axis=1)]
    np.savez(answers, **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
