"""Real pictures and weights: what an explanation names is what the answer needs."""

from pathlib import Path

import numpy as np
import pytest

import tlkeras as tl
from benchmarks.trust.explain import explained, fitted, losses


@pytest.mark.slow
def test_hiding_the_hottest_fifth_costs_more_than_hiding_as_much_elsewhere(
    shared_data: Path,
) -> None:
    clf, folder = fitted(shared_data, "cats_dogs")
    found = explained(clf, folder, "gradcam", pictures=50)
    assert {each.layer for each in found} == {"out_relu"}
    cost = losses(clf, found)
    hottest = np.array(cost.pop("hottest fifth"))
    for odds, probability in cost.values():
        assert hottest[0].mean() > odds.mean() + 1
        assert hottest[1].mean() > probability.mean()
        assert (hottest[0] > odds).sum() >= 35


@pytest.mark.slow
@pytest.mark.parametrize(
    "file",
    [
        "onnx/mobilenet_v1_0.25_224_top.onnx",
        "tflite/mobilenet_v1_0.25_224_1_default_1.tflite",
        "tfjs/teachable_machine_mnv2_035/model.json",
    ],
)
def test_imported_networks_are_explained(file: str, shared_data: Path, flower_folder: Path) -> None:
    clf = tl.ImageClassifier(shared_data / "weights" / file).fit(flower_folder)
    picture = flower_folder / "rose" / "rose_01.jpg"
    found = clf.explain(picture)
    assert found.label == clf.predict(picture).labels[0]
    assert found.coarse.shape == (7, 7)
    assert found.heat.shape == found.pixels.shape[:2]
    assert found.coarse.max() == pytest.approx(1)
