"""A script, run by its path: a SavedModel's answers to a file of pictures, by TensorFlow alone.

    python serve_once.py SAVED_MODEL request.npz answers.npz

The request holds `data` uint8 (all bytes in a row) and `lengths` int64 (n,). Keras is barred,
so that an answer proves that plain TensorFlow serves the folder. It imports nothing of tlkeras.
"""

import sys

BATCH = 16
BROKEN = b"not a picture"


def main(model: str, request: str, answers: str) -> None:
    """Answers of `serving_default`, a deliberately broken row amid each batch, into `answers`."""
    sys.modules["keras"] = None  # type: ignore[assignment]
    import numpy as np
    import tensorflow as tf

    with np.load(request) as stored:
        ends = np.cumsum(stored["lengths"])
        pictures = [bytes(part) for part in np.split(stored["data"], ends[:-1])]
    serve = tf.saved_model.load(model).signatures["serving_default"]
    names = ("label", "probabilities", "ok", "unknown_score", "unknown")
    parts: dict[str, list[np.ndarray]] = {
        name: [] for name in names if name in serve.structured_outputs
    }
    marked = True
    for start in range(0, len(pictures), BATCH):
        rows = pictures[start : start + BATCH]
        middle = len(rows) // 2
        answer = serve(image_bytes=tf.constant([*rows[:middle], BROKEN, *rows[middle:]]))
        broken = {name: answer[name].numpy()[middle] for name in parts}
        marked &= not broken["ok"] and broken["label"] == b"" and not broken["probabilities"].any()
        for name, column in parts.items():
            column.append(np.delete(answer[name].numpy(), middle, axis=0))
    found = {name: np.concatenate(column) for name, column in parts.items()}
    text = np.array([one.decode("utf-8") for one in found.pop("label").tolist()], dtype=np.str_)
    np.savez(answers, label=text, marked=np.array(marked), **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
