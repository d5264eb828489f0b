"""What transfer brings, in words: for a terminal, a notebook and JSON."""

from html import escape
from typing import TYPE_CHECKING

import numpy as np

from tlkeras.evaluation.wording import percent, plain, span
from tlkeras.tasks.choosing.learning_curve import points_of
from tlkeras.tasks.choosing.transfer.result import LEVEL, Pair, Transfer

if TYPE_CHECKING:
    from tlkeras.tasks.choosing.transfer.end_to_end import Course

COLUMNS = 6  # epochs that a table shows
Row = tuple[str, ...]


def verdict(transfer: Transfer) -> str:
    """Whether transfer is right here, in a few plain sentences."""
    if transfer.tells_nothing:
        return (
            f"Nothing that was tried tells these classes apart in {transfer.pictures} pictures: "
            "none is surely better than always giving the most frequent answer, which is right "
            f"for {percent(transfer.baseline)}. Look at the labels before anything else."
        )
    networks = _networks(transfer)
    if transfer.helps:
        return f"Transfer helps here. {_probes(transfer)}{networks}{_three(transfer)}"
    if transfer.helps is None:
        pair = next(one for one in transfer.pairs if one.higher == "can't tell")
        return (
            f"{transfer.pictures} pictures do not tell whether transfer helps. {_probes(transfer)} "
            f"Against {pair.against} the pretrained backbone is right {_difference(pair)}."
            f"{networks}"
        )
    return f"Transfer does not help here. {_probes(transfer)}{networks} {_why_not(transfer)}"


def to_text(transfer: Transfer) -> str:
    """Several lines for a terminal, without a newline at the end."""
    lines = [
        f"Is transfer right? {plain(transfer.backbone)} on {transfer.pictures} pictures of "
        f"{len(transfer.class_names)} classes",
        verdict(transfer),
        "",
        *_aligned(_probe_table(transfer)),
    ]
    if transfer.pretrained is not None:
        lines += ["", _conditions(transfer), *_aligned(_epoch_table(transfer))]
    if len(transfer.pairs) > 2:
        lines.append(f"at the end the pretrained network is right {_difference(transfer.pairs[2])}")
    return "\n".join([*lines, *(f"- {plain(note)}" for note in transfer.notes)])


def to_html(transfer: Transfer) -> str:
    """The same as a fragment of HTML for a notebook."""
    parts = [f"<p>{escape(verdict(transfer))}</p>", _table(_probe_table(transfer))]
    if transfer.pretrained is not None:
        parts += [f"<p>{escape(_conditions(transfer))}</p>", _table(_epoch_table(transfer))]
    notes = "".join(f"<li>{escape(plain(note))}</li>" for note in transfer.notes)
    return "".join([*parts, f"<ul>{notes}</ul>" if notes else ""])


def to_dict(transfer: Transfer) -> dict[str, object]:
    """Every number, as JSON can hold it."""
    return {
        "backbone": transfer.backbone,
        "pictures": transfer.pictures,
        "helps": transfer.helps,
        "verdict": verdict(transfer),
        "higher_start": transfer.start,
        "higher_slope": transfer.slope,
        "higher_asymptote": transfer.asymptote,
        "baseline": transfer.baseline,
        "probes": {
            name: [
                {"pictures": p.pictures, "accuracy": p.accuracy, "interval": list(p.interval)}
                for p in points_of(growth)
            ]
            for name, growth in transfer.probes.items()
        },
        "pretrained_against": [
            {
                "against": pair.against,
                "pictures": pair.n,
                "gain": pair.gain,
                "interval": list(pair.interval),
                "p": pair.p,
            }
            for pair in transfer.pairs
        ],
        "size_px": transfer.size_px,
        "pretrained": _course(transfer.pretrained) if transfer.pretrained else None,
        "untrained": [_course(course) for course in transfer.untrained],
        "notes": list(transfer.notes),
    }


def _course(course: "Course") -> dict[str, object]:
    return {
        "pictures": course.pictures,
        "accuracy_by_epoch": list(course.accuracy),
        "end": course.end,
        "finished": course.finished,
        "levelled": course.levelled,
        "seconds": round(course.seconds, 1),
    }


def _probes(transfer: Transfer) -> str:
    share = {name: percent(transfer.accuracy(name).accuracy) for name in transfer.probes}
    first, second, third = share.values()
    return (
        f"A linear head on {plain(transfer.backbone)} is right for {first} of {transfer.pictures} "
        f"pictures, on the same network untrained for {second}, on colours and layout alone for "
        f"{third}."
    )


