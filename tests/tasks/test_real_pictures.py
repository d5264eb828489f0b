"""Real pictures and real pretrained weights: what the main job must reach."""

from collections.abc import Callable
from pathlib import Path

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
