"""Requests that TensorFlow Serving answers while it loads a model, so that no user waits for them.

    small pictures ─▶ TensorProto ─▶ PredictRequest ─▶ PredictLog ─▶ PredictionLog ─▶ TFRecord

The messages are written field by field, so that nobody needs the package tensorflow-serving-api.
Each field here is "length-delimited": its number and kind, how many bytes follow, those bytes
(https://protobuf.dev/programming-guides/encoding). The numbers stand in TensorFlow Serving's
apis/prediction_log.proto, apis/predict.proto and apis/model.proto.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf

from tlkeras.errors import ExportError
from tlkeras.export.samples import sample_pictures

FILE = "assets.extra/tf_serving_warmup_requests"
"""Where TensorFlow Serving looks for them."""

SIDE_PX = 32
"""About the side of the pictures: each goes through the whole network, however small it is."""

_LENGTH_DELIMITED = 2
_PREDICT_LOG = 6  # of PredictionLog
_REQUEST = 1  # of PredictLog
_MODEL_SPEC, _INPUTS = 1, 2  # of PredictRequest
_NAME, _SIGNATURE_NAME = 1, 3  # of ModelSpec
_KEY, _VALUE = 1, 2  # of an entry of a map


def write_warmup(folder: Path, model: str) -> Path:
    """The file in the SavedModel's folder with a request for each signature, and one batch.

    The pictures are generated: nobody's own picture lies in a folder that is handed on.

    Args:
        folder: of the SavedModel.
        model: the name it's served by; servers don't compare it.

    Raises:
        ExportError: it can't be written.

    Example::

        write_warmup(Path("serve/flowers/1"), "flowers")
    """
    file = folder / FILE
    try:
        file.parent.mkdir(exist_ok=True)
        with tf.io.TFRecordWriter(str(file)) as writer:
            for signature, inputs in warmup_requests():
                writer.write(prediction_log(model, signature, inputs))
    except (OSError, tf.errors.OpError) as error:
        raise ExportError(
            f"Expected to write the warm-up requests into '{file}', but: {error}. "
            "Make room on the disk, or choose a folder that can be written to."
        ) from error
    return file


def warmup_requests() -> Iterator[tuple[str, Mapping[str, np.ndarray]]]:
    """Five requests: signature, and its inputs by name; the largest is a batch of five pictures."""
    files = np.array(sample_pictures(SIDE_PX), object)
    sides = (1, SIDE_PX, SIDE_PX + 16, 3)
    pixels = np.random.default_rng(0).integers(0, 256, sides, dtype=np.uint8)
    yield "serving_default", {"image_bytes": files[:1]}
    yield "serving_default", {"image_bytes": files}
    yield "embed", {"image_bytes": files[:1]}
    yield "predict_images", {"images": pixels}
    yield "predict_tensor", {"images": pixels.astype(np.float32)}


def prediction_log(model: str, signature: str, inputs: Mapping[str, np.ndarray]) -> bytes:
    """One serialised PredictionLog that asks a model's signature.

    Example::

        prediction_log("flowers", "embed", {"image_bytes": np.array([jpeg], object)})
    """
    spec = _field(_NAME, model.encode()) + _field(_SIGNATURE_NAME, signature.encode())
    request = _field(_MODEL_SPEC, spec)
    for name, values in inputs.items():
        tensor = tf.make_tensor_proto(values).SerializeToString()
        request += _field(_INPUTS, _field(_KEY, name.encode()) + _field(_VALUE, tensor))
    return _field(_PREDICT_LOG, _field(_REQUEST, request))


def _field(number: int, content: bytes) -> bytes:
    """One length-delimited field of a protobuf message.

    >>> _field(1, b"abc")
    b'\\n\\x03abc'
    """
    return _varint(number << 3 | _LENGTH_DELIMITED) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    """A whole number, seven bits a byte, the lowest first; all bytes but the last have bit 8.

    >>> _varint(150)
    b'\\x96\\x01'
    """
    low, rest = value & 0x7F, value >> 7
    return bytes([low | 0x80]) + _varint(rest) if rest else bytes([low])