def _networks(transfer: Transfer) -> str:
    if transfer.pretrained is None:
        return ""
    if not transfer.trained_out:
        return " The two networks were not trained to the end in the time there was."
    trained, judged = transfer.pretrained, len(transfer.pretrained.right)
    return (
        f" Trained on the same {trained.pictures} pictures, the pretrained network ends with "
        f"{percent(trained.end)} of {judged} validation pictures right, the untrained one with "
        f"{percent(transfer.untrained[-1].end)}."
    )


def _three(transfer: Transfer) -> str:
    """Torrey and Shavlik's three, those that can be told."""
    if not transfer.trained_out:
        return ""
    epochs = transfer.epochs_needed
    if epochs is None:
        faster = "whether it learns faster can't be told, as the untrained one learned nothing"
    elif epochs[0] < epochs[1]:
        faster = f"it learns faster ({_epochs(epochs[0])} against {epochs[1]})"
    else:
        faster = f"it does not learn faster ({_epochs(epochs[0])} against {epochs[1]})"
    words = {"yes": "higher", "no": "no higher", "can't tell": "not distinguishably higher"}
    return f" It starts {words[transfer.start]}, {faster}, and ends {words[transfer.asymptote]}."


def _epochs(count: int) -> str:
    return "1 epoch" if count == 1 else f"{count} epochs"


def _why_not(transfer: Transfer) -> str:
    backbone, pixels, *network = transfer.pairs
    if network and network[0].p < LEVEL and network[0].gain < 0:
        return (
            f"The untrained network ends higher ({_p(network[0])}): the tasks are too far "
            "apart for transfer to help, or there are pictures enough to do without."
        )
    if backbone.higher == "no":
        return (
            "Its pretrained weights are worth no more than random ones "
            f"({_difference(backbone)}): the tasks are too far apart for transfer to help."
        )
    return (
        f"Colours and layout tell these classes apart as well ({_difference(pixels)}), which is "
        "not what the backbone was trained to see: the tasks are too far apart for transfer to "
        "help, or this one is too simple to need it."
    )


def _difference(pair: Pair) -> str:
    low, high = (100 * end for end in pair.interval)
    if pair.gain == 0:
        words = "as often"
    else:
        words = f"{'more' if pair.gain > 0 else 'less'} often by {abs(100 * pair.gain):.1f} points"
    return f"{words}, 95 % interval {low:+.1f} to {high:+.1f}, McNemar's {_p(pair)}"


def _p(pair: Pair) -> str:
    return "p < 0.001" if pair.p < 0.001 else f"p = {pair.p:.2g}"


def _probe_table(transfer: Transfer) -> list[Row]:
    against = {pair.against: pair for pair in transfer.pairs}
    sizes = next(iter(transfer.probes.values())).pictures
    rows: list[Row] = [
        ("linear head, by pictures", *(f"{k:.0f}" for k in sizes), "95 % interval", "against it")
    ]
    for name, growth in transfer.probes.items():
        points = points_of(growth)
        shares = [percent(point.accuracy) for point in points]
        pair = against.get(name)
        rows.append((name, *shares, span(points[-1].interval), _p(pair) if pair else ""))
    return rows


def _epoch_table(transfer: Transfer) -> list[Row]:
    assert transfer.pretrained is not None
    courses = [("pretrained", transfer.pretrained)]
    courses += [("untrained", course) for course in reversed(transfer.untrained)]
    last = max(len(course.accuracy) for _, course in courses) - 1
    epochs = sorted(set(np.linspace(0, last, COLUMNS).round().astype(int).tolist()))
    rows: list[Row] = [("network", "pictures", *(f"epoch {k}" for k in epochs), "end")]
    for name, course in courses:
        shares = [percent(course.accuracy[k]) if k < len(course.accuracy) else "-" for k in epochs]
        rows.append((name, str(course.pictures), *shares, percent(course.end)))
    return rows


def _conditions(transfer: Transfer) -> str:
    assert transfer.pretrained is not None
    return (
        f"networks trained on pictures of {transfer.size_px} px, judged on "
        f"{len(transfer.pretrained.right)} validation pictures; epoch 0: a head on the network as "
        "it is; end: mean answer of the last 3 epochs"
    )


def _aligned(rows: list[Row]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _table(rows: list[Row]) -> str:
    header, *body = rows
    lines = [("th", header), *(("td", row) for row in body)]
    return (
        "<table>"
        + "".join(
            f"<tr>{''.join(f'<{tag}>{escape(cell)}</{tag}>' for cell in row)}</tr>"
            for tag, row in lines
        )
        + "</table>"
    )
