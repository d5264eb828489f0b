"""`tlkeras explain`: a drawing a picture, of what spoke for its label."""

from pathlib import Path
from typing import cast

from PIL import Image

import tlkeras as tl
from tlkeras.cli import out
from tlkeras.data.picture import printable
from tlkeras.data.sources import gather
from tlkeras.disk import write_bytes
from tlkeras.errors import DataError, DecodeError
from tlkeras.evaluation.explain import Explanation, Method
from tlkeras.evaluation.explain.explanation import MARK
from tlkeras.evaluation.wording import percent, plain


def run(
    folder: Path, pictures: list[str], to: Path, label: str | None, method: str, json: bool
) -> bool:
    """Write a JPEG a picture into `to`; True when every picture could be read."""
    sources = [Path(str(source)) for source in gather(pictures)]
    classifier = tl.ImageClassifier.load(folder)
    written: list[dict[str, object]] = []
    taken: set[Path] = set()
    unreadable: dict[str, str] = {}
    for source in sources:
        try:
            found = classifier.explain(source, label=label, method=cast("Method", method))
        except DecodeError as error:
            unreadable[printable(source)] = error.reason
            continue
        file = _written(found, _free(to, f"{source.stem}.{method}", taken))
        taken.add(file)
        written.append({**found.to_dict(), "file": printable(file)})
        if not json:
            out.line(_line(found, file))
    if json:
        out.as_json({"explanations": written, "unreadable": unreadable})
    else:
        for name, reason in unreadable.items():
            out.line(f"{plain(name)}: could not be read: {plain(reason)}")
    return not unreadable


def _line(found: Explanation, file: Path) -> str:
    said = f"{plain(found.label)} {percent(found.probability)}"
    if found.label != found.answer:
        said += f" (answered as {plain(found.answer)})"
    if not found.coarse.any():
        said += ", nothing speaks for it"
    return f"{plain(found.name)}: {said} → {printable(file)}"


def _free(folder: Path, stem: str, taken: set[Path]) -> Path:
    """A name in the folder that no file has but an older drawing of this command."""
    number = 1
    while True:
        file = folder / (f"{stem}.jpg" if number == 1 else f"{stem}-{number}.jpg")
        if file not in taken and (not file.exists() or _is_drawing(file)):
            return file
        number += 1


def _is_drawing(file: Path) -> bool:
    try:
        with Image.open(file) as picture:
            return picture.info.get("comment") == MARK
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return False


def _written(found: Explanation, file: Path) -> Path:
    try:
        return write_bytes(file, found.overlay(max_px=1024))
    except OSError as error:
        raise DataError(
            f"The drawings go into a folder that can be written. Received: {error}. Name another "
            "with --to."
        ) from error
