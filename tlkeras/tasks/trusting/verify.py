"""A run folder against its own record: files, pictures, answers, weights, exports.

files ─ hashes ─▶ data ─ hashes ─▶ outputs ─ the same pictures again ─▶ (weights) ─▶ exports
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tlkeras.bundle.bundle import CARD, DATA, FILES, MODEL, ONNX, OPTIONAL
from tlkeras.bundle.index import Index, read_index, sha256
from tlkeras.bundle.outputs import Outputs
from tlkeras.bundle.read import MOST_TEXT
from tlkeras.data.picture import printable
from tlkeras.disk import size_of
from tlkeras.errors import BundleError, TlkerasError
from tlkeras.progress import Progress, showing
from tlkeras.tasks.image_classifier import ImageClassifier
from tlkeras.tasks.trusting.exports import Export, exports, tree_hash
from tlkeras.tasks.trusting.verification import Check, Verification
from tlkeras.threads import cores, in_order

_NAMED = 3  # of many, so many are named
_CHANGED = "has other bytes"

_States = dict[tuple[str, str], str]
"""Path and hash of a picture → what is off with the file there; empty where nothing is."""


def verify(
    run: str | Path, *, deep: bool = False, progress: Progress | None = None
) -> Verification:
    """What of a run folder is no longer as it was saved, and what of it can't be looked at.

    Looked at: the hash of every file of the folder; the pictures that it was trained with, as far
    as they are still where they were; a few of them are answered again and held against what was
    answered then; artefacts that were exported from it. Hashes tell damage and later changes.
    Whoever can write the folder can write its record too: they are no signature.

    Args:
        run: the folder that `tlkeras train` or `clf.save` wrote.
        deep: load the Keras model too (seconds): hold its answers against the record as well, and
            the weights of its backbone against their fingerprint.
        progress: told how far the work is; None shows it in the terminal or the log.

    Raises:
        BundleError: the folder is no run folder, or its record can't be read.

    Example::

        print(tl.verify("runs/flowers"))
    """
    folder = Path(run)
    index = read_index(folder)
    files = _files(folder, index)
    found = [files]
    with showing(progress) as show:
        if files.state == "wrong":
            found.append(Check("outputs", "unknown", "not asked, since files differ"))
        else:
            classifier = ImageClassifier._loaded(folder, hashed=True)
            states = _pictures(classifier, show)
            found.append(_data(states))
            found += _outputs(classifier, states, deep, show)
            if deep:
                found.append(_weights(classifier))
    found.append(_licence(index))
    found += _exports(folder, index)
    return Verification(str(folder), found)


def _files(folder: Path, index: Index) -> Check:
    known = (*FILES, *OPTIONAL)
    recorded = {name: digest for name, digest in index["sha256"].items() if name in known}
    states = {name: _file(folder, name, digest) for name, digest in recorded.items()}
    off = [f"{name} {state}" for name, state in states.items() if state and name != CARD]
    if off:
        return Check(
            "files",
            "wrong",
            f"of {len(recorded)}, {', '.join(off)}",
            "take a copy of the folder that is whole, or train again",
        )
    edited = f"; {CARD} was edited, which is allowed" if states[CARD] else ""
    return Check("files", "right", f"{len(recorded)} as they were saved{edited}")


def _file(folder: Path, name: str, digest: str) -> str:
    """Empty where a run's file has that hash; one that `load` would not read is not read here."""
    if not (folder / name).resolve().is_relative_to(folder.resolve()):
        return "is a link to elsewhere"
    if name not in (MODEL, ONNX) and size_of(folder / name) > MOST_TEXT:
        return f"has more than {MOST_TEXT:,} bytes"
    return _state(folder / name, digest)


def _state(file: Path, digest: str) -> str:
    """Empty where the file has that hash."""
    try:
        return "" if sha256(file) == digest else _CHANGED
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"can't be read ({error})"


def _pictures(classifier: ImageClassifier, show: Progress) -> _States:
    """State of every picture of the manifest, each file hashed once."""
    rows = [(str(row["path"]), str(row["sha256"])) for row in classifier._trained().manifest]
    states = []
    for number, found in enumerate(in_order(_picture, rows, ahead=4 * cores()), start=1):
        states.append(found)
        show("hashing the pictures", number, len(rows))
    return dict(zip(rows, states, strict=True))


def _picture(row: tuple[str, str]) -> str:
    path, digest = row
    return _state(Path(path), digest)


