"""A trained classifier over REST: the answers of `predict`, row by row, without TensorFlow."""

import base64
import io
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tlkeras as tl
from tests.conftest import write_flowers
from tests.tasks.serving.toys import call, predict, serving
from tlkeras.data.decode import decode
from tlkeras.tasks.network.columns import with_embedding
from tlkeras.tasks.serving import classifier as room
from tlkeras.tasks.serving.classifier import servable
from tlkeras.tasks.serving.rest import respond
from tlkeras.tasks.serving.servable import Servable

TOLERANCES = {"probabilities": 1e-3, "score": 1e-3, "unknown_score": 1e-2, "embedding": 1e-2}
FIELDS = {"label", "score", "probabilities", "unknown_score", "unknown", "ok"}


@pytest.fixture(scope="module")
def flowers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_flowers(tmp_path_factory.mktemp("many") / "flowers", per_class=20, seed=5)


@pytest.fixture(scope="module")
def loaded(flowers: Path, tmp_path_factory: pytest.TempPathFactory) -> tl.ImageClassifier:
    clf = tl.ImageClassifier("TinyResNet").fit(flowers)
    return tl.ImageClassifier.load(clf.save(tmp_path_factory.mktemp("runs") / "flowers"))


@pytest.fixture(scope="module")
def served(loaded: tl.ImageClassifier) -> Servable:
    return servable(loaded, "flowers")


@pytest.fixture(scope="module")
def pictures(flowers: Path) -> list[Path]:
    return sorted(flowers.glob("*/*"))[::3]


def b64(content: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(content).decode()}


def ask(served: Servable, request: dict) -> dict:
    reply = respond(served, "POST", "/v1/models/flowers:predict", json.dumps(request).encode())
    assert reply.status == 200, reply.body
    return json.loads(reply.body)


def test_answers_are_those_of_predict(
    served: Servable, loaded: tl.ImageClassifier, pictures: list[Path]
) -> None:
    expected = loaded.predict(pictures)
    rows = [{"image_bytes": b64(path.read_bytes())} for path in pictures]
    found = ask(served, {"instances": rows})["predictions"]
    assert len(found) == len(pictures) > room.CHUNK
    assert len({row["label"] for row in found}) == 3
    assert all(set(row) == FIELDS for row in found)
    assert [row["label"] for row in found] == list(expected.labels)
    for name, values in (
        ("probabilities", expected.probabilities),
        ("score", expected.scores),
        ("unknown_score", expected.unknown_scores),
    ):
        assert np.abs(np.array([row[name] for row in found]) - values).max() < 1e-5
    assert [row["unknown"] for row in found] == expected.unknown.tolist()
    assert all(row["ok"] is True for row in found)


def test_columns_hold_the_same_as_rows(served: Servable, pictures: list[Path]) -> None:
    files = [b64(path.read_bytes()) for path in pictures[:3]]
    rows = ask(served, {"instances": files})["predictions"]
    columns = ask(served, {"inputs": {"image_bytes": files}})["outputs"]
    assert columns == {name: [row[name] for row in rows] for name in rows[0]}


