"""The only place that prints: results on standard output, errors on standard error."""

import json
import logging
import os
import sys
import tempfile
from importlib import import_module

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


def load_quietly(package: str) -> None:
    """Import a package; what its native code writes on standard error is shown if it fails.

    Called where a command first needs it, so that wrong input is told before the seconds it
    takes. With --verbose nothing is held back.

    TensorFlow tells every start about GPU libraries that a laptop does not have, in lines that
    no setting keeps away.
    """
    if logger.isEnabledFor(logging.DEBUG):
        return
    try:
        kept = os.dup(2)
    except OSError:  # no standard error at all
        return
    with tempfile.TemporaryFile() as aside:
        sys.stderr.flush()
        os.dup2(aside.fileno(), 2)
        try:
            import_module(package)
        except BaseException:
            aside.seek(0)
            os.write(kept, aside.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
