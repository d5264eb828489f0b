"""What is said of contenders whose answers are given."""

import json
from dataclasses import replace

import numpy as np
import pytest

from tlkeras.selection.growth import Growth
from tlkeras.tasks.choosing.transfer.end_to_end import Course
from tlkeras.tasks.choosing.transfer.result import Pair, Transfer

SIZES = np.array([32.0, 80, 160, 320])


def growth(share: float, n: int = 400, seed: int = 0) -> Growth:
    """Right answers at that share, the same at every size; classes in turn."""
    right = np.random.default_rng(seed).permutation(np.arange(n) < round(share * n))[None]
    return Growth(SIZES, (right,) * 4, np.arange(n), np.arange(n) % 4, 0.0)


def course(shares: tuple[float, ...], n: int = 100, seed: int = 5) -> Course:
    right = np.random.default_rng(seed).permutation(np.arange(n) < round(shares[-1] * n))
    return Course(300, shares, right, 1.0)


def transfer(pretrained: float, untrained: float, pixels: float, n: int = 400) -> Transfer:
    probes = {
        "pretrained backbone": growth(pretrained, n, 1),
        "untrained backbone": growth(untrained, n, 2),
        "pixel statistics": growth(pixels, n, 3),
    }
    return Transfer("Net$<b>", ("a", "b", "c", "d"), (n // 4,) * 4, probes)


def test_pair_counts_answers_that_differ() -> None:
    first, second = np.array([1, 1, 1, 0], bool), np.array([0, 1, 0, 1], bool)
    pair = Pair.of("x", first, second)
    assert (pair.only_first, pair.only_second, pair.n, pair.gain) == (2, 1, 4, 0.25)


def test_clearly_better_backbone_helps() -> None:
    found = transfer(0.8, 0.4, 0.5)
    assert found.helps is True
    assert found.start == "yes"
    assert found.verdict.startswith("Transfer helps here.")
    assert "80.0 % of 400" in found.verdict
    assert repr(found) == "Transfer(Net$<b>: helps, 400 pictures)"


def test_pixel_statistics_that_do_better_mean_tasks_too_far_apart() -> None:
    found = transfer(0.6, 0.4, 0.8)
    assert found.helps is False
    assert "too far apart" in found.verdict
    assert "Colours and layout" in found.verdict


def test_weights_no_better_than_random_ones_are_told() -> None:
    found = transfer(0.6, 0.75, 0.4)
    assert found.helps is False
    assert "no more than random ones" in found.verdict


def test_few_pictures_do_not_tell() -> None:
    found = transfer(0.7, 0.4, 0.62, n=60)
    assert found.helps is None
    assert "do not tell" in found.verdict
    assert "McNemar's p" in found.verdict


def test_nothing_better_than_one_answer_is_told_first() -> None:
    found = transfer(0.26, 0.25, 0.24)
    assert found.helps is False
    assert found.verdict.startswith("Nothing that was tried tells these classes apart")
    assert "25.0 %" in found.verdict


def test_untrained_network_that_ends_higher_means_no_help() -> None:
    found = replace(
        transfer(0.8, 0.4, 0.5),
        pretrained=course((0.6, 0.6), seed=1),
        untrained=(course((0.2, 0.95), seed=2),),
        size_px=96,
    )
    assert found.helps is False
    assert "ends higher" in found.verdict


@pytest.mark.parametrize(
    ("pretrained", "untrained", "epochs", "slope"),
    [
        ((0.6, 0.7, 0.8, 0.8), (0.2, 0.3, 0.5, 0.6), (0, 3), "yes"),
        ((0.2, 0.3, 0.5, 0.8), (0.2, 0.3, 0.5, 0.8), (3, 3), "no"),
        ((0.6, 0.7, 0.8, 0.8), (0.2, 0.2, 0.2, 0.2), None, "can't tell"),
    ],
)
def test_slope_is_epochs_until_both_are_as_good(
    pretrained: tuple[float, ...],
    untrained: tuple[float, ...],
    epochs: tuple[int, int] | None,
    slope: str,
) -> None:
    found = replace(
        transfer(0.8, 0.4, 0.5),
        pretrained=course(pretrained),
        untrained=(course(untrained),),
        size_px=96,
    )
    assert found.epochs_needed == epochs
    assert found.slope == slope


def test_all_forms_hold_the_same() -> None:
    pytest.importorskip("matplotlib")
    found = replace(
        transfer(0.8, 0.4, 0.5),
        pretrained=course((0.6, 0.7, 0.8)),
        untrained=(course((0.2, 0.3), seed=1), course((0.2, 0.3, 0.5), seed=2)),
        size_px=96,
        notes=("to keep 5 minutes <i>",),
    )
    content = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert content["helps"] is True
    assert content["probes"]["pixel statistics"][-1]["accuracy"] == pytest.approx(0.5)
    assert content["untrained"][1]["accuracy_by_epoch"] == [0.2, 0.3, 0.5]
    assert all(text in str(found) for text in (found.verdict, "epoch 2", "96 px", "<i>"))
    assert "<b>" not in found._repr_html_()
    assert "<i>" not in found._repr_html_()
    left = found.plot().axes[0]
    lines = {line.get_label(): line for line in left.get_lines()}
    assert lines["untrained network"].get_ydata() == pytest.approx([20, 30, 50])
    assert found.plot()._repr_png_()[:4] == b"\x89PNG"


def test_networks_that_were_cut_short_say_nothing_of_the_end() -> None:
    cut = replace(course((0.2, 0.95), seed=2), finished=False)
    found = replace(
        transfer(0.8, 0.4, 0.5), pretrained=course((0.6, 0.6)), untrained=(cut,), size_px=96
    )
    assert found.helps is True
    assert (found.slope, found.asymptote) == ("can't tell", "can't tell")
    assert "not trained to the end" in found.verdict
    assert len(found.pairs) == 2


def test_course_that_still_rises_has_not_levelled() -> None:
    assert not course(tuple(np.linspace(0.2, 0.6, 12))).levelled
    assert course((0.2, 0.4, 0.6, 0.6, 0.6, 0.6, 0.61, 0.6)).levelled
