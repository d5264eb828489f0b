"""The only place that prints: results on standard output, errors on standard error."""

import json
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

logger = logging.getLogger(__name__)


def line(text: object = "") -> None:
    """Print one line, whatever the terminal's encoding can show."""
    encoding = sys.stdout.encoding or "utf-8"
    print(str(text).encode(encoding, "backslashreplace").decode(encoding))


def as_json(content: object) -> None:
    """Print one JSON document."""
    line(json.dumps(content, indent=2, ensure_ascii=True))


def error(text: object) -> None:
    """Print an error for a person to read."""
    safe = f"tlkeras: {text}".encode("utf-8", "backslashreplace").decode("utf-8")
    print(safe, file=sys.stderr)


def called() -> str:
    """How to call this command line again: `tlkeras`, or its path where it is on none.

    A reader of `make demo` has the environment's programs in no search path, and copies a line.
    """
    own = Path(sys.argv[0])
    found = shutil.which("tlkeras")
    elsewhere = own.name == "tlkeras" and own.is_file() and found != str(own.absolute())
    return str(own) if elsewhere else "tlkeras"


def load_quietly(package: str) -> None:
    """Import a package; what its native code writes on standard error is shown if it fails.

    With --verbose nothing is held back.
    """
    with _held_back():
        import_module(package)


def quiet_tensorflow() -> None:
    """Let TensorFlow load as `load_quietly` does, whenever a command first needs it, if it does.

    TensorFlow tells every start about GPU libraries that a laptop does not have, in lines that
    no setting keeps away.
    """
    if "tensorflow" not in sys.modules:
        sys.meta_path.insert(0, _QuietFinder())


class _QuietFinder(MetaPathFinder):
    """Finds TensorFlow as it would be found, with a loader that holds its notes back."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != "tensorflow":
            return None
        sys.meta_path.remove(self)
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _QuietLoader(spec.loader)
        return spec


class _QuietLoader(Loader):
    def __init__(self, loader: Loader) -> None:
        self.loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        with _held_back():
            self.loader.exec_module(module)


@contextmanager
def _held_back() -> Iterator[None]:
    """What native code writes on standard error is kept, and shown only after an error."""
    if logger.isEnabledFor(logging.DEBUG):
        yield
        return
    try:
        kept = os.dup(2)
    except OSError:  # no standard error at all
        yield
        return
    with tempfile.TemporaryFile() as aside:
        sys.stderr.flush()
        os.dup2(aside.fileno(), 2)
        try:
            yield
        except BaseException:
            aside.seek(0)
            os.write(kept, aside.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
