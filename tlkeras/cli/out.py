"""The only place that prints: results on standard output, errors on standard error."""

import json
import sys


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
