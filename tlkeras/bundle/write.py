"""Bundle → run folder, complete or not at all."""

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
    ONNX,
    OPTIONAL,
    OUTPUTS,
    RECIPE,
    UNKNOWN,
    VERSIONS,
    Bundle,
    not_ours,
)
from tlkeras.bundle.card import card
from tlkeras.bundle.index import is_run, sha256
from tlkeras.bundle.outputs import to_json
from tlkeras.bundle.portable import check_portable
from tlkeras.bundle.unknown import facts, to_npy
from tlkeras.data.columns.csv_rows import csv_text
from tlkeras.errors import BundleError

DATA_COLUMNS = ("path", "sha256", "label", "part")


def save(bundle: Bundle, folder: str | Path) -> Path:
    """The run folder; an earlier run there is replaced once the new one is complete.

    Files that somebody added to the earlier run are kept.

    Raises:
        BundleError: the folder holds something that is no run, or can't be written, or the model
            has weights that are no numbers or layers that plain Keras can't open; nothing has
            changed.

    Example::

        save(bundle, "runs/flowers")
    """
    target = Path(folder).resolve()
    _check_target(target)
    try:
        with fresh_folder(target, not_ours, bundle.network.size_bytes) as fresh:
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
    if target.is_dir() and (is_run(target) or not any(target.iterdir())):
        return
    raise BundleError(
        f"A run is saved to a new folder, or over an earlier run. Received: {target}, which is "
        f"{'a folder of something else' if target.is_dir() else 'a file'}. Name another folder."
    )


def _write(bundle: Bundle, folder: Path) -> None:
    bundle.network.write_keras(folder / MODEL)
    check_portable(folder / MODEL)
    bundle.network.write_onnx(folder / ONNX)
    decided = bundle.validation
    unknown = bundle.network.unknown
    if unknown is not None:
        (folder / UNKNOWN).write_bytes(to_npy(unknown))
        decided = {**decided, "unknown": facts(unknown)}
    if bundle.outputs is not None:
        text = to_json(bundle.outputs)
        (folder / OUTPUTS).write_bytes(text.encode("ascii"))
    optional = [name for name in OPTIONAL if (folder / name).exists()]
    texts = {
        LABELS: "".join(f"{name}\n" for name in bundle.class_names),
        RECIPE: _json(bundle.recipe),
        METRICS: _json({"validation": decided, **bundle.metrics}),
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
        "sha256": {name: sha256(folder / name) for name in (*FILES, *optional)},
    }
    (folder / INDEX).write_text(_json(index), encoding="utf-8")


def _json(content: object) -> str:
    # ASCII, since a file name may hold bytes that are no UTF-8.
    return json.dumps(content, indent=2, ensure_ascii=True, default=_plain) + "\n"


def _plain(value: object) -> object:
    """NumPy's numbers and arrays as Python's, paths as text."""
    if isinstance(value, Path):
        return str(value)
    tolist = getattr(value, "tolist", None)
    if tolist is None:
        raise BundleError(
            "A run folder's JSON files take numbers, texts, lists and dicts. "
            f"Received: {value!r:.80}. Turn it into one of these."
        )
    return tolist()


def _columns(rows: Sequence[Mapping[str, object]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for row in rows for name in row))


def _csv(rows: Sequence[Mapping[str, object]], columns: Sequence[str]) -> str:
    return csv_text([columns, *([row.get(name, "") for name in columns] for row in rows)])
