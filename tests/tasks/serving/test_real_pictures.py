"""Point for point what `evaluate` says, over a socket, on real pictures."""

import base64
import json
from pathlib import Path

import pytest

import tlkeras as tl
from benchmarks.probe import BACKBONE, WEIGHTS, cats_dogs
from tests.tasks.serving.toys import predict, serving
from tlkeras.tasks.serving.classifier import servable
from tlkeras.tasks.serving.rest import respond


@pytest.mark.slow
def test_served_accuracy_is_that_of_evaluate_to_the_last_picture(
    shared_data: Path, tmp_path: Path
) -> None:
    data = cats_dogs(shared_data, 0)
    clf = tl.ImageClassifier(BACKBONE, weights=shared_data / WEIGHTS).fit(data)
    expected = clf.evaluate(data.test).accuracy
    loaded = tl.ImageClassifier.load(clf.save(tmp_path / "pets"))
    right = 0
    with serving(servable(loaded, "pets")) as server:
        for start in range(0, len(data.test), 10):
            paths = data.test.paths[start : start + 10]
            files = [{"b64": base64.b64encode(path.read_bytes()).decode()} for path in paths]
            status, told = predict(server, {"instances": files})
            assert status == 200
            labels = [row["label"] for row in told["predictions"]]
            assert labels == list(loaded.predict(paths).labels)
            truths = data.test.labels[start : start + 10]
            right += sum(
                label == data.class_names[truth]
                for label, truth in zip(labels, truths, strict=True)
            )
    assert right / len(data.test) == expected
    assert expected > 0.9
    body = json.dumps({"signature_name": "embed", "instances": files[:2]}).encode()
    reply = respond(servable(loaded, "pets"), "POST", "/v1/models/pets:predict", body)
    assert len(json.loads(reply.body)["predictions"][1]["embedding"]) == 1280
