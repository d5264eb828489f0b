"""The exported SavedModel behind a server that is not ours: KServe's, in an environment of its own.

Real weights, real pictures, the bytes of their files over a socket.
"""

import base64
import json
import signal
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import tlkeras as tl
from benchmarks.peers.install import install, python_of
from benchmarks.probe import BACKBONE, WEIGHTS, cats_dogs
from benchmarks.serving_load.__main__ import alone, under_load
from benchmarks.serving_load.hostile import cases
from benchmarks.serving_load.servers import Running, kserve, post

ONNX = "weights/onnx/mobilenet_v1_0.25_224_top.onnx"
# The environment may have to be made, once: TensorFlow is half a gigabyte.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


@dataclass(frozen=True)
class Exported:
    """A trained classifier, the SavedModel it left, and what it says of its test part itself."""

    folder: Path
    class_names: tuple[str, ...]
    files: tuple[Path, ...]
    truths: tuple[str, ...]
    labels: tuple[str, ...]
    probabilities: np.ndarray
    unknown_scores: np.ndarray
    accuracy: float


def exported(clf: tl.ImageClassifier, data: tl.ImageFolder, folder: Path) -> Exported:
    clf.fit(data)
    told = clf.predict(data.test.paths)
    return Exported(
        clf.export(folder / "1"),
        clf.class_names,
        tuple(data.test.paths),
        tuple(data.class_names[label] for label in data.test.labels),
        tuple(str(label) for label in told.labels),
        told.probabilities,
        told.unknown_scores,
        clf.evaluate(data.test).accuracy,
    )


@pytest.fixture(scope="module")
def environment() -> Path:
    try:
        return install("kserve")
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"the environment of KServe can't be made here: {error}")


@pytest.fixture(scope="module")
def models(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Exported]:
    data, folder = cats_dogs(shared_data, 0), tmp_path_factory.mktemp("serve")
    return {
        "pets": exported(
            tl.ImageClassifier(BACKBONE, weights=shared_data / WEIGHTS), data, folder / "pets"
        ),
        "imported": exported(
            tl.ImageClassifier(shared_data / ONNX, preprocessing="tf"), data, folder / "imported"
        ),
    }


