"""The card: what a run folder holds, for the person who finds it."""

import hashlib
from collections import Counter
from typing import cast

from tlkeras.bundle.bundle import Bundle
from tlkeras.data.picture import printable


def card(bundle: Bundle) -> str:
    """Markdown that says what the model does, was trained on and scores, and how to use it."""
    backbone = bundle.backbone
    state = "fine-tuned" if backbone["fine_tuned"] else "frozen"
    name, weights = _text(backbone["name"]), _text(backbone["weights"])
    return "\n".join(
        [
            f"# Classifier of {len(bundle.class_names)} classes",
            "",
            f"Takes RGB pictures of any size and answers with one of: {_listed(bundle)}.",
            "",
            "## How good it is",
            "",
            *_figures(bundle),
            "",
            "## What it was trained on",
            "",
            *_counts(bundle),
            "",
            f"{len(bundle.manifest)} pictures. `data.csv` has the path and SHA-256 of each, its "
            "label and its part;",
            f"the SHA-256 over hashes, labels and parts is `{data_fingerprint(bundle)}`.",
            "",
            "## What it is made of",
            "",
            f"- backbone: {name}, weights: {weights}, {state}",
            f"- licence of the pretrained weights: {_text(backbone['licence'] or 'not stated')}",
            f"- pictures are resized to {backbone['size_px']} px inside the model",
            f"- head: {bundle.head['kind']}",
            f"- seed: {bundle.recipe.get('seed')}; every other knob is in `recipe.json`",
            "",
            "## How to use it",
            "",
            "```python",
            "import tlkeras as tl",
            "",
            'clf = tl.ImageClassifier.load("this/folder")',
            'clf.predict("picture.jpg").labels',
            'clf.export("serve/1")                # a SavedModel from image bytes to labels',
            "```",
            "",
            "Without tlkeras; the pixels are RGB in [0, 255], of any size:",
            "",
            "```python",
            "from pathlib import Path",
            "",
            "import keras",
            "import numpy as np",
            "from PIL import Image, ImageOps",
            "",
            'model = keras.models.load_model("this/folder/model.keras")',
            'labels = Path("this/folder/labels.txt").read_text(encoding="utf-8").split("\\n")',
            'picture = ImageOps.exif_transpose(Image.open("picture.jpg")).convert("RGB")',
            "pixels = np.asarray(picture, np.float32)[None]         # (1, height, width, 3)",
            "probabilities = model.predict(pixels, verbose=0)[0]    # (classes,)",
            "print(labels[probabilities.argmax()], probabilities.max())",
            "```",
            "",
            "## Limits",
            "",
            "It answers with one of its classes for every picture, also for one that shows none",
            f"of them. {_unknown(bundle)}",
            "The figures hold for pictures like those it was tested on; the intervals",
            "count every picture as taken on its own, and are too narrow where several show the",
            "same thing.",
            "",
        ]
    )


def _unknown(bundle: Bundle) -> str:
    score = bundle.network.unknown
    if score is None:
        return ""
    return (
        "`unknown_score` says how unlike the training pictures a picture is; of pictures like "
        f"them at most {score.false_alarms:.2g} have one above 1 (limit set on {score.rows} "
        "validation pictures). It often misses another class of the same kind."
    )


def data_fingerprint(bundle: Bundle) -> str:
    """SHA-256 over hash, label and part of every picture, whatever their order and paths."""
    rows = sorted(f"{row['sha256']} {row['label']} {row['part']}" for row in bundle.manifest)
    return hashlib.sha256("\n".join(rows).encode("utf-8", "surrogateescape")).hexdigest()


def _text(name: object) -> str:
    """Foreign text as Markdown that shows it as it is: no link, no table cell, no HTML."""
    return "".join(f"\\{c}" if c in "\\`*[]<>|&" else c for c in printable(str(name)))


def _listed(bundle: Bundle) -> str:
    names = [_text(name) for name in bundle.class_names]
    return ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")


def _figures(bundle: Bundle) -> list[str]:
    rows = [f"- validation: accuracy {bundle.validation['accuracy']:.1%}"]
    for part, figures in bundle.metrics.items():
        low, high = cast(list[float], figures["interval"])
        rows.append(
            f"- {_text(part)}: accuracy {figures['accuracy']:.1%} (95 % interval {low:.1%} to "
            f"{high:.1%}, {figures['n']} pictures)"
        )
    return rows


def _counts(bundle: Bundle) -> list[str]:
    counts = Counter((str(row["label"]), str(row["part"])) for row in bundle.manifest)
    parts = ("train", "validation", "test")
    return [
        "| class | train | validation | test |",
        "|---|---|---|---|",
        *(
            f"| {_text(name)} | " + " | ".join(str(counts[name, part]) for part in parts) + " |"
            for name in bundle.class_names
        ),
    ]
