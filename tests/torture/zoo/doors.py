"""Every way a user has to open a file, called as the user calls it.

Each door takes the path of a hostile file and a folder for what it writes; it raises what the
library raises. A command of the command line raises `Refused` with its message when it ends with
an exit status other than 0.
"""

import contextlib
import io
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from tests.torture.zoo.run_folders import good_run, pictures

Door = Callable[[Path, Path], object]


class Refused(Exception):  # noqa: N818 - the answer of a command, not an error of ours
    """What a command wrote on standard error before it ended with an exit status of 1 or 2."""


def _classifier(path: Path, out: Path) -> object:
    import tlkeras as tl

    return tl.ImageClassifier(path).fit(_data(out)).predict([_picture(out)]).probabilities


def _weights(path: Path, out: Path) -> object:
    import tlkeras as tl

    torch = path.suffix in (".pt", ".pth", ".bin", ".tar", ".safetensors")
    name = "ResNet18" if torch else "TinyResNet"
    return tl.ImageClassifier(name, weights=path).fit(_data(out)).predict([_picture(out)])


def _load(path: Path, out: Path) -> object:
    import tlkeras as tl

    classifier = tl.ImageClassifier.load(path)
    return classifier.predict([_picture(out)]).probabilities, classifier.model.get_weights()


def _as_run(path: Path, out: Path) -> object:
    """The file in the place of the model of a run, its hash put right; a folder as the run."""
    if path.is_dir():
        return _load(path, out)
    from tests.torture.zoo.run_folders import in_place

    name = "model.onnx" if path.suffix == ".onnx" else "model.keras"
    run = out / "as_run"
    shutil.rmtree(run, ignore_errors=True)
    shutil.copytree(good_run(out.parent), run)
    in_place(run, name, path)
    return _load(run, out)


def _onnx_to_keras(path: Path, out: Path) -> object:
    import converters

    return converters.onnx_to_keras(path).get_weights()


def _torch_to_keras(path: Path, out: Path) -> object:
    import converters

    return converters.torch_to_keras(path).get_weights()


def _torch_architecture(path: Path, out: Path) -> object:
    from torch import nn

    import converters

    def network() -> nn.Module:
        return nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten())

    return converters.torch_to_keras(path, architecture=network).get_weights()


def _tf_to_keras(path: Path, out: Path) -> object:
    import converters

    return converters.tf_to_keras(path).get_weights()


def _convert(path: Path, out: Path) -> object:
    import converters

    return converters.convert(path, out / "converted.keras")


def _compare(path: Path, out: Path) -> object:
    import converters

    return converters.compare(path, path)


def _doctor(path: Path, out: Path) -> object:
    import tlkeras as tl

    found = tl.doctor(path)
    if not found.ok:
        raise Refused(str(found))
    return found


def _command(*words: str) -> Door:
    def call(path: Path, out: Path) -> object:
        given = [word.format(path=path, out=out, picture=_picture(out)) for word in words]
        return _exit(given)

    return call


def _exit(words: list[str]) -> object:
    """Run the command line in this process; `Refused` for a refusal, whatever else as it is."""
    from tlkeras.cli.main import run

    before = sys.argv
    said, printed = io.StringIO(), io.StringIO()
    sys.argv = ["tlkeras", *words]
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(printed):
            run()
    except SystemExit as end:
        if end.code in (1, 2):
            raise Refused((said.getvalue() + printed.getvalue())[-4000:]) from end
        if end.code:
            raise RuntimeError(f"exit status {end.code}: {said.getvalue()[-500:]}") from end
    finally:
        sys.argv = before
    return printed.getvalue()


def _module(path: Path, out: Path) -> object:
    from converters.cli import main

    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        status = main([str(path), str(out / "converted.keras")])
    if status in (1, 2):
        raise Refused(said.getvalue()[-4000:])
    return status


def _data(out: Path) -> object:
    import tlkeras as tl

    return tl.ImageFolder(pictures(out.parent), seed=0)


def _picture(out: Path) -> Path:
    return pictures(out.parent) / "dark" / "0.png"


AS_RUN = "model of a run"
DOORS: dict[str, Door] = {
    "tl.ImageClassifier(path)": _classifier,
    "tl.ImageClassifier(weights=path)": _weights,
    "tl.ImageClassifier.load(path)": _load,
    AS_RUN: _as_run,
    "tl.doctor": _doctor,
    "converters.onnx_to_keras": _onnx_to_keras,
    "converters.torch_to_keras": _torch_to_keras,
    "torch_to_keras(architecture)": _torch_architecture,
    "converters.tf_to_keras": _tf_to_keras,
    "converters.convert": _convert,
    "converters.compare": _compare,
    "tlkeras doctor": _command("doctor", "{path}"),
    "tlkeras convert": _command("convert", "{path}", "{out}/command.onnx"),
    "tlkeras serve": _command("serve", "{path}", "--port", "0"),
    "tlkeras predict": _command("predict", "{path}", "{picture}"),
    "tlkeras evaluate": _command("evaluate", "{path}"),
    "tlkeras export": _command("export", "{path}", "{out}/exported"),
    "tlkeras verify": _command("verify", "{path}"),
    "python -m converters": _module,
}
# The door that files of a kind are meant for, whose refusal has to say the danger.
OWN: dict[str, str] = {
    "keras model": "tl.ImageClassifier(path)",
    "weights": "tl.ImageClassifier(weights=path)",
    "torch": "torch_to_keras(architecture)",
    "onnx": "converters.onnx_to_keras",
    "tensorflow": "converters.tf_to_keras",
    "hub": "converters.convert",
    "run": "tl.ImageClassifier.load(path)",
}
SERVING = "tlkeras serve"  # it would not end with a file that is not refused
