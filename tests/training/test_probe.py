"""The probe on a stand-in for the extractor, and what it loads."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tlkeras.data.picture import Picture
from tlkeras.features.features import Features
from tlkeras.heads.affine import AffineHead
from tlkeras.training.probe import HeadKind, labelled, probe
from tlkeras.training.recipe import Recipe

RECIPE = Recipe(
    seed=2, head_epochs=12, head_learning_rate=0.02, hidden=16, strengths=(1e-3, 1e-2, 1e-1)
)


def pictures(n: int, seed: int) -> list[Picture]:
    labels = np.random.default_rng(seed).integers(0, 3, n)
    return [
        Picture(Path(f"{seed}_{row}.jpg"), int(label), f"{seed}/{row}")
        for row, label in enumerate(labels)
    ]


class Extract:
    """Embeddings (n, 12) that tell the class; another view moves them a little."""

    def __call__(
        self, wanted: Sequence[Picture], view: object = None, progress: object = None
    ) -> Features:
        labels = np.array([picture.label for picture in wanted])
        rng = np.random.default_rng(len(wanted) + (view is not None))
        centres = np.random.default_rng(99).normal(size=(3, 12)) * 2
        vectors = centres[labels] + rng.normal(size=(len(wanted), 12))
        return Features(
            vectors.astype("float32"), labels, tuple(picture.sha256 for picture in wanted)
        )


@pytest.mark.parametrize("head", ["linear", "mlp"])
def test_head_is_trained_and_judged_on_the_validation_part(head: HeadKind) -> None:
    validation = pictures(40, 2)
    found = probe(Extract(), pictures(90, 1), validation, 3, head, RECIPE)  # type: ignore[arg-type]
    labels = np.array([picture.label for picture in validation])
    assert isinstance(found.head, AffineHead)
    assert found.accuracy > 0.8
    assert found.accuracy == pytest.approx((found.head.validation.argmax(1) == labels).mean())
    assert found.head.before_refit.affines[0].kernel.shape == found.head.affines[0].kernel.shape


def test_looks_at_one_picture_count_as_one() -> None:
    some = pictures(9, 3)
    rows = labelled(Extract(), some, 3, RECIPE.replace(views=2))  # type: ignore[arg-type]
    assert rows.vectors.shape == (27, 12)
    assert rows.weights.sum() == pytest.approx(9.0)
    np.testing.assert_array_equal(rows.labels[:9], rows.labels[18:])


def test_numpy_heads_load_neither_keras_nor_tensorflow() -> None:
    code = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from tests.training.test_probe import RECIPE, Extract, pictures
from tlkeras.training.probe import probe
for head in ("linear", "mlp"):
    found = probe(Extract(), pictures(60, 1), pictures(20, 2), 3, head, RECIPE)
    assert found.head.probabilities(Extract()(pictures(20, 2)).vectors).shape == (20, 3)
print(sorted({{"keras", "tensorflow", "torch", "onnxruntime", "sklearn"}} & set(sys.modules)))
"""
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120
    )
    assert ran.stdout.strip() == "[]", ran.stdout + ran.stderr
