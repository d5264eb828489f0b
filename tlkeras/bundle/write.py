"""Bundle → run folder, complete or not at all."""

import csv
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from tlkeras.bundle.atomic import fresh_folder
from tlkeras.bundle.bundle import (
    CARD,
    DATA,
    FILES,
    FORMAT,
    FORMAT_VERSION,
    HISTORY,
    INDEX,
    LABELS,
    METRICS,
    MODEL,
    RECIPE,
    VERSIONS,
    Bundle,
)
from tlkeras.bundle.card import card
from tlkeras.errors import BundleError

DATA_COLUMNS = ("path", "sha256", "label", "part")


def save(bundle: Bundle, folder: str | Path) -> Path:
    """The run folder; an earlier run there is replaced once the new one is complete.

    Files that somebody added to the earlier run are kept.

    Raises:
        BundleError: the folder holds something that is no run, or can't be written; nothing
            has changed.

    Example::

        save(bundle, "runs/flowers")
    """
    target = Path(folder).resolve()
    _check_target(target)
    try:
        with fresh_folder(target, kept=_not_ours) as fresh:
            _write(bundle, fresh)
    except OSError as error:
        raise BundleError(
            f"The run is written to {folder}. Received: {error}. "
            "Make room on the disk, or name a folder that can be written."
        ) from error
    return Path(folder)


def _check_target(target: Path) -> None:
    if not target.exists():
        return
    if target.is_dir() and ((target / INDEX).is_file() or not any(target.iterdir())):
        return
    raise BundleError(
        f"A run is saved to a new folder, or over an earlier run. Received: {target}, which is "
        f"{'a folder of something else' if target.is_dir() else 'a file'}. Name another folder."
    )


def _not_ours(old: Path) -> list[str]:
    return [path.name for path in old.iterdir() if path.name not in (*FILES, INDEX)]


def _write(bundle: Bundle, folder: Path) -> None:
    bundle.model.save(folder / MODEL)
    texts = {
        LABELS: "".join(f"{name}\n" for name in bundle.class_names),
        RECIPE: _json(bundle.recipe),
        METRICS: _json({"validation": bundle.validation, **bundle.metrics}),
        HISTORY: _csv(bundle.history, _columns(bundle.history)),
        DATA: _csv(bundle.manifest, DATA_COLUMNS),
        VERSIONS: _json(bundle.versions),
        CARD: card(bundle),
    }
    for name, text in texts.items():
        # A file name that is no UTF-8 comes back the same through surrogateescape.
        (folder / name).write_bytes(text.encode("utf-8", "surrogateescape"))
    index = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "class_names": list(bundle.class_names),
        "backbone": bundle.backbone,
        "head": bundle.head,
        "sha256": {
            name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in FILES
        },
    }
    (folder / INDEX).write_text(_json(index), encoding="utf-8")


def _json(content: object) -> str:
    return json.dumps(content, indent=2, ensure_ascii=True) + "\n"


def _columns(rows: Sequence[Mapping[str, object]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for row in rows for name in row))


def _csv(rows: Sequence[Mapping[str, object]], columns: Sequence[str]) -> str:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
