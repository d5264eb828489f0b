"""The whole main line on real pictures that come with a package: handwritten digits.

scikit-learn's digits ─ PNG files ─ TinyResNet ─ head ─ run folder ─ SavedModel ─ answers
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from tlkeras.data.folder import ImageFolder
from tlkeras.disk import sweep, unused
from tlkeras.errors import DataError, MissingExtraError
from tlkeras.progress import Progress
from tlkeras.tasks.image_classifier import ImageClassifier

if TYPE_CHECKING:
    from tlkeras.evaluation.report import Report

PER_CLASS = 150
PAGE_PX = 64
DIGIT_PX = (26, 52)
TILT_DEGREES = 15
FILES_TO_SEND = 8


@dataclass(frozen=True)
class Served:
    """One picture that was sent to the SavedModel as bytes, and what came back."""

    path: Path
    truth: str
    label: str
    score: float


@dataclass(frozen=True)
class Demo:
    """What the demonstration came to, and where everything is."""

    pictures: Path
    run: Path
    saved_model: Path
    page: Path
    transferred: "Report"
    untrained: "Report"
    served: tuple[Served, ...]


def run_demo(folder: Path, progress: Progress | None = None) -> Demo:
    """Train on digits with the built-in backbone, save, export, and ask the SavedModel.

    Args:
        folder: gets `digits/`, `run/`, `report.html` and `serve/digits/1/`.
        progress: told how far the work is; None shows it in the terminal or the log.

    Raises:
        MissingExtraError: scikit-learn, which has the pictures, is not installed.
        DataError: the folder holds something else than an earlier demonstration.
    """
    pictures = write_digits(folder / "digits")
    data = ImageFolder(pictures)
    untrained = ImageClassifier("TinyResNet", weights=None).fit(data, progress=progress)
    classifier = ImageClassifier("TinyResNet", weights="builtin").fit(data, progress=progress)
    baseline = untrained.evaluate(data.test, progress=progress)
    report = classifier.evaluate(data.test, progress=progress)
    page = report.to_html(folder / "report.html")
    run = classifier.save(folder / "run")
    saved_model = classifier.export(folder / "serve" / "digits" / "1")
    sent = data.test.pictures[:: max(1, len(data.test) // FILES_TO_SEND)][:FILES_TO_SEND]
    return Demo(
        pictures=pictures,
        run=run,
        saved_model=saved_model,
        page=page,
        transferred=report,
        untrained=baseline,
        served=_ask(saved_model, [(p.path, data.class_names[p.label]) for p in sent]),
    )


def write_digits(folder: Path) -> Path:
    """Class folders 0 … 9 of real handwritten digits as PNG files; kept if already there.

    The scans are 8 px, cut out and centred. Each is laid on a 64 px page at a place, size and
    tilt of its own, the same every time, as a camera would see it: centred and of one size, the
    digits need no recognising, and any network does.

    Source: E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine
    Learning Repository, 1998 (CC BY 4.0), as it comes with scikit-learn.
    """
    try:
        from sklearn.datasets import load_digits
    except ModuleNotFoundError as error:
        raise MissingExtraError("scikit-learn", "demo", "The demonstration") from error

    expected = {str(digit) for digit in range(10)}
    if folder.exists() and {path.name for path in folder.iterdir()} - expected:
        raise DataError(
            f"The demonstration writes digits to a new folder. Received: {folder}, which holds "
            "other things. Name another: tlkeras demo FOLDER."
        )
    digits = load_digits()
    for digit in range(10):
        (folder / str(digit)).mkdir(parents=True, exist_ok=True)
        sweep(folder / str(digit))
        own = digits.images[digits.target == digit][:PER_CLASS]
        for number, ink in enumerate(own):
            path = folder / str(digit) / f"{number:03}.png"
            if not path.exists():
                fresh = unused(path)  # a kill leaves no half picture by that name
                _page(ink, np.random.default_rng((digit, number))).save(fresh, "PNG")
                os.replace(fresh, path)
    return folder


def _page(ink: np.ndarray, rng: np.random.Generator) -> Image.Image:
    """A grey page with the scan (8, 8) float in [0, 16] somewhere on it, dark on white."""
    side = int(rng.integers(*DIGIT_PX))
    scan = Image.fromarray((255 - ink / 16 * 255).astype("uint8"))
    scan = scan.resize((side, side), Image.Resampling.BICUBIC)
    tilt = rng.uniform(-TILT_DEGREES, TILT_DEGREES)
    scan = scan.rotate(tilt, Image.Resampling.BICUBIC, fillcolor=255)
    page = Image.new("L", (PAGE_PX, PAGE_PX), 255)
    left, top = rng.integers(0, PAGE_PX - side + 1, 2)
    page.paste(scan, (int(left), int(top)))
    return page


def _ask(saved_model: Path, pictures: list[tuple[Path, str]]) -> tuple[Served, ...]:
    from tlkeras.export.verify import answers_in_fresh_process

    files = [path.read_bytes() for path, _ in pictures]
    answers = answers_in_fresh_process(saved_model, files)
    rows = zip(pictures, answers["label"], answers["probabilities"], strict=True)
    return tuple(
        Served(path, truth, str(label), float(row.max())) for (path, truth), label, row in rows
    )
