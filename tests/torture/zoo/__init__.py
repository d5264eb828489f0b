"""A zoo of hostile model files, each at every door that a user has.

    den.py              what a hostile file is, and where its canary sits
    keras_files.py      code, foreign classes, links, bombs in .keras and .h5
    torch_files.py      pickles, programs, TorchScript, safetensors, timm folders
    onnx_files.py       other files, giant shapes, depth, cycles
    tensorflow_files.py SavedModels, frozen graphs, .tflite, TF.js
    run_folders.py      run folders whose hashes are right
    doors.py            the doors     keeper.py, watched.py  the process they are opened in

Every payload only touches a file in a temporary folder.
"""

import tempfile
import time
from contextlib import closing
from pathlib import Path

from tests.torture.rows import Row
from tests.torture.zoo import (
    keras_files,
    onnx_files,
    run_folders,
    tensorflow_files,
    torch_files,
)
from tests.torture.zoo.den import BEASTS

__all__ = ["BEASTS", "keras_files", "onnx_files", "run", "run_folders", "tensorflow_files"]
__all__ += ["torch_files"]


def run(budget_s: float, seed: int) -> list[Row]:
    """One row: hostile files at every door, as many as the time allows, in the seed's order."""
    from tests.torture.zoo.watched import Outcome, outcomes, shuffled

    done: list[Outcome] = []
    end = time.monotonic() + budget_s
    with (
        tempfile.TemporaryDirectory(prefix="zoo-", ignore_cleanup_errors=True) as folder,
        closing(outcomes(shuffled(BEASTS.values(), seed), Path(folder))) as found,
    ):
        for outcome in found:
            done.append(outcome)
            if time.monotonic() > end:
                break
    wrong = [one for one in done if one.wrong]
    files = len({one.beast for one in done})
    worst = f"{max((one.seconds for one in done), default=0):.1f} s"
    first = f"{wrong[0].beast} at {wrong[0].door}: {wrong[0].wrong}" if wrong else "no canary fired"
    refused = sum(one.refused for one in done)
    said = f"{files} of {len(BEASTS)} files, {refused} refusals; {first[:200]}"
    return [Row("zoo", "opened hostile model files", len(done), len(wrong), worst, said)]
