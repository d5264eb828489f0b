"""Real pictures and real pretrained weights: what the main job must reach."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import tlkeras as tl
from benchmarks.probe import BACKBONE, WEIGHTS, cats_dogs, clothing, scikit_learn


@pytest.mark.slow
@pytest.mark.parametrize(("pictures", "least"), [(clothing, 0.69), (cats_dogs, 0.93)])
def test_frozen_linear_head_reaches_its_figure_and_scikit_learns(
    pictures: Callable[[Path, int], tl.ImageFolder], least: float, shared_data: Path
) -> None:
    data = pictures(shared_data, 0)
    clf = tl.ImageClassifier(BACKBONE, weights=shared_data / WEIGHTS).fit(data)
    accuracy = clf.evaluate(data.test).accuracy
    assert accuracy >= least
    assert scikit_learn(clf, data) <= accuracy + 0.01


@pytest.mark.slow
def test_no_label_changes_between_predict_and_the_saved_model(
    shared_data: Path, tmp_path: Path
) -> None:
    from tlkeras.export.verify import answers_in_fresh_process

    data = clothing(shared_data, 0)
    clf = tl.ImageClassifier(BACKBONE, weights=shared_data / WEIGHTS).fit(data)
    served = clf.export(tmp_path / "1")
    files = [path.read_bytes() for path in data.test.paths]
    answers = answers_in_fresh_process(served, files)
    predictions = clf.predict(data.test.paths)
    assert [str(label) for label in answers["label"]] == list(predictions.labels)
    assert np.abs(answers["probabilities"] - predictions.probabilities).max() < 1e-3
