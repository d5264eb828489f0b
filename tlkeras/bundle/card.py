"""The card: what a run folder holds, for the person who finds it."""

from collections import Counter
from typing import cast

from tlkeras.bundle.bundle import Bundle


def card(bundle: Bundle) -> str:
    """Markdown that says what the model does, was trained on and scores, and how to use it."""
    backbone = bundle.backbone
    state = "fine-tuned" if backbone["fine_tuned"] else "frozen"
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
            "`data.csv` has the path and SHA-256 of every picture, its label and its part.",
            "",
            "## What it is made of",
            "",
            f"- backbone: {backbone['name']}, weights: {backbone['weights']}, {state}",
            f"- licence of the pretrained weights: {backbone['licence'] or 'not stated'}",
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
            "Without tlkeras; the pixels are RGB in [0, 255], and columns are in the order of",
            "`labels.txt`:",
            "",
            "```python",
            "import keras",
            "",
            'model = keras.models.load_model("this/folder/model.keras")',
            "probabilities = model.predict(pixels)  # (n, height, width, 3) -> (n, classes)",
            "```",
            "",
            "## Limits",
            "",
            "It answers with one of its classes for every picture, also for one that shows none",
            "of them. The figures hold for pictures like those it was tested on.",
            "",
        ]
    )


def _listed(bundle: Bundle) -> str:
    names = [f"`{name}`" for name in bundle.class_names]
    return ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")


def _figures(bundle: Bundle) -> list[str]:
    rows = [f"- validation: accuracy {bundle.validation['accuracy']:.1%}"]
    for part, figures in bundle.metrics.items():
        low, high = cast(list[float], figures["interval"])
        rows.append(
            f"- {part}: accuracy {figures['accuracy']:.1%} (95 % interval {low:.1%} to "
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
            f"| {name} | " + " | ".join(str(counts[name, part]) for part in parts) + " |"
            for name in bundle.class_names
        ),
    ]