@pytest.fixture(scope="module")
def server(
    environment: Path, models: dict[str, Exported], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    log = tmp_path_factory.mktemp("kserve") / "log"
    with kserve({name: model.folder for name, model in models.items()}, log) as running:
        yield running
    assert running.process.returncode != -signal.SIGKILL  # it ended when it was told to


def b64(path: Path) -> dict[str, str]:
    return {"b64": base64.b64encode(path.read_bytes()).decode("ascii")}


def predicted(server: Running, name: str, files: Sequence[Path]) -> list[dict]:
    rows = [{"image_bytes": b64(path)} for path in files]
    status, told = server.predict(name, {"instances": rows})
    assert status == 200, told
    return told["predictions"]


@pytest.mark.parametrize("name", ["pets", "imported"])
def test_served_labels_are_predicts_and_accuracy_is_evaluates(
    server: Running, models: dict[str, Exported], name: str
) -> None:
    model = models[name]
    rows: list[dict] = []
    for start in range(0, len(model.files), 25):
        rows += predicted(server, name, model.files[start : start + 25])
    assert all(row["ok"] for row in rows)
    assert [row["label"] for row in rows] == list(model.labels)
    right = sum(row["label"] == truth for row, truth in zip(rows, model.truths, strict=True))
    assert len(rows) == 200
    assert right / len(rows) == model.accuracy
    assert model.accuracy >= {"pets": 0.93, "imported": 0.85}[name]
    probabilities = np.array([row["probabilities"] for row in rows])
    assert np.abs(probabilities - model.probabilities).max() < 1e-3
    scores = np.array([row["unknown_score"] for row in rows])
    assert np.abs(scores - model.unknown_scores).max() < 0.1
    assert len(set(map(tuple, probabilities))) > 190  # they do depend on the picture


def test_rows_and_columns_named_and_bare_say_the_same(
    server: Running, models: dict[str, Exported]
) -> None:
    bare = [b64(path) for path in models["pets"].files[:3]]
    named = [{"image_bytes": one} for one in bare]
    status, rows = server.predict("pets", {"instances": named})
    assert status == 200
    assert server.predict("pets", {"instances": bare}) == (200, rows)
    status, columns = server.predict("pets", {"inputs": {"image_bytes": bare}})
    assert status == 200
    assert server.predict("pets", {"inputs": bare}) == (200, columns)
    outputs = columns["outputs"]
    for number, row in enumerate(rows["predictions"]):
        assert row == {name: values[number] for name, values in outputs.items()}
    assert set(outputs) == {
        *("label", "score", "probabilities", "unknown_score", "unknown", "ok"),
    }


def test_every_signature_can_be_asked(server: Running, models: dict[str, Exported]) -> None:
    body: dict[str, object] = {
        "signature_name": "embed",
        "instances": [b64(models["pets"].files[0])],
    }
    status, told = server.predict("pets", body)
    assert status == 200
    assert len(told["predictions"][0]["embedding"]) == 1280
    pixels = np.random.default_rng(0).integers(0, 256, (1, 6, 9, 3))
    for name in ("predict_images", "predict_tensor"):
        body = {"signature_name": name, "inputs": {"images": pixels.tolist()}}
        status, told = server.predict("pets", body)
        assert status == 200
        assert told["outputs"]["label"][0] in models["pets"].class_names


def infer(server: Running, name: str, **request: object) -> tuple[int, dict]:
    body = json.dumps(request).encode("ascii")
    url = f"{server.url}/v2/models/{name}/infer"
    return post(url, body, headers={"Content-Type": "application/json"})


def tensor(files: Sequence[Path], name: str = "image_bytes") -> dict[str, object]:
    """Base64 in JSON: KServe takes no raw bytes over REST that are not UTF-8."""
    data = [b64(path)["b64"] for path in files]
    return {"name": name, "shape": [len(files)], "datatype": "BYTES", "data": data}


@pytest.mark.parametrize("name", ["pets", "imported"])
def test_the_second_protocol_says_the_same(
    server: Running, models: dict[str, Exported], name: str
) -> None:
    files = models[name].files[98:103]
    expected = predicted(server, name, files)
    for more, answered in (({"id": "7"}, "7"), ({}, "0")):
        status, told = infer(server, name, **more, inputs=[tensor(files)])
        assert status == 200, told
        assert told["id"] == answered
        outputs = {each["name"]: each for each in told["outputs"]}
        assert outputs["label"]["data"] == [row["label"] for row in expected]
        assert outputs["ok"]["data"] == [True] * len(files)
        assert outputs["probabilities"]["shape"] == [len(files), 2]
        wanted = np.array([row["probabilities"] for row in expected]).ravel()
        assert np.abs(np.array(outputs["probabilities"]["data"]) - wanted).max() < 1e-6


def test_the_second_protocol_refuses_what_it_cannot_take(
    server: Running, models: dict[str, Exported]
) -> None:
    files = models["pets"].files[:1]
    for status, inputs in (
        (400, [tensor(files, "picture")]),
        (400, [{**tensor(files), "data": ["not base64!"]}]),
        (400, [{**tensor(files), "shape": [3]}]),
        (422, "none"),
    ):
        assert infer(server, "pets", inputs=inputs)[0] == status


def test_many_clients_get_their_own_answers_while_others_do_their_worst(
    server: Running, models: dict[str, Exported]
) -> None:
    model = models["pets"]
    labels = {path.name: label for path, label in zip(model.files, model.labels, strict=True)}
    files = [*model.files[:16], *model.files[-16:]]
    asked, _ = alone(f"{server.url}/v1/models/pets:predict", files[::2] + files[1::2], labels)
    assert len(asked) >= 28
    picture = files[0].read_bytes()
    tally, siege = under_load(server, asked, picture, clients=16, seconds=4)
    assert set(tally.counts) == {"right"}, tally.shown
    assert tally.counts["right"] >= 16
    assert siege.failures == []
    assert set(siege.answers) >= {case.about for case in cases(picture)}
    assert predicted(server, "pets", files[:1])[0]["label"] == model.labels[0]
    assert predicted(server, "imported", files[:1])[0]["label"] == models["imported"].labels[0]
    assert server.alive


def test_empty_batch_is_answered(server: Running) -> None:
    assert server.predict("pets", {"instances": []}) == (200, {"predictions": []})


def test_it_listens_on_loopback_alone(server: Running) -> None:
    port = int(server.url.rsplit(":", 1)[1])
    found = []
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        for line in table.read_text().splitlines()[1:] if table.exists() else ():
            local, state = line.split()[1], line.split()[3]
            if local.endswith(f":{port:04X}") and state == "0A":  # listening
                found.append(local.rsplit(":", 1)[0])
    if not Path("/proc/net/tcp").exists():
        pytest.skip("this system does not list its sockets")
    assert found == ["0100007F"]


def test_it_knows_nothing_of_tlkeras(environment: Path) -> None:
    command = [str(python_of("kserve")), "-c", "import tlkeras"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
    assert "No module named 'tlkeras'" in done.stderr
