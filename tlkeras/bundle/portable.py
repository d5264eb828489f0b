"""A model file that the next person can open: Keras' own layers, and no code inside.

model.keras (zip) ─ config.json ─ every object in it ─▶ what plain Keras could not, or must
                                                       not, build
"""

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import cast

from tlkeras.errors import BundleError

_CODE = ("Lambda", "__lambda__")


def check_portable(path: Path) -> None:
    """Nothing when the .keras file needs Keras alone, BundleError naming the layers when not."""
    foreign = foreign_objects(path)
    if foreign:
        raise BundleError(
            "A saved model is made of Keras' own layers, without Lambda, so that it opens "
            f"anywhere and runs no hidden code. Received: {', '.join(foreign[:5])} in {path.name}. "
            "Build the same from keras.layers and keras.ops."
        )


def foreign_objects(path: Path) -> list[str]:
    """Objects in the .keras file from outside Keras, as text, each once."""
    try:
        with zipfile.ZipFile(path) as archive:
            config: object = json.loads(archive.read("config.json"))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise BundleError(
            f"{path.name} is expected to be a Keras 3 model file. Received: {error}. "
            "Copy it again, or save the run again."
        ) from error
    return list(dict.fromkeys(_foreign(config)))


def _foreign(entry: object) -> Iterator[str]:
    if isinstance(entry, list):
        for item in entry:
            yield from _foreign(item)
    if not isinstance(entry, dict):
        return
    if "class_name" in entry and _is_foreign(entry):
        config = entry.get("config")
        name = config.get("name", "") if isinstance(config, dict) else str(config)[:40]
        yield f"{entry['class_name']} {name}".strip()
        return
    for item in entry.values():
        yield from _foreign(item)


def _is_foreign(entry: dict[str, object]) -> bool:
    if entry["class_name"] in _CODE:
        return True
    if "module" not in entry:  # tensors, arrays, dtypes: plain values
        return False
    module = cast(str | None, entry["module"]) or ""
    return module.split(".")[0] not in ("keras", "builtins") or (
        module == "builtins" and entry["class_name"] == "function"
    )
