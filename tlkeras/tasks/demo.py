"""The whole main line on real pictures that come with a package: handwritten digits.

scikit-learn's digits ─ PNG files ─ TinyResNet ─ head ─ run folder ─ SavedModel ─ answers
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tlkeras.data.folder import ImageFolder
from tlkeras.errors import DataError, MissingExtraError
from tlkeras.progress import Progress
from tlkeras.tasks.image_classifier import ImageClassifier

if TYPE_CHECKING:
    from tlkeras.evaluation.report import Report

PER_CLASS = 100
SIZE_PX = 32  # the digits are 8 px; as 32 px files they can be looked at
SPLIT = (0.2, 0.1, 0.7)  # few to learn from: that is where transfer matters
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
    data = ImageFolder(pictures, split=SPLIT)
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

    Source: E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine
    Learning Repository, 1998 (CC BY 4.0), as it comes with scikit-learn.
    """
    try:
        from sklearn.datasets import load_digits
    except ModuleNotFoundError as error:
        raise MissingExtraError("scikit-learn", "demo", "The demonstration") from error
    from PIL import Image

    expected = {str(digit) for digit in range(10)}
    if folder.exists() and {path.name for path in folder.iterdir()} - expected:
        raise DataError(
            f"The demonstration writes digits to a new folder. Received: {folder}, which holds "
            "other things. Name another: tlkeras demo FOLDER."
        )
    digits = load_digits()
    for digit in range(10):
        (folder / str(digit)).mkdir(parents=True, exist_ok=True)
        own = digits.images[digits.target == digit][:PER_CLASS]
        for number, image in enumerate(own):
            path = folder / str(digit) / f"{number:03}.png"
            if not path.exists():
                ink_on_paper = Image.fromarray((255 - image / 16 * 255).astype("uint8"))
                size = (SIZE_PX, SIZE_PX)
                ink_on_paper.resize(size, Image.Resampling.BICUBIC).save(path)
    return folder


def _ask(saved_model: Path, pictures: list[tuple[Path, str]]) -> tuple[Served, ...]:
    from tlkeras.export.verify import answers_in_fresh_process

    files = [path.read_bytes() for path, _ in pictures]
    answers = answers_in_fresh_process(saved_model, files)
    rows = zip(pictures, answers["label"], answers["probabilities"], strict=True)
    return tuple(
        Served(path, truth, str(label), float(row.max())) for (path, truth), label, row in rows
    )
