"""`tlkeras export`: a run folder becomes artefacts that work without this library."""

from dataclasses import dataclass
from pathlib import Path

import tlkeras as tl
from tlkeras.cli import out
from tlkeras.errors import ExportError
from tlkeras.export.formats.table import FORMATS, find_format, parity_note
from tlkeras.export.serving.readme import readme_beside


@dataclass(frozen=True)
class Wanted:
    """Formats by name, and what some of them are asked for."""

    formats: tuple[str, ...]
    opset: int | None = None
    max_drop: float = 0.02

    @classmethod
    def from_text(cls, to: str, opset: int | None, max_drop: float) -> "Wanted":
        """Names parted by commas; each once, and each checked before anything is loaded."""
        names = dict.fromkeys(name.strip() for name in to.split(",") if name.strip())
        return cls(tuple(find_format(name).name for name in names), opset, max_drop)


def list_formats(json: bool) -> None:
    """Print the table of formats."""
    if json:
        out.as_json([vars(entry) for entry in FORMATS.values()])
        return
    for entry in FORMATS.values():
        out.line(f"{entry.name:15} {entry.ends.format(run='RUN')}")
        out.line(f"{'':15} for      {entry.purpose}")
        out.line(f"{'':15} runs by  {', '.join(entry.needs)}")
        out.line(f"{'':15} inside   {', '.join(entry.inside)}")
        out.line(f"{'':15} takes    {entry.takes}")
        out.line(f"{'':15} held to  {entry.tolerance}")


def run(folder: Path, to: Path | None, wanted: Wanted, json: bool) -> None:
    """Write each artefact, and print where it is and how far it agrees."""
    if not wanted.formats:
        raise ExportError(
            f"Expected a format of {', '.join(FORMATS)}. Received: none. Name one with --to."
        )
    clf = tl.ImageClassifier.load(folder)
    told = []
    for name in wanted.formats:
        place = _place(name, wanted.formats, folder, to)
        path = clf.export(place, format=name, opset=wanted.opset, max_drop=wanted.max_drop)  # type: ignore[arg-type]
        told.append(_told(name, path))
        if not json:
            _say(told[-1])
    if json:
        out.as_json(told[0] if len(told) == 1 else {"artefacts": told})


def _place(name: str, names: tuple[str, ...], run: Path, to: Path | None) -> Path:
    """FOLDER, or a version below it, for a SavedModel alone; else the format's own place in it."""
    if to is not None and names == ("saved_model",):
        return to
    title = run.resolve().name
    return FORMATS[name].place(to or Path("exported") / title, title)


def _told(name: str, path: Path) -> dict[str, object]:
    note = parity_note(path)
    parity = note.get("parity", note)
    title = "SavedModel" if name == "saved_model" else name
    told: dict[str, object] = {"path": str(path), "format": title, "parity": parity}
    if name == "saved_model" and (readme := readme_beside(path)):
        told["readme"] = str(readme)
    return told | ({"quality": note["quality"]} if "quality" in note else {})


def _say(told: dict[str, object]) -> None:
    from tlkeras.export.formats.quality import Quality
    from tlkeras.export.verify import ServedParity

    parity = dict(told["parity"])  # type: ignore[call-overload]
    served = ServedParity(**{**parity, "not_decodable": tuple(parity["not_decodable"])})
    out.line(f"{told['format']}: {told['path']}")
    if "readme" in told:
        out.line(f"How to serve and ask it: {told['readme']}")
    quantised = told["format"] in ("litert-int8", "litert-dynamic", "c")
    against = "itself, as it was measured" if quantised else "the model"
    out.line(f"Loaded in a fresh process and compared with {against}: {served}")
    for row in told.get("quality", []):  # type: ignore[attr-defined]
        out.line(f"Compared with the model: {Quality(**row)}")
