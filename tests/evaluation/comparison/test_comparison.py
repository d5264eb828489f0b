"""Comparisons against counting by hand, SciPy and scikit-learn."""

import json

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import accuracy_score

from tlkeras.errors import DataError
from tlkeras.evaluation.comparison import Compared, Comparison
from tlkeras.evaluation.comparison.pair import holm

CLASSES = ("daisy", "iris", "rose")


def answers(labels: np.ndarray, accuracy: float, seed: int) -> np.ndarray:
    """Answers (n,) of a made-up classifier that is right about so often."""
    rng = np.random.default_rng(seed)
    wrong = rng.random(len(labels)) > accuracy
    return np.where(wrong, (labels + rng.integers(1, 3, len(labels))) % 3, labels)


def compared(n: int, accuracies: dict[str, float], notes: tuple[str, ...] = ()) -> Comparison:
    labels = np.random.default_rng(7).integers(0, 3, n)
    models = [
        Compared(name, answers(labels, share, seed), 2.0 + seed, 4.0 + seed)
        for seed, (name, share) in enumerate(accuracies.items())
    ]
    paths = tuple(f"test/{row:03}.jpg" for row in range(n))
    return Comparison(CLASSES, labels, paths, models, notes)


def test_accuracy_is_that_of_sklearn_and_its_interval_holds_it() -> None:
    comparison = compared(157, {"a": 0.7, "b": 0.8})
    for row, model in zip(comparison.table, comparison.models, strict=True):
        assert row.accuracy == accuracy_score(comparison.labels, model.predicted)
        assert row.interval[0] < row.accuracy < row.interval[1]


def test_p_is_of_the_pictures_that_only_one_has_right() -> None:
    comparison = compared(157, {"a": 0.6, "b": 0.8})
    first, second = (model.predicted == comparison.labels for model in comparison.models)
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    (pair,) = comparison.pairs
    assert (pair.only_first, pair.only_second) == (only_first, only_second)
    assert only_first != only_second
    assert pair.p == pytest.approx(binomtest(only_first, only_first + only_second).pvalue)


def test_flips_are_the_pictures_with_different_answers_wrong_ones_included() -> None:
    comparison = compared(157, {"a": 0.5, "b": 0.5})
    first, second = (model.predicted for model in comparison.models)
    rows = np.flatnonzero(first != second)
    assert [flip.path for flip in comparison.flips] == [f"test/{row:03}.jpg" for row in rows]
    assert comparison.flips[3].truth == CLASSES[comparison.labels[rows[3]]]
    assert comparison.flips[3].answers == (CLASSES[first[rows[3]]], CLASSES[second[rows[3]]])
    (pair,) = comparison.pairs
    assert pair.flips == len(rows) > pair.only_first + pair.only_second


def test_clearly_better_classifier_is_named() -> None:
    (pair,) = compared(300, {"worse": 0.5, "better": 0.9}).pairs
    assert pair.better == "better"
    assert pair.sentence.startswith("better is right more often than worse, by ")


def test_few_pictures_cannot_tell_near_classifiers_apart_and_say_how_many_would() -> None:
    labels = np.arange(120) % 3
    first, second = labels.copy(), labels.copy()
    first[:7], second[5:9] = (labels[:7] + 1) % 3, (labels[5:9] + 1) % 3
    models = [Compared("a", first), Compared("b", second)]
    comparison = Comparison(CLASSES, labels, tuple(map(str, range(120))), models)
    (pair,) = comparison.pairs
    assert (pair.only_first, pair.only_second) == (2, 5)
    assert pair.better is None
    assert "a and b are not distinguishable with 120 test pictures" in comparison.sentences[0]
    assert pair.needed is not None
    assert pair.needed > 120
    assert f"about {pair.needed:,} pictures" in comparison.sentences[0]


def test_equal_answers_are_said_to_be_equal() -> None:
    labels = np.array([0, 1, 2, 2])
    same = [Compared("a", np.array([0, 1, 1, 2])), Compared("b", np.array([0, 1, 1, 2]))]
    comparison = Comparison(CLASSES, labels, ("1", "2", "3", "4"), same)
    assert comparison.sentences == ("a and b give the same answer to all 4 test pictures.",)
    assert comparison.flips == ()
    assert comparison.pairs[0].p == 1.0


