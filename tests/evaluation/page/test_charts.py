"""Charts of the page: places, lines, points; and the map's layout against scikit-learn's."""

import re
from collections.abc import Callable

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE, trustworthiness

from tlkeras.evaluation import Report
from tlkeras.evaluation.calibration import Bin
from tlkeras.evaluation.page.charts import projection
from tlkeras.evaluation.page.charts.axes import Axes, ticks
from tlkeras.evaluation.page.charts.curves import curves
from tlkeras.evaluation.page.charts.projection import neighbours_kept, to_plane
from tlkeras.evaluation.page.charts.reliability import reliability
from tlkeras.evaluation.page.charts.scatter import to_svg

Answers = Callable[[int, int], tuple[np.ndarray, np.ndarray]]


@pytest.fixture(scope="module")
def clouds() -> tuple[np.ndarray, np.ndarray]:
    """Vectors (300, 64) float32 around five centres, and which centre each is of."""
    rng = np.random.default_rng(5)
    centres = rng.normal(0, 1, (5, 64))
    labels = rng.integers(0, 5, 300)
    vectors = np.maximum(centres[labels] + rng.normal(0, 1, (300, 64)), 0)
    return vectors.astype(np.float32), labels


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0, 2.37), (-5, 0), (0.0001, 0.0004), (1, 20)])
def test_ticks_are_round_inside_and_evenly_spaced(low: float, high: float) -> None:
    found = ticks(low, high)
    assert 3 <= len(found) <= 7
    assert low - 1e-9 <= found[0]
    assert found[-1] <= high + 1e-9
    steps = np.diff(found)
    np.testing.assert_allclose(steps, steps[0])
    assert f"{steps[0]:e}"[0] in "125"


def test_ticks_of_one_value_are_that_value() -> None:
    assert ticks(3, 3) == [3]


def test_axes_put_larger_values_higher_and_further_right() -> None:
    axes = Axes("x", (1, 5), (0, 2))
    (x0, y0), (x1, y1) = axes.place(2, 0.5), axes.place(4, 1.5)
    assert x1 > x0
    assert y1 < y0


def test_curves_have_a_chart_of_losses_and_one_of_accuracies_for_each_phase() -> None:
    rows: list[dict[str, object]] = [
        {"phase": "head", "strength": s, "val_loss": 1.0, "val_accuracy": 0.5, "accuracy": 0.6}
        for s in (1e-3, 1e-2)
    ]
    rows += [{"phase": "fine-tuning", "epoch": e, "loss": 1.0, "val_loss": 2.0} for e in (1, 2)]
    found = dict(curves(rows))
    assert {name: len(charts) for name, charts in found.items()} == {"head": 2, "fine-tuning": 1}
    assert "1e-3" in found["head"][0]
    assert "strength" in found["head"][0]
    assert found["fine-tuning"][0].count("<polyline") == 2


def test_ring_is_at_the_lowest_loss_and_at_the_highest_accuracy() -> None:
    rows = [
        {"phase": "x", "epoch": e, "val_loss": loss, "val_accuracy": right}
        for e, loss, right in ((1, 0.9, 0.5), (2, 0.4, 0.6), (3, 0.6, 0.8))
    ]
    loss, accuracy = dict(curves(rows))["x"]
    assert "lowest loss in validation: 0.400" in loss
    assert "highest accuracy in validation: 80.0 %" in accuracy


def test_curves_leave_out_what_is_no_number() -> None:
    rows = [{"phase": "x", "epoch": 1, "loss": float("nan")}, {"phase": "x", "epoch": 2}]
    assert curves(rows) == []
    assert curves([]) == []


def test_one_epoch_is_a_point() -> None:
    ((_, (chart,)),) = curves([{"phase": "x", "epoch": 1.0, "loss": 0.5}])
    assert "<polyline" not in chart
    assert "<circle" in chart


