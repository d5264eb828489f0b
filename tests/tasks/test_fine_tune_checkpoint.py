"""`fine_tune(checkpoint=...)`: what is in the folder, and what the next call makes of it."""

from pathlib import Path

import numpy as np
import pytest

import tlkeras as tl
from tlkeras.errors import TrainingError
from tlkeras.training.tuning.checkpoint import FILE, told
from tlkeras.training.tuning.lock import alone_in

RECIPE = tl.Recipe(epochs=2, learning_rate=0.02, batch_size=8, seed=1, deterministic=True)


@pytest.fixture(scope="module")
def data(flower_folder: Path) -> tl.ImageFolder:
    return tl.ImageFolder(flower_folder)


def stop(task: str, done: int, total: int, note: str = "") -> None:
    if task == "fine-tuning":
        raise KeyboardInterrupt


def test_stopped_it_leaves_a_usable_classifier_and_the_same_call_goes_on(
    tiny_backbone: object, data: tl.ImageFolder, tmp_path: Path
) -> None:
    def classifier() -> tl.ImageClassifier:
        return tl.ImageClassifier(tiny_backbone, recipe=RECIPE)

    stopped = classifier()
    with pytest.raises(KeyboardInterrupt):
        stopped.fine_tune(data, 1, checkpoint=tmp_path, progress=stop)
    assert told(tmp_path) == ("fine-tuning", 1)
    kept = tl.ImageClassifier.load(tmp_path / "frozen")
    paths = data.test.paths
    np.testing.assert_allclose(
        kept.predict(paths).probabilities, stopped.predict(paths).probabilities, atol=1e-5
    )

    tasks: list[tuple[str, int]] = []
    again, whole = classifier(), classifier()
    result = again.fine_tune(
        data, 1, checkpoint=tmp_path, progress=lambda task, done, *_: tasks.append((task, done))
    )
    assert ("fine-tuning", 1) not in tasks
    assert ("fine-tuning", 2) in tasks
    assert result == whole.fine_tune(data, 1)
    for one, other in zip(again.model.weights, whole.model.weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_checkpoint_of_other_pictures_is_refused_and_stays(
    tiny_backbone: object, data: tl.ImageFolder, flower_folder: Path, tmp_path: Path
) -> None:
    one = tl.ImageClassifier(tiny_backbone, recipe=RECIPE)
    with pytest.raises(KeyboardInterrupt):
        one.fine_tune(data, 1, checkpoint=tmp_path, progress=stop)
    before = (tmp_path / FILE).read_bytes()
    with pytest.raises(TrainingError, match="pictures: "):
        one.fine_tune(tl.ImageFolder(flower_folder, seed=1), 1, checkpoint=tmp_path)
    assert (tmp_path / FILE).read_bytes() == before


def test_second_one_in_the_folder_is_refused(
    tiny_backbone: object, data: tl.ImageFolder, tmp_path: Path
) -> None:
    refused = pytest.raises(TrainingError, match="One process at a time")
    with alone_in(tmp_path), refused:
        tl.ImageClassifier(tiny_backbone).fine_tune(data, 1, checkpoint=tmp_path)