def test_as_many_right_but_on_other_pictures_names_no_number() -> None:
    labels = np.array([0, 1, 2, 2])
    models = [Compared("a", np.array([0, 1, 1, 2])), Compared("b", np.array([0, 0, 2, 2]))]
    (pair,) = Comparison(CLASSES, labels, ("1", "2", "3", "4"), models).pairs
    assert pair.needed is None
    assert "no number of pictures can be named" in pair.sentence


def test_of_many_pairs_one_that_chance_explains_is_not_called_better() -> None:
    comparison = compared(200, {f"run {seed}": 0.8 for seed in range(8)})
    assert len(comparison.pairs) == 28
    assert min(pair.p for pair in comparison.pairs) < 0.1
    assert all(pair.better is None for pair in comparison.pairs)
    assert all(pair.p_adjusted >= pair.p for pair in comparison.pairs)


def test_holm_is_the_smallest_level_at_which_his_procedure_rejects() -> None:
    shares = [0.004, 0.03, 0.0001, 0.2, 0.011, 0.03]

    def rejected(level: float) -> set[int]:
        order = sorted(range(len(shares)), key=lambda row: shares[row])
        found = set()
        for rank, row in enumerate(order):
            if shares[row] > level / (len(shares) - rank):
                break
            found.add(row)
        return found

    levels = np.linspace(0.0001, 1.0, 10_000)
    for row, adjusted in enumerate(holm(shares)):
        first = next((level for level in levels if row in rejected(level)), 1.0)
        assert adjusted == pytest.approx(first, abs=2e-4)


def test_text_has_every_figure_and_lines_that_fit() -> None:
    comparison = compared(157, {"small": 0.6, "large": 0.9}, notes=("Timed on this machine.",))
    text = str(comparison)
    table = [line.split() for line in text.splitlines() if line.startswith(("small", "large"))][:2]
    assert [row[1] for row in table] == [str(row.correct) for row in comparison.table]
    assert "2.0 MB" in text
    assert "5.0 ms" in text
    assert "Timed on this machine." in text
    assert comparison.flips[0].path in text
    assert f"and {len(comparison.flips) - 10} more" in text
    assert max(map(len, text.splitlines())) <= 100


def test_names_from_strangers_steer_neither_terminal_nor_page() -> None:
    labels = np.array([0, 1])
    models = [Compared("a\x1b[31m", np.array([0, 1])), Compared("<b>", np.array([1, 1]))]
    comparison = Comparison(("x", "<y>"), labels, ("p\x1b.jpg", "q"), models)
    assert "\x1b" not in str(comparison)
    page = comparison._repr_html_()
    assert "\x1b" not in page
    assert "<b>" not in page
    assert "<y>" not in page


def test_json_holds_every_flip_and_number() -> None:
    comparison = compared(157, {"a": 0.5, "b": 0.9, "c": 0.7})
    told = json.loads(json.dumps(comparison.to_dict()))
    assert told["n"] == 157
    assert len(told["flips"]) == len(comparison.flips)
    assert told["models"][1]["correct"] == comparison.table[1].correct
    assert [pair["p"] for pair in told["pairs"]] == [pair.p for pair in comparison.pairs]


def test_plot_draws_each_classifier_and_each_pair() -> None:
    figure = compared(157, {"a$": 0.5, "b": 0.9, "c": 0.7}).plot()
    left, right = figure.axes
    assert [text.get_text() for text in left.get_yticklabels()] == ["a$", "b", "c"]
    assert len(right.get_yticklabels()) == 3
    assert figure._repr_png_().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "predicted", [np.array([0, 1]), np.array([0, 1, 3]), np.array([0.0, 1.0, 2.0])]
)
def test_answers_to_other_pictures_are_refused(predicted: np.ndarray) -> None:
    models = [Compared("a", np.array([0, 1, 2])), Compared("b", predicted)]
    with pytest.raises(DataError, match="Received for b"):
        Comparison(CLASSES, np.array([0, 1, 2]), ("1", "2", "3"), models)


@pytest.mark.parametrize("names", [("a",), ("a", "a")])
def test_one_classifier_or_equal_names_are_refused(names: tuple[str, ...]) -> None:
    models = [Compared(name, np.array([0, 1, 2])) for name in names]
    with pytest.raises(DataError, match="Received"):
        Comparison(CLASSES, np.array([0, 1, 2]), ("1", "2", "3"), models)
