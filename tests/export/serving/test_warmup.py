"""The warm-up file as TensorFlow Serving reads it, by protobuf's own reader and by a replay."""

import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import Message
from tensorflow.core.framework.tensor_pb2 import TensorProto

from tlkeras.errors import ExportError
from tlkeras.export import serve_once
from tlkeras.export.serving.warmup import FILE, prediction_log, warmup_requests, write_warmup
from tlkeras.export.verify import answers_in_fresh_process

Field = descriptor_pb2.FieldDescriptorProto

# As TensorFlow Serving's apis/{prediction_log,predict,model}.proto declare them; of the map of
# inputs each value is read as the bytes of its message.
DECLARED = {
    "PredictionLog": [("predict_log", 6, "PredictLog")],
    "PredictLog": [("request", 1, "PredictRequest")],
    "PredictRequest": [("model_spec", 1, "ModelSpec"), ("inputs", 2, "InputsEntry")],
    "ModelSpec": [("name", 1, "string"), ("signature_name", 3, "string")],
    "InputsEntry": [("key", 1, "string"), ("value", 2, "bytes")],
}
SCALARS = {"string": Field.TYPE_STRING, "bytes": Field.TYPE_BYTES}


@pytest.fixture(scope="module")
def declared() -> type[Message]:
    """PredictionLog, read by protobuf itself from the declarations above."""
    file = descriptor_pb2.FileDescriptorProto(name="served.proto", package="s", syntax="proto3")
    for name, fields in DECLARED.items():
        message = file.message_type.add(name=name)
        for field, number, kind in fields:
            many = Field.LABEL_REPEATED if field == "inputs" else Field.LABEL_OPTIONAL
            added = message.field.add(name=field, number=number, label=many)
            added.type = SCALARS.get(kind, Field.TYPE_MESSAGE)
            if kind not in SCALARS:
                added.type_name = f".s.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("s.PredictionLog"))


@pytest.fixture
def folder(exported: Path, tmp_path: Path) -> Path:
    """A SavedModel of one's own with warm-up requests in it."""
    copy = shutil.copytree(exported, tmp_path / "tiny" / "1")
    write_warmup(copy, "tiny")
    return copy


def records(folder: Path) -> list[bytes]:
    return list(tf.data.TFRecordDataset(str(folder / FILE)).as_numpy_iterator())


def tensors(entries: Iterable) -> dict[str, np.ndarray]:
    return {each.key: tf.make_ndarray(TensorProto.FromString(each.value)) for each in entries}


def test_file_is_small_and_asks_every_signature(folder: Path, declared: type[Message]) -> None:
    assert (folder / FILE).stat().st_size < 60_000
    asked = [declared.FromString(record).predict_log.request for record in records(folder)]
    assert {request.model_spec.name for request in asked} == {"tiny"}
    assert [request.model_spec.signature_name for request in asked] == [
        "serving_default",
        "serving_default",
        "embed",
        "predict_images",
        "predict_tensor",
    ]


def test_every_request_is_answered_as_a_server_would(folder: Path, declared: type[Message]) -> None:
    loaded = tf.saved_model.load(str(folder))
    rows = []
    for record in records(folder):
        request = declared.FromString(record).predict_log.request
        given = {name: tf.constant(value) for name, value in tensors(request.inputs).items()}
        answer = loaded.signatures[request.model_spec.signature_name](**given)
        assert all(len(one) == len(*given.values()) for one in answer.values())
        assert answer.get("ok", tf.constant(True)).numpy().all()
        rows.append(len(*given.values()))
    assert rows == [1, 5, 1, 1, 1]


def test_messages_are_those_that_protobuf_writes(declared: type[Message]) -> None:
    for signature, inputs in warmup_requests():
        message = declared()
        request = message.predict_log.request
        request.model_spec.name = "Blüten"
        request.model_spec.signature_name = signature
        for key, value in inputs.items():
            tensor = tf.make_tensor_proto(value).SerializeToString()
            request.inputs.add(key=key, value=tensor)
        assert prediction_log("Blüten", signature, inputs) == message.SerializeToString()


def test_package_of_tensorflow_serving_reads_them(folder: Path) -> None:
    logs = pytest.importorskip("tensorflow_serving.apis.prediction_log_pb2")
    for record, (signature, inputs) in zip(records(folder), warmup_requests(), strict=True):
        log = logs.PredictionLog.FromString(record)
        assert log.WhichOneof("log_type") == "predict_log"
        request = log.predict_log.request
        assert (request.model_spec.name, request.model_spec.signature_name) == ("tiny", signature)
        assert set(request.inputs) == set(inputs)
        for name, value in inputs.items():
            np.testing.assert_array_equal(tf.make_ndarray(request.inputs[name]), value)
        assert log.SerializeToString(deterministic=True) == record


def test_same_requests_each_time(folder: Path) -> None:
    before = (folder / FILE).read_bytes()
    write_warmup(folder, "tiny")
    assert (folder / FILE).read_bytes() == before


def test_script_of_the_fresh_process_answers_them(folder: Path, exported: Path) -> None:
    loaded = tf.saved_model.load(str(folder))
    assert serve_once.warm_up(loaded.signatures, str(folder / FILE)) == 5
    assert serve_once.warm_up(loaded.signatures, str(exported / FILE)) == 0
    damaged = bytearray((folder / FILE).read_bytes())
    damaged[40] ^= 1
    (folder / FILE).write_bytes(damaged)
    with pytest.raises(tf.errors.DataLossError):
        serve_once.warm_up(loaded.signatures, str(folder / FILE))


@pytest.mark.slow
def test_request_that_fails_is_an_export_error(folder: Path, pictures: list[bytes]) -> None:
    assert answers_in_fresh_process(folder, pictures[:1])["warmed"] == 5
    with tf.io.TFRecordWriter(str(folder / FILE)) as writer:
        wrong = {"image_bytes": np.zeros((1, 8, 8, 3), np.float32)}
        writer.write(prediction_log("tiny", "serving_default", wrong))
    with pytest.raises(ExportError, match="fresh process"):
        answers_in_fresh_process(folder, pictures[:1])


def test_folder_that_is_a_file_is_an_export_error(tmp_path: Path) -> None:
    (tmp_path / "assets.extra").touch()
    with pytest.raises(ExportError, match="warm-up"):
        write_warmup(tmp_path, "tiny")
