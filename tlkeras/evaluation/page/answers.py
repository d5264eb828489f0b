"""What follows from the answers alone: headline, classes, confusion matrix, confused pairs."""

from html import escape

from tlkeras.evaluation.metrics import ClassScore
from tlkeras.evaluation.page.heatmap import NUMBERED_CLASSES, to_svg
from tlkeras.evaluation.page.markup import bar, counted, section, text
from tlkeras.evaluation.results import Results
from tlkeras.evaluation.wording import percent, reliability_sentence, span

MATRIX_CLASSES = 60


def headline(results: Results) -> str:
    """Accuracy with its interval, what always answering one class would give, and the tiles."""
    name, share = results.baseline
    tiles = {
        "right answers": f"{results.correct} of {len(results)}",
        "balanced accuracy": percent(results.balanced_accuracy),
        "macro F1": percent(results.macro.f1),
        "mean confidence": percent(results.mean_confidence),
        "log loss": f"{results.log_loss:.3f}",
    }
    body = "".join(
        f'<div class="tile"><b>{escape(value)}</b><span>{label}</span></div>'
        for label, value in tiles.items()
    )
    return (
        '<section><div class="headline"><div>'
        f'<div class="big">{escape(percent(results.accuracy))}</div>'
        f'<div class="soft">accuracy on {counted(len(results), "picture")}</div></div>'
        f'<div class="range">{_range(results)}</div></div><div class="tiles">{body}</div>'
        f"<p>{escape(reliability_sentence(results))}</p>"
        f"<p>Always answering “{text(name)}” would give {escape(percent(share))}.</p></section>"
    )


def _range(results: Results) -> str:
    """An axis from 0 to 100 % with the interval, the accuracy, and the majority baseline."""
    low, high = results.interval
    x0, width = 14, 472

    def at(share: float) -> float:
        return x0 + share * width

    anchor = "end" if results.accuracy > 0.5 else "start"
    edge = at(high) if anchor == "end" else at(low)
    ticks = "".join(
        f'<text class="soft" x="{at(t):.1f}" y="56" text-anchor="middle" '
        f'style="font-size:11px">{t * 100:.0f}</text>'
        for t in (0, 0.25, 0.5, 0.75, 1)
    )
    baseline = at(results.baseline[1])
    return (
        '<svg viewBox="0 0 500 62" role="img" aria-label="95 % interval">'
        f'<text x="{edge:.1f}" y="14" text-anchor="{anchor}">95 % interval '
        f"{escape(span(results.interval))}</text>"
        f'<rect x="{x0}" y="29" width="{width}" height="6" rx="3" style="fill:var(--track)"/>'
        f'<rect x="{at(low):.1f}" y="26" width="{max(at(high) - at(low), 3):.1f}" height="12" '
        'rx="6" style="fill:var(--right)" fill-opacity="0.4"/>'
        f'<line x1="{baseline:.1f}" x2="{baseline:.1f}" y1="23" y2="41" '
        'style="stroke:var(--soft)" stroke-width="2" stroke-dasharray="3 2">'
        "<title>always answering the commonest class</title></line>"
        f'<circle cx="{at(results.accuracy):.1f}" cy="32" r="7" style="fill:var(--right)"/>'
        f"{ticks}</svg>"
    )


def classes(results: Results) -> str:
    """One row a class, each share with its bar and the recall with its interval."""
    rows = "".join(map(_class_row, results.per_class, results.recall_intervals))
    macro = results.macro
    empty = sum(score.support == 0 for score in results.per_class)
    note = (
        f"{empty} {'class has' if empty == 1 else 'classes have'} no pictures here: nothing "
        "is known about how well such a class is found."
        if empty
        else ""
    )
    return section(
        "Classes",
        '<div class="scroll"><table><thead><tr><th>class</th><th>pictures</th><th>precision</th>'
        "<th>recall</th><th>95 % interval</th><th>F1</th></tr></thead>"
        f"<tbody>{rows}</tbody><tfoot><tr>"
        f"<td>mean over classes with pictures</td><td>{macro.support}</td>"
        f"<td>{bar(macro.precision)}</td><td>{bar(macro.recall)}</td><td></td>"
        f"<td>{bar(macro.f1)}</td>"
        '</tr></tfoot></table></div><p class="soft" style="margin-top:12px">Precision: of the '
        "pictures answered as this class, the share that is. Recall: of the pictures of this "
        "class, the share that is found, with Wilson's interval. F1: their harmonic mean.</p>",
        note,
    )


def _class_row(score: ClassScore, interval: tuple[float, float] | None) -> str:
    recall, sure, f1 = "-", "-", "-"
    if interval is not None:
        recall, sure, f1 = bar(score.recall), escape(span(interval)), bar(score.f1)
    return (
        f"<tr><td><bdi>{text(score.name)}</bdi></td><td>{score.support}</td>"
        f'<td>{bar(score.precision)}</td><td>{recall}</td><td class="soft">{sure}</td>'
        f"<td>{f1}</td></tr>"
    )


def matrix(results: Results) -> str:
    """The confusion matrix, of up to sixty classes."""
    count = len(results.class_names)
    if count > MATRIX_CLASSES:
        return ""
    how = "Numbers are pictures." if count <= NUMBERED_CLASSES else "Point at a cell to read it."
    return section(
        "Confusion matrix",
        f'<div class="scroll">{to_svg(results)}</div>',
        "A row is a true class, a column an answer; the colour is the share of the row, blue "
        f"right and orange wrong. {how}",
    )


def pairs(results: Results) -> str:
    """Which classes are taken for which, the commonest mistakes first."""
    count = len(results.class_names)
    found = results.confused(10 if count <= NUMBERED_CLASSES else 25)
    if not found or count < 3:
        return ""
    rows = "".join(
        f"<tr><td><bdi>{text(pair.truth)}</bdi></td>"
        f'<td class="text"><bdi>{text(pair.predicted)}</bdi></td>'
        f"<td>{pair.count} of {pair.support}</td><td>{bar(pair.count / pair.support)}</td></tr>"
        for pair in found
    )
    return section(
        "Most confused",
        '<div class="scroll"><table><thead><tr><th>true class</th><th class="text">taken for</th>'
        f"<th>pictures</th><th>share of the class</th></tr></thead><tbody>{rows}</tbody></table>"
        "</div>",
    )
