"""tlkeras to a trained head, in a process of its own: ImageFolder, ImageClassifier, fit.

    python -m benchmarks.peers.tlkeras_head DATA --weights FILE [--set precision=bfloat16]

DATA has class folders, of which a fifth validates and none is kept aside, as the peers have it; or
train/, val/ and test/ above them. With --score the accuracies come from the training part alone
(no refit), as a peer's do. Prints one JSON object.
"""

import argparse
import json
import time
from pathlib import Path

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("data", type=Path)
parser.add_argument("--backbone", default="MobileNetV2")
parser.add_argument("--weights", type=Path)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--set", action="append", default=[], metavar="KNOB=VALUE")
parser.add_argument("--score", action="store_true", help="test accuracy too")


def value_of(text: str) -> object:
    """A knob's value: JSON where it is, else the text itself."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def main() -> None:
    options = parser.parse_args()
    started = time.perf_counter()
    import tlkeras as tl
    from tlkeras.progress import silent

    knobs = {name: value_of(text) for name, _, text in (k.partition("=") for k in options.set)}
    if options.score:
        knobs.setdefault("refit", False)
    recipe = tl.Recipe(seed=options.seed).replace(**knobs)
    data = tl.ImageFolder(options.data, split=(0.8, 0.2, 0.0), seed=options.seed)
    opened = time.perf_counter()
    classifier = tl.ImageClassifier(options.backbone, weights=options.weights, recipe=recipe)
    classifier.fit(data, progress=silent)
    found = {
        "classes": len(classifier.class_names),
        "pictures": len(data.train) + len(data.validation),
        "open_s": opened - started,
        "fit_s": time.perf_counter() - opened,
        "validation_accuracy": float(classifier._fitted.validation.accuracy),
        "decisions": list(classifier.decisions),
    }
    if options.score and len(data.test):
        found["test_accuracy"] = float(classifier.evaluate(data.test, progress=silent).accuracy)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
