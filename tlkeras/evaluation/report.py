"""What `evaluate` gives: the numbers of `Results` and every way to show them."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from tlkeras.disk import write_bytes
from tlkeras.evaluation.results import Results
from tlkeras.evaluation.text import to_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from tlkeras.evaluation.calibration import Calibration
    from tlkeras.evaluation.page.mistakes import Thumbnails

MISTAKES_KEPT = 50


class Report(Results):
    """How good the answers are: numbers, intervals, tables, one page and one plot.

    Args:
        class_names: one name a column of `probabilities`, at least two.
        labels: true class indices (n,) int.
        probabilities: (n, c) float in [0, 1], every row adding to 1.
        names: which picture a row is, as text; they stay with their rows.
        title: the heading.
        thumbnails: gives a small encoded picture for a row, or None; used by `to_html`.
        story: tells what is known beside the answers, for the rows that are shown; used by
            `to_html`, and asked only then.

    >>> report = Report(("cat", "dog"), [0, 1, 1], [[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]])
    >>> report
    Report(66.7 % of 3 right, 2 classes)
    """

    def __repr__(self) -> str:
        from tlkeras.evaluation.wording import percent

        accuracy = percent(self.accuracy)
        return f"Report({accuracy} of {len(self)} right, {len(self.class_names)} classes)"

    def __str__(self) -> str:
        return to_text(self)

    def _repr_html_(self) -> str:
        from tlkeras.evaluation.page.page import to_fragment

        return to_fragment(self)

    @property
    def calibration(self) -> "Calibration":
        """How far confidence and accuracy are apart: expected calibration error, bins, plot.

        Example::

            report.calibration.ece
        """
        from tlkeras.evaluation.calibration import Calibration

        return Calibration(self.labels, self.probabilities)

    def to_dict(self) -> dict[str, object]:
        """Every number as plain Python values, ready for JSON; without the raw probabilities.

        >>> report = Report(("cat", "dog"), [0, 1], [[0.9, 0.1], [0.2, 0.8]])
        >>> report.to_dict()["accuracy"]
        1.0
        """
        return {
            "title": self.title,
            "n": len(self),
            "correct": self.correct,
            "accuracy": self.accuracy,
            "interval": list(self.interval),
            "balanced_accuracy": self.balanced_accuracy,
            "macro": _without_name(vars(self.macro)),
            "log_loss": self.log_loss,
            "mean_confidence": self.mean_confidence,
            "reliability": self.reliability,
            "baseline": dict(zip(("class", "accuracy"), self.baseline, strict=True)),
            "class_names": list(self.class_names),
            "per_class": [
                {**vars(score), "recall_interval": None if sure is None else list(sure)}
                for score, sure in zip(self.per_class, self.recall_intervals, strict=True)
            ],
            "confusion": self.confusion.tolist(),
            "mistakes": [dict(vars(mistake)) for mistake in self.worst(MISTAKES_KEPT)],
        }

    def to_json(self, path: str | Path) -> Path:
        """Write `to_dict()` as a JSON file and return its path.

        Example::

            report.to_json("report.json")
        """
        text = json.dumps(self.to_dict(), indent=2, ensure_ascii=False) + "\n"
        # An undecodable byte of a file name becomes the JSON escape that reads back the same.
        return write_bytes(path, text.encode("utf-8", "backslashreplace"))

    def to_html(self, path: str | Path, thumbnails: "Thumbnails | None" = None) -> Path:
        """Write one HTML file that works offline, and return its path.

        Of a classifier's own report it has, beside the answers, everything that is known of
        how it came about: explained mistakes, training curves, findings about the pictures,
        calibration, a map of the embeddings, parity of an export, recipe, versions and cost.

        Args:
            path: the file to write; an existing one is replaced once the new one is complete.
            thumbnails: called with a row number, gives a small JPEG, PNG, GIF or WebP file's
                bytes, or None; it is called only for the mistakes that are shown. The report's
                own when left out.

        Example::

            report.to_html("report.html", thumbnails=lambda row: Path(paths[row]).read_bytes())
        """
        from tlkeras.evaluation.page.page import to_page

        return write_bytes(path, to_page(self, thumbnails or self.thumbnails).encode("utf-8"))

    def plot(self) -> "Figure":
        """A matplotlib figure: confusion matrix, and recall of each class with its interval.

        Raises:
            MissingExtraError: matplotlib is not installed.

        Example::

            report.plot().savefig("report.png")
        """
        from tlkeras.evaluation.plots import figure

        return figure(self)


def _without_name(score: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in score.items() if key != "name"}