def test_broken_picture_marks_its_own_row(served: Servable, pictures: list[Path]) -> None:
    good = pictures[0].read_bytes()
    files = [good, b"", b"not a picture", good[: len(good) // 3], good]
    found = ask(served, {"instances": [b64(file) for file in files]})["predictions"]
    assert [row["ok"] for row in found] == [True, False, False, False, True]
    assert found[0] == found[4]
    for row in found[1:4]:
        assert (row["label"], row["score"], row["unknown"]) == ("", 0.0, False)
        assert row["probabilities"] == [0.0, 0.0, 0.0]


def test_no_pictures_by_column_are_no_answers(served: Servable) -> None:
    for signature, name in (("", "image_bytes"), ("embed", "image_bytes")):
        told = ask(served, {"signature_name": signature, "inputs": {name: []}})
        assert all(values == [] for values in told["outputs"].values())


def test_picture_of_too_many_pixels_marks_its_row(served: Servable) -> None:
    bomb = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(bomb, "PNG")
    (row,) = ask(served, {"instances": [b64(bomb.getvalue())]})["predictions"]
    assert row["ok"] is False


def test_pictures_that_take_too_long_are_refused(
    served: Servable, pictures: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "MOST_S", -1.0)
    body = json.dumps({"instances": [b64(pictures[0].read_bytes())]}).encode()
    reply = respond(served, "POST", "/v1/models/flowers:predict", body)
    assert reply.status == 413
    assert b"0 of 1 pictures" in reply.body


def test_pixels_are_answered_as_the_keras_model_does(
    served: Servable, loaded: tl.ImageClassifier, pictures: list[Path]
) -> None:
    pixels = np.asarray(Image.fromarray(decode(pictures[0])).resize((50, 30)))
    expected = np.asarray(loaded.model(pixels[None].astype("float32")))[0]
    whole = {"signature_name": "predict_images", "instances": [pixels.tolist()]}
    (by_bytes,) = ask(served, whole)["predictions"]
    parts = {"signature_name": "predict_tensor", "inputs": (pixels[None] + 0.25).tolist()}
    by_floats = ask(served, parts)["outputs"]
    assert set(by_bytes) == FIELDS - {"ok"}
    assert np.ptp(expected) > 0.1
    assert np.abs(by_bytes["probabilities"] - expected).max() < 1e-3
    shifted = np.asarray(loaded.model(pixels[None].astype("float32") + 0.25))[0]
    assert np.abs(np.array(by_floats["probabilities"])[0] - shifted).max() < 1e-3


def test_pixels_of_another_shape_are_refused(served: Servable) -> None:
    for images in ([[[1, 2, 3]]], [[[[1, 2]]]], [[[]]], [[[[]]]], [[]]):
        body = json.dumps({"signature_name": "predict_images", "instances": images}).encode()
        reply = respond(served, "POST", "/v1/models/flowers:predict", body)
        assert reply.status == 400, images
        assert b"images" in reply.body


def test_embedding_is_the_keras_models(
    served: Servable, loaded: tl.ImageClassifier, pictures: list[Path]
) -> None:
    files = [b64(pictures[1].read_bytes()), b64(b"broken")]
    told = ask(served, {"signature_name": "embed", "inputs": files})["outputs"]
    pixels = decode(pictures[1])[None].astype("float32")
    expected = np.asarray(with_embedding(loaded.model)(pixels)[1])
    found = np.array(told["embedding"])
    assert found.shape == (2, expected.shape[1])
    assert np.abs(found[0] - expected[0]).max() < 1e-2 * np.abs(expected).max()
    assert not found[1].any()
    assert told["ok"] == [True, False]


def test_metadata_is_that_of_what_is_answered(served: Servable, pictures: list[Path]) -> None:
    told = json.loads(respond(served, "GET", "/v1/models/flowers/metadata").body)
    signatures = told["metadata"]["signature_def"]["signature_def"]
    assert list(signatures) == ["serving_default", "predict_images", "predict_tensor", "embed"]
    (row,) = ask(served, {"instances": [b64(pictures[0].read_bytes())]})["predictions"]
    assert set(signatures["serving_default"]["outputs"]) == set(row)
    shape = signatures["serving_default"]["outputs"]["probabilities"]["tensor_shape"]["dim"]
    assert [side["size"] for side in shape] == ["-1", "3"]


def test_clients_at_once_get_their_own_labels(
    served: Servable, loaded: tl.ImageClassifier, pictures: list[Path]
) -> None:
    expected = loaded.predict(pictures).labels

    def client(number: int) -> None:
        for step in range(4):
            mine = (number + 5 * step) % len(pictures)
            request = {"instances": [b64(pictures[mine].read_bytes())]}
            status, told = predict(server, request)
            assert status == 200
            assert told["predictions"][0]["label"] == expected[mine]

    with serving(served) as server, ThreadPoolExecutor(12) as pool:
        list(pool.map(client, range(12)))
        assert call(server, "GET", "/healthz")[0] == 200


@pytest.mark.slow
def test_signatures_are_those_of_the_savedmodel(
    served: Servable, loaded: tl.ImageClassifier, pictures: list[Path], tmp_path: Path
) -> None:
    import tensorflow as tf

    model = tf.saved_model.load(str(loaded.export(tmp_path / "serve" / "1")))
    assert set(model.signatures) == set(served.signatures)
    files = [*(path.read_bytes() for path in pictures[:4]), b"broken"]
    for name, ours in served.signatures.items():
        theirs = model.signatures[name]
        (spec,) = theirs.structured_input_signature[1].values()
        ((alias, field),) = ours.inputs.items()
        assert (spec.name, tuple(spec.shape)) == (alias, field.shape)
        assert spec.dtype.name == field.dtype
        outputs = theirs.structured_outputs
        assert {key: each.dtype.name for key, each in outputs.items()} == {
            key: each.dtype for key, each in ours.outputs.items()
        }
        if alias == "image_bytes":
            given = np.array(files, object)
            expected = theirs(image_bytes=tf.constant(files))
            for key, array in ours.answer({"image_bytes": given}).items():
                wanted = expected[key].numpy()
                if key == "label":
                    assert [text.decode() for text in wanted] == list(array)
                else:
                    assert array.shape == wanted.shape
                    apart = np.abs(array.astype(float) - wanted.astype(float)).max()
                    assert apart <= TOLERANCES.get(key, 0), (name, key)
