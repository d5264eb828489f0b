"""The card: what a run folder holds, for the person who finds it."""

from collections import Counter
from collections.abc import Mapping

from tlkeras.bundle.bundle import Bundle


def card(bundle: Bundle) -> str:
    """Markdown that says what the model does, was trained on and scores, and how to use it."""
    backbone = bundle.backbone
    state = "fine-tuned" if backbone.get("fine_tuned") else "frozen"
    return "\n".join(
        [
            f"# Classifier of {len(bundle.class_names)} classes",
            "",
            f"Takes RGB pictures of any size and answers with one of: {_listed(bundle)}.",
            "",
            "## How good it is",
            "",
            *_figures(bundle.metrics),
            "",
            "## What it was trained on",
            "",
            *_counts(bundle),
            "",
            "`data.csv` has the path and SHA-256 of every picture, its label and its part.",
            "",
            "## What it is made of",
            "",
            f"- backbone: {backbone.get('name')}, weights: {backbone.get('weights')}, {state}",
            f"- licence of the pretrained weights: {backbone.get('licence') or 'not stated'}",
            f"- pictures are resized to {backbone.get('size_px')} px inside the model",
            f"- head: {bundle.head.get('kind')}",
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


def _figures(metrics: Mapping[str, object]) -> list[str]:
    rows = []
    for part, figures in metrics.items():
        if not isinstance(figures, Mapping) or "accuracy" not in figures:
            continue
        text = f"- {part}: accuracy {figures['accuracy']:.1%}"
        if "interval" in figures:
            low, high = figures["interval"]
            text += f" (95 % interval {low:.1%} to {high:.1%}, {figures['n']} pictures)"
        rows.append(text)
    return rows or ["- not evaluated yet"]


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
