"""The order, the shortlist and the words of a ranking, from made-up answers."""

import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binomtest

from tlkeras.errors import BackboneError
from tlkeras.selection.candidate import Candidate, LeftOut, accuracy_of
from tlkeras.selection.ranking import Ranking, p_value


def candidate(name: str, right: Sequence[bool], ms: float | None = 3.0) -> Candidate:
    answers = np.array(right)
    accuracy, interval = accuracy_of(answers)
    return Candidate(
        name=name,
        accuracy=accuracy,
        interval=interval,
        knn=0.61,
        logme=0.123,
        h_score=4.5,
        ms_per_picture=ms,
        peak_mb=150.0,
        size_mb=9.7,
        published_top1=71.3,
        licence="Apache-2.0",
        engine="onnxruntime",
        right=answers,
    )


BEST = candidate("good", [True] * 80 + [False] * 20, ms=8.0)
# Against the best 6 pictures lost and 4 won.
CLOSE = candidate("close", [True] * 74 + [False] * 22 + [True] * 4, ms=2.0)  # 6 lost, 4 won
POOR = candidate("poor", [True] * 40 + [False] * 60, ms=1.0)


def test_the_most_accurate_comes_first() -> None:
    ranking = Ranking.of([POOR, CLOSE, BEST])
    assert [one.name for one in ranking.table] == ["good", "close", "poor"]
    assert ranking.best is BEST
    assert ranking.pictures == 100


def test_of_equally_accurate_ones_the_faster_comes_first() -> None:
    quick, untimed = (
        replace(BEST, name="quick", ms_per_picture=1.0),
        replace(BEST, name="untimed", ms_per_picture=None),
    )
    names = [one.name for one in Ranking.of([untimed, BEST, quick]).table]
    assert names == ["quick", "good", "untimed"]


def test_p_value_is_that_of_the_exact_binomial_test() -> None:
    assert p_value(BEST, CLOSE) == pytest.approx(binomtest(4, 10).pvalue)
    assert p_value(BEST, POOR) == pytest.approx(binomtest(0, 40).pvalue)


def test_shortlist_has_what_cannot_be_told_from_the_best_fastest_first() -> None:
    assert [one.name for one in Ranking.of([BEST, CLOSE, POOR]).shortlist] == ["close", "good"]


def test_reason_names_those_that_are_alike_and_the_fastest() -> None:
    reason = Ranking.of([BEST, replace(CLOSE, size_mb=20.0), POOR]).reason
    assert reason == (
        "good comes first, right about 80.0 % of 100 pictures, and these pictures cannot tell "
        "close from it; close is the fastest (2 ms a picture), good the smallest (9.7 MB)."
    )


def test_reason_of_a_clear_winner_has_the_next_one_and_p() -> None:
    reason = Ranking.of([BEST, POOR]).reason
    assert "clearly more often than any other: the next, poor, about 40.0 %" in reason
    assert "p < 0.001" in reason


def test_reason_of_one_alone_says_so() -> None:
    assert "no other to compare it with" in Ranking.of([BEST]).reason


def test_no_candidate_is_refused_with_the_reasons() -> None:
    with pytest.raises(BackboneError, match="VGG16: 59 MB are more than 20"):
        Ranking.of([], [LeftOut("VGG16", "59 MB are more than 20")])


def test_dict_is_json_and_has_every_figure() -> None:
    told = json.loads(json.dumps(Ranking.of([BEST, POOR], [LeftOut("x", "y")], ["n"]).to_dict()))
    assert told["best"] == "good"
    assert told["shortlist"] == ["good"]
    assert told["left_out"] == [{"name": "x", "reason": "y"}]
    assert told["notes"] == ["n"]
    assert set(told["table"][0]) == set(vars(BEST)) - {"right", "backbone"}


def test_text_has_a_row_each_with_a_mark_for_the_shortlist() -> None:
    lines = str(Ranking.of([BEST, CLOSE, POOR], notes=["judged on few"])).splitlines()
    rows = [line for line in lines if "Apache-2.0" in line]
    assert [line[0] for line in rows] == ["*", "*", " "]
    assert [line[1:].split()[0] for line in rows] == ["good", "close", "poor"]
    assert "80.0 %" in lines[3]
    assert "71.1 to 86.7 %" in lines[3]
    assert "judged on few" in lines


def test_text_counts_many_left_out_for_one_reason() -> None:
    left_out = [LeftOut(f"net{number}", "not here") for number in range(9)]
    text = str(Ranking.of([BEST], [*left_out, LeftOut("VGG16", "too large")]))
    assert "left out: 9 backbones such as net0 (not here)" in text
    assert "left out: VGG16 (too large)" in text


def test_unknown_figures_are_dashes() -> None:
    bare = replace(BEST, ms_per_picture=None, peak_mb=None, published_top1=None, licence="")
    assert str(Ranking.of([bare])).splitlines()[3].endswith("-        -  9.7      -  not stated")


def test_repr_is_one_line() -> None:
    ranking = Ranking.of([BEST, replace(CLOSE, name="x\ny")], [LeftOut("VGG16", "too large")])
    assert repr(ranking) == "Ranking(best good, 80.0 % of 100 pictures; 2 ranked, 1 left out)"


def test_html_escapes_names() -> None:
    html = Ranking.of([replace(BEST, name="<script>")])._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


def test_text_steers_no_terminal() -> None:
    assert "\x1b" not in str(Ranking.of([replace(BEST, name="a\x1b[31mb")], [LeftOut("\x1b", "r")]))


def test_plot_has_a_point_and_an_interval_for_each_timed_candidate() -> None:
    untimed = replace(POOR, name="$x$", ms_per_picture=None)
    axes = Ranking.of([BEST, CLOSE, untimed]).plot().axes[0]
    lines = [line for line in axes.lines if len(line.get_xdata()) == 2]
    assert sorted(line.get_xdata()[0] for line in lines) == [2.0, 8.0]
    best = next(line for line in lines if line.get_xdata()[0] == 8.0)
    np.testing.assert_allclose(best.get_ydata(), [100 * edge for edge in BEST.interval])
    assert {text.get_text() for text in axes.texts} == {"good", "close"}
    assert "not timed: $x$" in axes.get_xlabel()


def test_plot_area_is_in_proportion_to_the_size() -> None:
    small = replace(CLOSE, size_mb=BEST.size_mb / 4)
    axes = Ranking.of([BEST, small]).plot().axes[0]
    drawn = [points for points in axes.collections if len(points.get_offsets())]
    areas = sorted(points.get_sizes()[0] for points in drawn)
    assert areas[-1] == pytest.approx(4 * areas[-2])


def test_plot_is_written_as_a_file(tmp_path: object) -> None:
    file = tmp_path / "ranking.png"
    Ranking.of([BEST, CLOSE, POOR]).plot().savefig(file)
    assert file.read_bytes().startswith(b"\x89PNG")
