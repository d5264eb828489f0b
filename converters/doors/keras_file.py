"""Files that Keras itself loads: looked through first, then loaded in safe mode, uncompiled.

.keras  archive ─ its members ─ config.json ─ model.weights.h5 ┐
.h5     model_config ───────────────────────── links and sizes ┴─▶ keras.saving.load_model

Nothing else in this house asks Keras to load a file.
"""

import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from converters.doors.archives import START, check_archive
from converters.doors.json_text import first_bytes, read_json
from converters.doors.keras_config import CODE, refused_objects
from converters.errors import ReadError, UnsafeFileError

if TYPE_CHECKING:
    import keras

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
_ASSETS = "assets/"
_HDF5 = b"\x89HDF\r\n\x1a\n"
_SHOWN = 5
_SAFE_WAY = (
    "Where the file was made and is trusted, build the same from "
    "keras.layers and keras.ops and save it again, or export it to ONNX (converters.keras_to_onnx)."
)


def open_keras(path: str | Path) -> "keras.Model":
    """The model in a file of Keras 3, `.keras` or whole-model HDF5, told by its content.

    Raises:
        UnsafeFileError: code, classes that are not Keras' own, links to other files, or an
            archive that leads outside.
        ReadError: a broken file, one of weights alone, or one that Keras does not open.

    Example::

        model = open_keras("classifier.keras")
    """
    import keras

    path = Path(path)
    zipped = check_keras(path)
    with _named_for_keras(path, ".keras" if zipped else ".h5") as named:
        try:
            model: keras.Model = keras.saving.load_model(named, compile=False, safe_mode=True)
        except Exception as err:  # Keras and h5py raise a dozen kinds for a file they cannot open
            reason = (str(err).strip() or type(err).__name__).splitlines()[0].split(". ")[0]
            raise ReadError(
                f"Expected a Keras model, got {path}, which does not open in Keras "
                f"{keras.__version__} ({reason[:200]}). {_advice(str(err))}"
            ) from err
    return model


def check_keras(path: Path, *, weights: bool = True) -> bool:
    """Whether the file is an archive (else HDF5), once it was found safe to load.

    Args:
        path: of the file.
        weights: look through the archive's HDF5 file too.

    Raises:
        UnsafeFileError, ReadError: as `open_keras`.
    """
    start = first_bytes(path, len(_HDF5))
    if start.startswith(START):
        _check_zip(path, weights=weights)
        return True
    if start == _HDF5:
        _check_hdf5(path)
        return False
    raise ReadError(
        f"Expected a Keras model, got {path}, which is neither a .keras archive nor HDF5: it "
        f"begins with {start!r}. It is cut short or something else: save or download it again."
    )


def config_of(path: Path) -> object:
    """The configuration in a `.keras` archive, whose members were found safe to read.

    Raises:
        UnsafeFileError, ReadError: as `open_keras`.
    """
    members = {member.filename: member for member in check_archive(path, str(path))}
    odd = [n for n in members if n not in (CONFIG, METADATA, WEIGHTS) and n[:7] != _ASSETS]
    missing = [name for name in (CONFIG, WEIGHTS) if name not in members]
    if odd or missing:
        told = f"it without {', '.join(missing)}" if missing else ", ".join(odd[:_SHOWN])
        raise ReadError(
            f"Expected a .keras archive with {METADATA}, {CONFIG} and {WEIGHTS}, got {told[:300]} "
            f"in {path}. Give the archive as Keras saved it."
        )
    return read_json(_member(path, CONFIG), f"{path.name}/{CONFIG}")


def configs_of(path: Path) -> tuple[object, object]:
    """Configuration of the model, and how it was compiled (None: not told), nothing refused.

    Raises:
        UnsafeFileError, ReadError: as `open_keras`, but for what is in the configuration.
    """
    if first_bytes(path, len(START)) == START:
        config = config_of(path)
        return config, config.get("compile_config") if isinstance(config, dict) else None
    from converters.tf_to_keras import h5

    with h5.open_h5(path, path.name) as file:
        told = [file.attrs.get(name) for name in ("model_config", "training_config")]
    if not isinstance(told[0], str | bytes):
        raise _weights_only(path)
    config, compiled = (
        read_json(one, path.name) if isinstance(one, str | bytes) else None for one in told
    )
    return config, compiled


def _check_zip(path: Path, *, weights: bool) -> None:
    _refuse(refused_objects(config_of(path)), path)
    if weights:
        from converters.tf_to_keras import h5

        content = BytesIO(_member(path, WEIGHTS))
        with h5.open_h5(content, f"{path.name}/{WEIGHTS}"):
            pass


def _check_hdf5(path: Path) -> None:
    from converters.tf_to_keras import h5

    with h5.open_h5(path, path.name) as file:
        config = file.attrs.get("model_config")
        if not isinstance(config, str | bytes):
            raise _weights_only(path)
        _refuse(refused_objects(read_json(config, path.name)), path)


def _weights_only(path: Path) -> ReadError:
    return ReadError(
        f"Expected a whole Keras model, got {path}, which holds weights only. Name its backbone "
        "and give the file as weights=…, or build the network and use model.load_weights(path)."
    )


def _member(path: Path, name: str) -> bytes:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.read(name)
    except Exception as err:  # each way of packing has errors of its own
        raise ReadError(
            f"Expected a whole .keras archive, got {path}, whose {name} cannot be read ({err}). "
            "Download or save it again."
        ) from err


def _refuse(objects: tuple[str, ...], path: Path) -> None:
    if not objects:
        return
    code = any(name.partition(" ")[0] in CODE for name in objects)
    why = (
        "A Lambda layer stores Python code, which is not run here."
        if code
        else "They would be looked up, and called, by name. A class of your own: import it, load "
        "the file yourself, and give the model."
    )
    more = f" and {len(objects) - _SHOWN} more" if len(objects) > _SHOWN else ""
    raise UnsafeFileError(
        f"Expected a model of Keras' own layers, got {', '.join(objects[:_SHOWN])}{more} in "
        f"{path}. {why} {_SAFE_WAY}"
    )


@contextmanager
def _named_for_keras(path: Path, suffix: str) -> Iterator[Path]:
    """The file under a name that Keras takes: it tells files by their suffix."""
    if path.suffix in (suffix, ".hdf5" if suffix == ".h5" else suffix):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="converters-", ignore_cleanup_errors=True) as folder:
        named = Path(folder) / f"model{suffix}"
        shutil.copyfile(path, named)
        yield named


def _advice(problem: str) -> str:
    if "ambda" in problem or "marshal" in problem:
        return "It has code inside, which is not run here: save it again without."
    if "Could not locate" in problem or "Unknown layer" in problem:
        return "It needs a class of its author's: import that, load it, and give the model."
    return "It is cut short or something else: save or download it again."
