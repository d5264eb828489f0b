"""A hostile file, what it would do, and where it is kept.

home/NAME/…       the file, and what belongs to it
home/NAME.secret  a file that nothing may read through it
home/fired/NAME   a file that must not appear: what the payload makes, and all that it does
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

SECRET = 4711.25  # a number of the secret file: must not come back as a weight or an answer
WORDS = b"TOP-SECRET-CANARY"


@dataclass(frozen=True)
class Den:
    """Where one hostile file is made."""

    home: Path
    name: str

    @property
    def folder(self) -> Path:
        """Its own folder."""
        return self.home / self.name.replace(".", "_")

    @property
    def path(self) -> Path:
        """The file itself, under its own name."""
        return self.folder / self.name

    @property
    def fired(self) -> Path:
        """What must not appear."""
        return self.home / "fired" / self.name

    @property
    def secret(self) -> Path:
        """What must not be read: float32 numbers, with words behind."""
        return self.home / f"{self.name}.secret"

    @property
    def command(self) -> str:
        """Python source of the payload."""
        return f"open({str(self.fired)!r}, 'w').close()"

    def ready(self) -> "Den":
        """The den, with its folders and its secret."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.fired.parent.mkdir(exist_ok=True)
        self.secret.write_bytes(np.full(4096, SECRET, "<f4").tobytes() + WORDS)
        return self


@dataclass(frozen=True)
class Beast:
    """One hostile file.

    Attributes:
        name: of its file or folder; tells it among the others.
        door: the door that files of its kind go to.
        danger: words, as a pattern, that this door's refusal has to say.
        make: writes it, and gives its path.
        refused: whether it must be; else it may open, if it does no harm.
    """

    name: str
    door: str
    danger: str
    make: Callable[[Den], Path]
    refused: bool = True


BEASTS: dict[str, Beast] = {}


def beast(
    name: str, door: str, danger: str, *, refused: bool = True
) -> Callable[[Callable[[Den], None]], Callable[[Den], None]]:
    """Enters a function that writes a hostile file to `den.path` into the zoo."""

    def enter(make: Callable[[Den], None]) -> Callable[[Den], None]:
        def made(den: Den) -> Path:
            make(den.ready())
            return den.path

        if name in BEASTS:
            raise ValueError(f"two beasts called {name}")
        BEASTS[name] = Beast(name, door, danger, made, refused)
        return make

    return enter


class Payload:
    """An object whose unpickling runs a line of Python."""

    def __init__(self, source: str) -> None:
        self.source = source

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return exec, (self.source,)