def test_curves_of_many_epochs_stay_small() -> None:
    rows = [{"phase": "x", "epoch": float(e), "loss": 1 / e} for e in range(1, 20_001)]
    ((_, (chart,)),) = curves(rows)
    assert len(chart) < 20_000


def test_reliability_puts_honest_answers_on_the_line() -> None:
    chart = reliability(
        "After", [Bin(0.2, 0.4, 40, 0.3, 0.3, (0.2, 0.5)), Bin(0.8, 1.0, 10, 0.9, 0.9, (0.6, 1.0))]
    )
    assert chart.count("<circle") == 2
    places = [tuple(map(float, p)) for p in re.findall(r'cx="([\d.]+)" cy="([\d.]+)"', chart)]
    line = list(map(float, re.search(
        r'x1="([\d.]+)" y1="([\d.]+)" x2="([\d.]+)" y2="([\d.]+)" style="stroke:var\(--soft\);st',
        chart,
    ).groups()))  # fmt: skip
    for x, y in places:
        share = (x - line[0]) / (line[2] - line[0])
        assert y == pytest.approx(line[1] + share * (line[3] - line[1]), abs=0.2)


def test_map_shows_every_picture_and_tells_which_are_mistakes(report: Report) -> None:
    rows = np.arange(len(report))
    svg = to_svg(report, rows, np.random.default_rng(0).random((len(report), 2)))
    assert svg.count("h0") == report.correct
    assert svg.count('class="cross"') == len(report) - report.correct
    for mistake in report.worst(3):
        assert mistake.name in svg
    assert svg.count('class="name"') == 4  # "lily" has no pictures


def test_map_of_ten_thousand_pictures_and_many_classes_stays_small(answers: Answers) -> None:
    for classes in (10, 70):
        labels, probabilities = answers(classes, 10_000)
        report = Report(tuple(f"class {i}" for i in range(classes)), labels, probabilities)
        svg = to_svg(report, np.arange(10_000), np.random.default_rng(0).random((10_000, 2)))
        assert len(svg) < 1_000_000
        assert ('class="name"' in svg) == (classes == 10)


def test_map_keeps_neighbours_as_well_as_scikit_learns(
    clouds: tuple[np.ndarray, np.ndarray],
) -> None:
    vectors = clouds[0][:160]
    same_length = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    theirs = TSNE(init="pca", random_state=0, method="exact", max_iter=400).fit_transform(
        same_length
    )
    ours = to_plane(vectors)
    trust = trustworthiness(same_length, ours)
    assert trust > trustworthiness(same_length, theirs) - 0.02
    assert trust > trustworthiness(same_length, PCA(2).fit_transform(same_length)) + 0.03


def test_map_is_the_same_every_time_and_fills_its_square(
    clouds: tuple[np.ndarray, np.ndarray],
) -> None:
    vectors, _ = clouds
    first = to_plane(vectors[:80])
    np.testing.assert_array_equal(first, to_plane(vectors[:80]))
    assert first.dtype == np.float32
    np.testing.assert_allclose(first.min(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(first.max(axis=0), 1, atol=1e-6)


def test_rows_beyond_the_landmarks_land_among_their_kind(
    clouds: tuple[np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projection, "LANDMARKS", 100)
    vectors, labels = clouds
    plane = to_plane(vectors)
    distances = ((plane[:, None] - plane[None]) ** 2).sum(axis=2)
    np.fill_diagonal(distances, np.inf)
    nearest = distances.argmin(axis=1)
    assert (labels[nearest] == labels).mean() > 0.85


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 5, 7])
def test_map_of_few_or_equal_pictures_is_finite(rows: int) -> None:
    for vectors in (np.eye(rows, 9, dtype="float32"), np.ones((rows, 4), "float32")):
        plane = to_plane(vectors)
        assert plane.shape == (rows, 2)
        assert np.isfinite(plane).all()
        assert 0 <= neighbours_kept(vectors, plane) <= 1
