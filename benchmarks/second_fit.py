"""What the cache saves: the second fit on 400 pictures beside the first.

    python benchmarks/second_fit.py [--data ../shared/data]

The cache starts empty. `again` is a second `fit` of the same classifier; `fresh` is the fit of
a new one, which builds its backbone anew (as it did the first time) but finds every embedding.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

from probe import BACKBONE, WEIGHTS, clothing

import tlkeras as tl
from tlkeras.progress import silent

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument(
    "--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data"
)


def fit(classifier: tl.ImageClassifier, folder: tl.ImageFolder) -> float:
    """Seconds that one fit takes."""
    started = time.perf_counter()
    classifier.fit(folder, progress=silent)
    return time.perf_counter() - started


def main() -> None:
    options = parser.parse_args()
    import tensorflow  # noqa: F401 - its import is not what is measured

    with tempfile.TemporaryDirectory() as cache:
        os.environ["TLKERAS_CACHE"] = cache
        folder = clothing(options.data, seed=0)
        classifier = tl.ImageClassifier(BACKBONE, weights=options.data / WEIGHTS)
        first = fit(classifier, folder)
        again = fit(classifier, folder)
        fresh = fit(tl.ImageClassifier(BACKBONE, weights=options.data / WEIGHTS), folder)
    print(f"{len(folder.train) + len(folder.validation)} pictures, {BACKBONE}")
    print(f"first   {first:7.2f} s")
    print(f"again   {again:7.2f} s   {again / first:.3f} of the first")
    print(f"fresh   {fresh:7.2f} s   {fresh / first:.3f} of the first")


if __name__ == "__main__":
    main()
