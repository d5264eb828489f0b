"""Sections told from the story; each is empty when nothing is known of it."""

from collections.abc import Mapping

import numpy as np

from tlkeras.evaluation.calibration import Calibration
from tlkeras.evaluation.page.charts.curves import curves
from tlkeras.evaluation.page.charts.projection import neighbours_kept, to_plane
from tlkeras.evaluation.page.charts.reliability import reliability
from tlkeras.evaluation.page.charts.scatter import COLOURS, NAMED_CLASSES, to_svg
from tlkeras.evaluation.page.contact_sheet import sheet_fragment
from tlkeras.evaluation.page.markup import counted, facts, section, text
from tlkeras.evaluation.page.story import Story
from tlkeras.evaluation.results import Results
from tlkeras.evaluation.wording import percent

MOST_POINTS = 10_000
LONG = 22  # characters of a value that gets a line of its own

_PHASES = {"head": "Head on the frozen backbone", "fine-tuning": "Fine-tuning"}
_COSTS = {
    "seconds": ("seconds", "{:,.1f}"),
    "passes": ("pictures through the backbone", "{:,.0f}"),
    "peak_mb": ("peak memory of the process, MB", "{:,.0f}"),
    "peak_before_mb": ("of which it had reached before, MB", "{:,.0f}"),
}


def findings(story: Story) -> str:
    """What is odd about the pictures, with the pictures."""
    if story.findings is None:
        return ""
    found = sheet_fragment(story.findings, story.picture_of or (lambda _: None), story.root)
    return section("Pictures", found, story.findings.summary)


def training(story: Story) -> str:
    """Loss and accuracy over epochs, or over the settings that were tried."""
    phases = "".join(
        f'<h3>{text(_PHASES.get(name, name))}</h3><div class="charts">{"".join(charts)}</div>'
        for name, charts in curves(story.history)
    )
    words = "A ring marks the best value on the validation part."
    return section("Training curves", phases, words) if phases else ""


def calibration(results: Results, story: Story) -> str:
    """How sure against how often right; before and after temperature scaling, if there was."""
    after = Calibration(results.labels, results.probabilities)
    temperature = story.temperature
    if temperature is None or temperature == 1:
        words = f"Expected calibration error (ECE) {percent(after.ece)}"
        words += ": no temperature was applied." if temperature else "."
        charts = reliability("As answered", after.bins)
    else:
        before = after.before(temperature)
        words = (
            f"Expected calibration error (ECE) {percent(before.ece)} before and "
            f"{percent(after.ece)} after the scores were divided by the temperature "
            f"{temperature:.3f}, which the validation part decided. Labels do not change by it."
        )
        charts = reliability("Before", before.bins) + reliability("After", after.bins)
    return section(
        "Calibration",
        f'<div class="charts">{charts}</div>',
        f"{words} Answers that are honest would come to {percent(after.by_chance)} by chance, on "
        "as few pictures. Each point is a group of answers that are about as sure as each other, "
        "with its 95 % interval: on the line confidence is honest, below it is too high.",
    )


def embedding_map(results: Results, story: Story) -> str:
    """The pictures laid out so that alike ones lie together."""
    vectors = story.vectors
    if vectors is None or story.vector_rows is None or len(vectors) < 3:
        return ""
    count = min(len(vectors), MOST_POINTS)
    some = np.linspace(0, len(vectors) - 1, count).round().astype(np.int64)
    rows, table = story.vector_rows[some], np.asarray(vectors[some], np.float32)
    plane = to_plane(table)
    kept = percent(neighbours_kept(table, plane), digits=0)
    which = f"{counted(count, 'picture')}" + (
        f" of {len(results):,}, evenly chosen" if count < len(results) else ""
    )
    classes = len(results.class_names)
    colours = "Colours are true classes" if classes <= NAMED_CLASSES else "All classes are grey"
    if COLOURS < classes <= NAMED_CLASSES:
        colours += f", each colour of more than one where there are more than {COLOURS}"
    words = (
        f"{which}, as the network sees them: alike ones lie together (t-SNE of the embeddings). "
        f"{colours}; a cross is a mistake, point at it to see which picture. Of a picture's ten "
        f"nearest neighbours the map keeps {kept}; how far groups are apart and how large they "
        "are means nothing."
    )
    drawn = to_svg(results, rows, plane)
    return section("Embedding map", f'<div class="scroll">{drawn}</div>', words)


def export(story: Story) -> str:
    """How far the export's answers are from the model's."""
    words = "Answers of the exported model, in a process of its own, against this one's."
    return section("Export", f"<p>{text(story.parity)}</p>", words) if story.parity else ""


def made(story: Story) -> str:
    """What the classifier is made of, and what was decided on the way."""
    decisions = "".join(f"<li>{text(line)}</li>" for line in story.decisions)
    listed = f"<h3>Decided without asking</h3><ul>{decisions}</ul>" if decisions else ""
    body = (facts(story.made_of) if story.made_of else "") + listed
    return section("Classifier", body) if body else ""


def recipe(story: Story) -> str:
    """Every knob."""
    return section("Recipe", _columns(story.recipe)) if story.recipe else ""


def versions(story: Story) -> str:
    """Of Python and the packages."""
    return section("Versions", _columns(story.versions)) if story.versions else ""


def cost(story: Story) -> str:
    """Seconds, passes and memory of the training, a column a step."""
    steps = {name: figures for name, figures in story.cost.items() if figures}
    if not steps:
        return ""
    head = "".join(f"<th>{text(_PHASES.get(name, name))}</th>" for name in steps)
    rows = "".join(
        f"<tr><td>{words}</td>{''.join(_figure(steps[name], key, how) for name in steps)}</tr>"
        for key, (words, how) in _COSTS.items()
        if any(key in figures for figures in steps.values())
    )
    words = "Measured where it was trained. A picture whose embedding was kept does not pass again."
    table = f"<table><thead><tr><th></th>{head}</tr></thead><tbody>{rows}</tbody></table>"
    return section("Cost", f'<div class="scroll">{table}</div>', words)


def unknown(story: Story) -> str:
    """What the page can't tell, and why."""
    if not story.missing:
        return ""
    lines = "".join(
        f"<li><b>{text(what)}</b>: {text(why)}</li>" for what, why in story.missing.items()
    )
    return section("Not known", f"<ul>{lines}</ul>")


def _figure(figures: Mapping[str, float], key: str, how: str) -> str:
    return f"<td>{how.format(figures[key]) if key in figures else '-'}</td>"


def _columns(rows: Mapping[str, object]) -> str:
    """Names and values in as many columns as fit."""
    told = {name: _value(value) for name, value in rows.items()}
    cells = "".join(
        f"<div{' class=wide' if len(value) > LONG else ''}><dt>{text(name)}</dt>"
        f"<dd>{text(value)}</dd></div>"
        for name, value in told.items()
    )
    return f'<dl class="knobs">{cells}</dl>'


def _value(value: object) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        return ", ".join(map(_value, value))
    return "-" if value is None else str(value)
