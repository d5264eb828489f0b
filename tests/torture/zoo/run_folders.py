"""Run folders of strangers: their hashes are right, since whoever made them wrote the hashes."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.torture.zoo import keras_files, onnx_files
from tests.torture.zoo.den import Den, beast

RUN = "run"
DEEP = 100_000


def pictures(home: Path) -> Path:
    """Class folders with eight small pictures each."""
    import numpy as np
    from PIL import Image

    folder = home / "pictures"
    rng = np.random.default_rng(0)
    for kind in ("dark", "light"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        for number in range(8):
            file = folder / kind / f"{number}.png"
            if not file.exists():
                low = 0 if kind == "dark" else 160
                pixels = rng.integers(low, low + 90, (40, 48, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(file)
    return folder


def good_run(home: Path) -> Path:
    """A run folder that nothing is wrong with."""
    import tlkeras as tl

    folder = home / "good_run"
    if not folder.exists():
        data = tl.ImageFolder(pictures(home), seed=0)
        classifier = tl.ImageClassifier("TinyResNet", weights="builtin").fit(data)
        classifier.save(folder)
    return folder


def _with(den: Den, change: Callable[[Path], object], name: str | None = None) -> None:
    """A copy of the good run, changed; the hash of the changed file put right."""
    shutil.rmtree(den.path, ignore_errors=True)
    shutil.copytree(good_run(den.home), den.path)
    change(den.path)
    if name is not None:
        digest = hashlib.sha256((den.path / name).read_bytes()).hexdigest()
        _with_index(den.path, lambda index: index["sha256"].update({name: digest}))


def _with_index(run: Path, change: Callable[[dict[str, Any]], object]) -> None:
    index = json.loads((run / "bundle.json").read_text())
    change(index)
    (run / "bundle.json").write_text(json.dumps(index))


def _keras(den: Den, make: Callable[[Den], None]) -> None:
    lair = Den(den.home, f"{den.name}.keras").ready()
    make(lair)
    _with(den, lambda run: shutil.copyfile(lair.path, run / "model.keras"), "model.keras")


@beast("lambda_run", RUN, "Lambda")
def _lambda(den: Den) -> None:
    _keras(den, keras_files._lambda)


@beast("popen_run", RUN, "Popen of subprocess")
def _popen(den: Den) -> None:
    _keras(den, keras_files._popen)


@beast("slip_run", RUN, "written or read elsewhere")
def _slip(den: Den) -> None:
    _keras(den, keras_files._zip_slip)


@beast("deep_config_run", RUN, "lists and objects deep")
def _deep_config(den: Den) -> None:
    _keras(den, keras_files._deep)


@beast("stealing_onnx_run", RUN, "another file")
def _stealing(den: Den) -> None:
    _with(
        den,
        lambda run: onnx_files.stealing(run / "model.onnx", f"../../{den.secret.name}"),
        "model.onnx",
    )


@beast("constant_onnx_run", RUN, "ConstantOfShape")
def _constant(den: Den) -> None:
    lair = Den(den.home, f"{den.name}.onnx").ready()
    onnx_files._constant(lair)
    _with(den, lambda run: shutil.copyfile(lair.path, run / "model.onnx"), "model.onnx")


@beast("deep_index_run", RUN, "lists and objects deep")
def _deep_index(den: Den) -> None:
    _with(den, lambda run: (run / "bundle.json").write_bytes(b"[" * DEEP + b"]" * DEEP))


@beast("deep_metrics_run", RUN, "lists and objects deep")
def _deep_metrics(den: Den) -> None:
    _with(den, lambda run: (run / "metrics.json").write_bytes(b"[" * DEEP), "metrics.json")


@beast("pipe_run", RUN, "regular file")
def _pipe(den: Den) -> None:
    def change(run: Path) -> None:
        (run / "labels.txt").unlink()
        os.mkfifo(run / "labels.txt")

    _with(den, change)


@beast("endless_run", RUN, "link to")
def _endless(den: Den) -> None:
    def change(run: Path) -> None:
        (run / "labels.txt").unlink()
        (run / "labels.txt").symlink_to("/dev/zero")

    _with(den, change)


@beast("linked_run", RUN, "link to")
def _linked(den: Den) -> None:
    def change(run: Path) -> None:
        (run / "model.onnx").unlink()
        (run / "model.onnx").symlink_to(den.secret)

    _with(den, change, "model.onnx")


@beast("labels_bomb_run", RUN, "bytes")
def _labels(den: Den) -> None:
    def change(run: Path) -> None:
        with (run / "labels.txt").open("wb") as file:
            file.truncate(8 << 30)  # takes no room on the disk

    _with(den, change)


@beast("pickle_table_run", RUN, "table")
def _pickle(den: Den) -> None:
    import numpy as np

    from tests.torture.zoo.den import Payload

    def change(run: Path) -> None:
        table = np.array([[Payload(den.command)]], dtype=object)
        np.save(run / "unknown.npy", table, allow_pickle=True)

    _with(den, change, "unknown.npy")


@beast("head_run", RUN, "function system of os")
def _head(den: Den) -> None:
    call = {"module": "os", "class_name": "function", "config": "system", "registered_name": ""}
    layer = keras_files.named("keras.layers", "Dense", name="d", units=2, activation=call)
    _with(
        den, lambda run: _with_index(run, lambda i: i["head"].update(kind="layers", layers=[layer]))
    )


@beast("odd_index_run", RUN, "other kinds")
def _odd(den: Den) -> None:
    _with(den, lambda run: _with_index(run, lambda index: index.update(backbone=[], head="x")))


@beast("private_pictures_run", RUN, "", refused=False)
def _private(den: Den) -> None:
    """Pictures of a stranger's manifest: a device in the place of one is not read."""

    def change(run: Path) -> None:
        table = (run / "data.csv").read_text().splitlines()
        rows = [line.split(",", 1) for line in table[1:]]
        lines = [table[0], *(f"/dev/zero,{rest}" for _, rest in rows)]
        (run / "data.csv").write_text("\n".join(lines) + "\n")

    _with(den, change, "data.csv")


def in_place(run: Path, name: str, file: Path) -> None:
    """Put a file into a run under a name of the run's, with its hash."""
    shutil.copyfile(file, run / name)
    digest = hashlib.sha256((run / name).read_bytes()).hexdigest()
    _with_index(run, lambda index: index["sha256"].update({name: digest}))
