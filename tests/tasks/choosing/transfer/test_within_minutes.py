"""What is left out to keep a time, and that it is kept."""

import time

import numpy as np
import pytest

import tlkeras as tl
from tests.conftest import write_flowers
from tlkeras.progress import silent
from tlkeras.tasks.choosing.transfer.end_to_end import Pace
from tlkeras.tasks.choosing.transfer.within_minutes import Plan, choose, train_both
from tlkeras.tasks.network.assembly import BackboneSource

SIZES = (224, 128, 96)
WANTED = Plan(224, 20, 300)


@pytest.mark.parametrize(
    ("seconds", "plan"),
    [
        (1e6, Plan(224, 20, 300)),
        (800, Plan(128, 20, 300)),
        (500, Plan(96, 20, 300)),
        (200, Plan(96, 9, 300)),
        (60, Plan(96, 8, 77)),
        (0, Plan(96, 8, 20)),
    ],
)
def test_size_goes_first_then_epochs_then_pictures(seconds: float, plan: Plan) -> None:
    found = choose(WANTED, SIZES, Pace(0.004, 0.004, 1.0), 70, seconds, classes=10)
    assert (found.size_px, found.pictures) == (plan.size_px, pytest.approx(plan.pictures, abs=2))
    assert found.epochs == pytest.approx(plan.epochs, abs=1)


def test_few_epochs_that_were_asked_for_are_kept() -> None:
    found = choose(Plan(224, 2, 300), SIZES, Pace(0.004, 0.004, 1.0), 70, 0, classes=10)
    assert found.epochs == 2


@pytest.mark.slow
def test_both_networks_learn_flowers_within_the_time(tmp_path: object) -> None:
    data = tl.ImageFolder(write_flowers(tmp_path / "flowers", per_class=60, seed=3))  # type: ignore[operator]
    begun = time.monotonic()
    recipe = tl.Recipe(epochs=12)
    both = train_both(BackboneSource("TinyResNet", "builtin"), data, recipe, 60, silent)
    assert time.monotonic() - begun < 120
    assert [course.pictures for course in both.untrained] == sorted(
        course.pictures for course in both.untrained
    )
    assert len(both.pretrained.right) == len(data.validation)
    assert both.pretrained.end > 0.8
    # Shape and colour are easy: without any transfer, too.
    assert both.untrained[-1].end > 0.6
    assert both.untrained[-1].end > both.untrained[-1].accuracy[1] - 0.05
    assert np.isfinite([course.seconds for course in both.untrained]).all()
    assert any("took" in note for note in both.notes)
