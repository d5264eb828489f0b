"""A script, run by its path: a SavedModel's answers to a file of pictures, by TensorFlow alone.

    python serve_once.py SAVED_MODEL request.npz answers.npz

The request holds `data` uint8 (all bytes in a row) and `lengths` int64 (n,). Keras is barred,
so that an answer proves that plain TensorFlow serves the folder. It imports nothing of tlkeras.
The warm-up requests in the folder are answered too, since a server that fails at one of them does
not start.
"""

import sys
from collections.abc import Callable, Mapping

BATCH = 16
BROKEN = b"not a picture"
WARMUP = "assets.extra/tf_serving_warmup_requests"


def main(model: str, request: str, answers: str) -> None:
    """Answers of `serving_default`, a deliberately broken row amid each batch, into `answers`."""
    sys.modules["keras"] = None  # type: ignore[assignment]
    import numpy as np
    import tensorflow as tf

    with np.load(request) as stored:
        ends = np.cumsum(stored["lengths"])
        pictures = [bytes(part) for part in np.split(stored["data"], ends[:-1])]
    loaded = tf.saved_model.load(model)
    warmed = warm_up(loaded.signatures, f"{model}/{WARMUP}")
    serve = loaded.signatures["serving_default"]
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
    whole = {"label": text, "marked": np.array(marked), "warmed": np.array(warmed)}
    np.savez(answers, **whole, **found)


def warm_up(signatures: Mapping[str, Callable], file: str) -> int:
    """How many requests of the file the signatures have answered; 0 where there is no file."""
    import tensorflow as tf
    from tensorflow.core.framework.tensor_pb2 import TensorProto

    if not tf.io.gfile.exists(file):
        return 0
    warmed = 0
    for record in tf.data.TFRecordDataset(file).as_numpy_iterator():
        (log,) = fields(record)[6]
        (request,) = fields(log)[1]
        asked = fields(request)
        entries = [fields(entry) for entry in asked[2]]
        inputs = {
            entry[1][0].decode(): tf.constant(tf.make_ndarray(TensorProto.FromString(entry[2][0])))
            for entry in entries
        }
        signature = fields(asked[1][0])[3][0].decode()
        signatures[signature](**inputs)
        warmed += 1
    return warmed


def fields(message: bytes) -> dict[int, list[bytes]]:
    """The length-delimited fields of a protobuf message that has no others, by number."""
    found: dict[int, list[bytes]] = {}
    at = 0
    while at < len(message):
        tag, at = varint(message, at)
        length, at = varint(message, at)
        found.setdefault(tag >> 3, []).append(message[at : at + length])
        at += length
    return found


def varint(message: bytes, at: int) -> tuple[int, int]:
    """The number that begins there, and where it ends."""
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


if __name__ == "__main__":
    main(*sys.argv[1:])
