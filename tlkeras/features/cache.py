"""Embeddings on disk, keyed by content, so that no picture passes a backbone twice.

One SQLite file a backbone: writes are atomic, an interrupted run keeps what it had, and
two processes may share the file.
"""

import logging
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

logger = logging.getLogger(__name__)

SECONDS_TO_WAIT_FOR_A_LOCK = 30.0
KEYS_PER_QUERY = 500  # SQLite allows 999 variables in a statement


class FeatureCache:
    """Vectors of one backbone by key; a folder that can't be written turns it off.

    Example::

        cache = FeatureCache(cache_folder() / "features", backbone="3fa9…")
        cache.put(["key"], vectors)          # vectors (1, d) float32
        cache.get(["key", "other"])          # {"key": (d,) float32}
    """

    def __init__(self, folder: Path, backbone: str) -> None:
        self.path = folder / f"{backbone}.sqlite"
        self._usable = True

    def get(self, keys: Sequence[str]) -> dict[str, np.ndarray]:
        """The vectors (d,) float32 that are known, by key; unknown keys are left out."""
        if not self._usable or not self.path.exists():
            return {}
        found: dict[str, np.ndarray] = {}
        try:
            with closing(self._open()) as store:
                for start in range(0, len(keys), KEYS_PER_QUERY):
                    some = list(keys[start : start + KEYS_PER_QUERY])
                    marks = ",".join("?" * len(some))
                    rows = store.execute(
                        f"SELECT key, vector FROM vectors WHERE key IN ({marks})", some
                    )
                    found.update((key, np.frombuffer(blob, "<f4")) for key, blob in rows)
        except sqlite3.Error as error:
            self._give_up(error)
        return found

    def put(self, keys: Iterable[str], vectors: np.ndarray) -> None:
        """Keep vectors (n, d) float32 under their n keys, all of them or none."""
        if not self._usable:
            return
        rows = [(key, row.astype("<f4").tobytes()) for key, row in zip(keys, vectors, strict=True)]
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with closing(self._open()) as store, store:
                store.execute(
                    "CREATE TABLE IF NOT EXISTS vectors (key TEXT PRIMARY KEY, vector BLOB)"
                )
                store.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", rows)
        except (OSError, sqlite3.Error) as error:
            self._give_up(error)

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path, timeout=SECONDS_TO_WAIT_FOR_A_LOCK)

    def _give_up(self, error: Exception) -> None:
        logger.warning(
            "the embedding cache %s can't be used (%s); going on without it. "
            "Set TLKERAS_CACHE to a folder that can be written.",
            self.path,
            error,
        )
        self._usable = False
