"""HDF5 files opened so that they can only give numbers and text of their own.

A file that links to another file, keeps its numbers in one, or claims far more numbers than
it has bytes is refused before anything of it is used.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import h5py
import numpy as np

from converters.errors import ReadError, UnsafeFileError

Source = Path | BytesIO

MAX_OBJECTS = 200_000
MAX_EXPANSION = 200  # declared bytes per stored byte; a pruned, compressed network reaches 50
FREE_BYTES = 1 << 24  # below this an odd ratio harms nobody


@contextmanager
def open_h5(source: Source, label: str) -> Iterator[h5py.File]:
    """Yields the file, read only, after its links and sizes were checked.

    Raises ReadError for a broken file, UnsafeFileError for one that leads elsewhere.
    """
    size = source.stat().st_size if isinstance(source, Path) else source.getbuffer().nbytes
    try:
        file = h5py.File(source, "r")
    except (OSError, ValueError, RuntimeError) as err:
        raise ReadError(
            f"Expected a whole HDF5 file, got {label} ({size} bytes), which cannot be read "
            f"({err}). It is cut short or something else: download or save it again."
        ) from err
    with file:
        try:
            _check(file, size, label)
        except (OSError, RuntimeError, KeyError, ValueError, TypeError) as err:
            if isinstance(err, ReadError):
                raise
            raise ReadError(
                f"Expected a whole HDF5 file, got {label}, whose structure is damaged: {err}. "
                "Download or save the file again."
            ) from err
        yield file


def text(value: object) -> str:
    """An attribute or name as text, whether the file holds str or bytes."""
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


def names(group: h5py.Group, attribute: str) -> list[str]:
    """A list of names kept as an attribute, in one piece or in numbered chunks."""
    if attribute in group.attrs:
        return [text(name) for name in group.attrs[attribute]]
    found: list[str] = []
    for number in range(MAX_OBJECTS):
        if f"{attribute}{number}" not in group.attrs:
            break
        found += [text(name) for name in group.attrs[f"{attribute}{number}"]]
    return found


def array(group: h5py.Group, name: str) -> np.ndarray:
    """The numbers of one dataset, of the dtype they are stored in."""
    found = group.get(name)
    if not isinstance(found, h5py.Dataset) or found.dtype.kind not in "fiub":
        raise ReadError(
            f"Expected numbers under {group.name}/{name}, got "
            f"{'nothing' if found is None else found}. Save the file again."
        )
    return np.asarray(found[()])


def _check(file: h5py.File, size: int, label: str) -> None:
    waiting, seen, declared = [file["/"]], set(), 0
    while waiting:
        group = waiting.pop()
        address = h5py.h5o.get_info(group.id).addr
        if address in seen:
            continue
        seen.add(address)
        for name in group:
            link = group.get(name, getlink=True)
            if not isinstance(link, h5py.HardLink):
                raise UnsafeFileError(
                    f"Expected a file that holds its own weights, got {label} with a "
                    f"{type(link).__name__} at {group.name}/{name}, which leads elsewhere. "
                    "Save the network again with Keras; it writes no such links."
                )
            child = group[name]
            if isinstance(child, h5py.Group):
                waiting.append(child)
            elif isinstance(child, h5py.Dataset):
                declared += _check_dataset(child, label)
        if len(seen) + len(waiting) > MAX_OBJECTS or declared > FREE_BYTES + MAX_EXPANSION * size:
            raise ReadError(
                f"Expected at most {MAX_OBJECTS} groups and {MAX_EXPANSION} times the bytes of "
                f"the file, got {label} ({size} bytes), which claims {declared} bytes. "
                "It is damaged or made to exhaust memory."
            )


def _check_dataset(dataset: h5py.Dataset, label: str) -> int:
    if dataset.is_virtual or dataset.external:
        raise UnsafeFileError(
            f"Expected a file that holds its own weights, got {label}, whose {dataset.name} is "
            "kept in another file. Save the network again with Keras."
        )
    claimed = int(np.prod(dataset.shape or (), dtype=float)) * dataset.dtype.itemsize
    plain = (
        dataset.chunks is None and dataset.id.get_create_plist().get_layout() != h5py.h5d.COMPACT
    )
    if plain and claimed and dataset.id.get_storage_size() != claimed:
        raise ReadError(
            f"Expected {claimed} bytes for {dataset.name} {dataset.shape}, got "
            f"{dataset.id.get_storage_size()} in {label}. Save the file again."
        )
    return claimed