def _data(states: _States) -> Check:
    changed = [path for (path, _), found in states.items() if found == _CHANGED]
    gone = [path for (path, _), found in states.items() if found not in ("", _CHANGED)]
    unchanged = len(states) - len(changed) - len(gone)
    told = f"of {len(states):,} pictures in {DATA}, {unchanged:,} are unchanged"
    if gone:
        told += f"; {len(gone):,} are not there: {_some(gone)}"
    if changed:
        told += f"; {len(changed):,} changed since: {_some(changed)}"
        return Check("data", "wrong", told, "train again, or bring the pictures back")
    return Check("data", "unknown" if gone else "right", told)


def _outputs(
    classifier: ImageClassifier, states: _States, deep: bool, show: Progress
) -> Iterator[Check]:
    kept = classifier._trained().outputs
    if kept is None or not len(kept):
        told = "the folder has no answers to compare with"
        yield Check("outputs", "unknown", told, "save the run again with this release")
        return
    asked = zip(kept.paths, kept.sha256, strict=True)
    here = [
        row
        for row, one in enumerate(asked)
        if not (states[one] if one in states else _picture(one))
    ]
    if not here:
        told = f"none of the {len(kept)} pictures is still there unchanged"
        yield Check("outputs", "unknown", told)
        return
    network = classifier._trained().network
    try:
        given = classifier.predict([kept.paths[row] for row in here], progress=show).probabilities
        yield _compared(kept, here, given, "")
        if deep:
            from tlkeras.data.pipeline import load_pixels

            side = (classifier._trained().spec.size_px,) * 2
            pixels = np.stack([load_pixels(Path(kept.paths[row]), side) for row in here])
            by_keras = np.asarray(network.model(pixels, training=False))
            yield _compared(kept, here, by_keras, " by model.keras")
    except TlkerasError as error:
        yield Check("outputs", "wrong", f"the network does not answer: {error}", "train again")


def _compared(kept: Outputs, here: list[int], given: np.ndarray, by: str) -> Check:
    expected = kept.probabilities[here]
    away = np.nan_to_num(np.abs(given - expected).max(axis=1), nan=np.inf)
    worst = int(away.argmax())
    told = (
        f"{len(here)} of {len(kept)} pictures were asked again{by}; the largest difference of a "
        f"probability is {away[worst]:.1g}"
    )
    if away[worst] <= kept.tolerance:
        return Check("outputs", "right", told)
    return Check(
        "outputs",
        "wrong",
        f"{told}, more than {kept.tolerance:g}, for {printable(kept.paths[here[worst]])}",
        "compare versions.json with what is installed here",
    )


def _weights(classifier: ImageClassifier) -> Check:
    from tlkeras.backbones.hashing import fingerprint
    from tlkeras.tasks.network.assembly import backbone_of

    fitted = classifier._trained()
    recorded = fitted.network.fingerprint
    found = fingerprint(backbone_of(classifier.model))
    kind = "as fine-tuning left them" if fitted.fine_tuned else "the pretrained ones"
    if found == recorded:
        return Check("weights", "right", f"of the backbone: {kind} ({found[:12]})")
    return Check(
        "weights",
        "wrong",
        f"the backbone's are {found[:12]}, not the {recorded[:12]} of the record",
        "take a copy of the folder that is whole, or train again",
    )


def _licence(index: Index) -> Check:
    backbone = index["backbone"]
    licence = backbone["licence"]
    told = f"of the pretrained weights ({backbone['name']}, {backbone['weights']}): "
    if not licence:
        return Check("licence", "unknown", f"{told}not stated by whoever published them")
    return Check("licence", "right", told + licence)


def _exports(folder: Path, index: Index) -> Iterator[Check]:
    try:
        listed = exports(folder)
    except BundleError as error:
        yield Check("export", "unknown", str(error))
        return
    for export in listed:
        yield _export(folder, index, export)


def _export(folder: Path, index: Index, export: Export) -> Check:
    place = export.place(folder)
    told = f"{export.format} of {export.date[:10]} at {printable(place)}"
    try:
        found = tree_hash(place)
    except FileNotFoundError:
        return Check("export", "unknown", f"{told} is no longer there")
    except OSError as error:
        return Check("export", "unknown", f"{told} can't be read ({error})")
    if found != export.sha256:
        return Check("export", "wrong", f"{told} has other bytes", "export it again")
    if export.model != index["sha256"][MODEL]:
        return Check("export", "wrong", f"{told} is of an earlier model", "export it again")
    return Check("export", "right", f"{told} is as it was written")


def _some(paths: list[str]) -> str:
    named = ", ".join(printable(path) for path in paths[:_NAMED])
    return named + (f" and {len(paths) - _NAMED:,} more" if len(paths) > _NAMED else "")
