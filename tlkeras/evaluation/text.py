"""Results as plain text for a terminal: headline, class table, what is confused with what."""

from tlkeras.evaluation.metrics import ClassScore
from tlkeras.evaluation.results import Results
from tlkeras.evaluation.wording import (
    columns,
    percent,
    plain,
    reliability_sentence,
    shortened,
    span,
)

NAME_WIDTH = 32
MOST_ROWS = 50
PAIRS = 5


def to_text(results: Results) -> str:
    """A plain text summary of several lines, without a newline at its end.

    >>> print(to_text(Results(("cat", "dog"), [0, 1, 1], [[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]])))
    Evaluation
    Accuracy 66.7 % (2 of 3 right, 95 % interval 20.8 to 93.9 %)
    Balanced accuracy 75.0 %, macro F1 66.7 %, log loss 0.511
    Always answering 'dog' would give 66.7 %.
    On average it is 80.0 % sure and 66.7 % right: its confidence agrees with its accuracy, as far
    as 3 pictures tell.
    <BLANKLINE>
    class          pictures  precision   recall       F1
    cat                   1     50.0 %    100 %   66.7 %
    dog                   2      100 %   50.0 %   66.7 %
    macro average         3     75.0 %   75.0 %   66.7 %
    <BLANKLINE>
    Most confused
      dog taken for cat: 1 of 2
    """
    return "\n".join([*_headline(results), "", *_table(results), *_pairs(results)])


def _headline(results: Results) -> list[str]:
    name, share = results.baseline
    return [
        plain(results.title),
        f"Accuracy {percent(results.accuracy)} ({results.correct} of {len(results)} right, "
        f"95 % interval {span(results.interval)})",
        f"Balanced accuracy {percent(results.balanced_accuracy)}, "
        f"macro F1 {percent(results.macro.f1)}, log loss {results.log_loss:.3f}",
        f"Always answering '{shortened(name, NAME_WIDTH)}' would give {percent(share)}.",
        *_wrapped(reliability_sentence(results)),
    ]


def _table(results: Results) -> list[str]:
    scores = list(results.per_class)
    left_out = len(scores) - MOST_ROWS
    note = []
    if left_out > 0:
        scores = sorted(scores, key=lambda s: (s.support == 0, s.f1))[:MOST_ROWS]
        note = [f"{left_out} classes with a higher F1 or no pictures are not shown."]
    rows = [_row(score) for score in [*scores, results.macro]]
    width = max(columns(row[0]) for row in [*rows, ["class"]])
    header = ["class", "pictures", "precision", "recall", "F1"]
    return [_line(row, width) for row in [header, *rows]] + note


def _row(score: ClassScore) -> list[str]:
    # A dash, since 0 % of no pictures would read as a failure.
    recall = percent(score.recall) if score.support else "-"
    f1 = percent(score.f1) if score.support else "-"
    name = shortened(score.name, NAME_WIDTH)
    return [name, str(score.support), percent(score.precision), recall, f1]


def _line(cells: list[str], width: int) -> str:
    name, pictures, precision, recall, f1 = cells
    padded = name + " " * (width - columns(name))
    return f"{padded}  {pictures:>8}  {precision:>9}  {recall:>7}  {f1:>7}"


def _pairs(results: Results) -> list[str]:
    pairs = results.confused(PAIRS)
    if not pairs:
        return ["", "No mistakes."]
    return ["", "Most confused"] + [
        f"  {shortened(p.truth, NAME_WIDTH)} taken for {shortened(p.predicted, NAME_WIDTH)}: "
        f"{p.count} of {p.support}"
        for p in pairs
    ]


def _wrapped(sentence: str, width: int = 95) -> list[str]:
    lines = [""]
    for word in sentence.split(" "):
        # "93.3 %" stays on one line.
        if word != "%" and len(lines[-1]) + len(word) >= width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}" if lines[-1] else word
    return lines
