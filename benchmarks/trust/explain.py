"""Does hiding what an explanation names cost the class more than hiding as much elsewhere?

    python -m benchmarks.trust.explain [--data ../shared/data] [--pictures 50]

For 50 test pictures of each set, the hottest fifth of the pixels becomes the picture's mean
colour, and the class that was answered is scored again. Beside it: a fifth of the pixels at
random, and the same mask shifted to a random place (as many pixels, in patches of the same
shape), each drawn five times. MobileNetV2-0.35 with pretrained weights and a linear head.
"""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

import tlkeras as tl
from benchmarks.harness.machine import ROOT, described
from benchmarks.harness.results import RESULTS, written
from benchmarks.probe import BACKBONE, WEIGHTS, cats_dogs, clothing
from tlkeras.evaluation.explain import METHODS, Explanation, explain_each
from tlkeras.evaluation.explain.explanation import replaced
from tlkeras.evaluation.explain.scores import log_odds
from tlkeras.progress import silent

SHARE, DRAWS = 0.2, 5
SETS: Mapping[str, Callable[[Path, int], tl.ImageFolder]] = {
    "cats_dogs": cats_dogs,
    "clothing_small": clothing,
}

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
parser.add_argument("--pictures", type=int, default=50)


def fitted(data: Path, name: str) -> tuple[tl.ImageClassifier, tl.ImageFolder]:
    """The classifier of a set, and the set."""
    folder = SETS[name](data, 0)
    clf = tl.ImageClassifier(BACKBONE, weights=data / WEIGHTS).fit(folder, progress=silent)
    return clf, folder


def explained(
    clf: tl.ImageClassifier, folder: tl.ImageFolder, method: str, pictures: int
) -> list[Explanation]:
    """Explanations of the answers to test pictures, taken evenly from the part."""
    places = np.linspace(0, len(folder.test) - 1, pictures).round().astype(int)
    paths = [folder.test.pictures[place].path for place in places]
    size_px = clf.source.spec().size_px
    return explain_each(clf.model, paths, size_px, clf.class_names, method=method)


def losses(
    clf: tl.ImageClassifier, found: list[Explanation], seed: int = 0
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """By what is hidden: what that costs each class, log-odds (n,) and probability (n,)."""
    rng = np.random.default_rng(seed)
    columns = np.array([clf.class_names.index(each.label) for each in found])
    before = clf.predict([each.pixels for each in found], progress=silent).probabilities

    def cost(hidden: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        after = clf.predict(hidden, progress=silent).probabilities
        rows = list(zip(before, after, columns, strict=True))
        odds = [log_odds(b[None], c)[0] - log_odds(a[None], c)[0] for b, a, c in rows]
        return np.array(odds), np.array([b[c] - a[c] for b, a, c in rows])

    def drawn(mask: Callable[[Explanation], np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        draws = [cost([replaced(each.pixels, mask(each)) for each in found]) for _ in range(DRAWS)]
        return np.mean([odds for odds, _ in draws], 0), np.mean([p for _, p in draws], 0)

    return {
        "hottest fifth": cost([each.masked(SHARE) for each in found]),
        "same shape, random place": drawn(lambda each: _shifted(each, rng)),
        "random pixels": drawn(lambda each: rng.random(each.heat.shape) < SHARE),
    }


def _shifted(found: Explanation, rng: np.random.Generator) -> np.ndarray:
    hot = found.heat >= np.quantile(found.heat, 1 - SHARE)
    height, width = hot.shape
    return np.roll(hot, (rng.integers(height), rng.integers(width)), (0, 1))


def row(found: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> list[dict[str, object]]:
    """Means with 95 % intervals, and for how many pictures the hottest fifth cost more."""
    hottest = found["hottest fifth"][0]
    rows: list[dict[str, object]] = []
    for name, (odds, probability) in found.items():
        cost: dict[str, object] = {
            "hidden": name,
            "log_odds": _mean(odds),
            "probability": _mean(probability),
        }
        if odds is not hottest:
            cost["hottest_costs_more_by"] = _mean(hottest - odds)
            cost["hottest_costs_more_for"] = int((hottest > odds).sum())
        rows.append(cost)
    return rows


def _mean(values: np.ndarray) -> list[float]:
    """Mean and half of its 95 % interval."""
    half = 1.96 * values.std(ddof=1) / len(values) ** 0.5
    return [round(float(values.mean()), 4), round(float(half), 4)]


def main() -> None:
    options = parser.parse_args()
    rows = []
    for name in SETS:
        clf, folder = fitted(options.data, name)
        for method in METHODS:
            found = explained(clf, folder, method, options.pictures)
            for each in row(losses(clf, found)):
                rows.append({"set": name, "method": method, **each})
                print(rows[-1], flush=True)
    document = {
        "benchmark": "explain",
        "machine": described(peak=False),
        "settings": {
            "backbone": BACKBONE,
            "pictures": options.pictures,
            "share": SHARE,
            "draws": DRAWS,
        },
        "rows": rows,
    }
    print(written(document, RESULTS / "explain.json"))


if __name__ == "__main__":
    main()
