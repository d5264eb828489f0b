"""Programs that run beside a test, are read from, and never outlive it."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def started(code: str, *words: object, seconds: float) -> Iterator[subprocess.Popen]:
    """A Python program with text pipes; it is killed when the block or the time ends."""
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", code, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    clock = threading.Timer(seconds, process.kill)
    clock.start()
    try:
        yield process
    finally:
        clock.cancel()
        process.kill()
        process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe:
                pipe.close()


def first_json(process: subprocess.Popen) -> dict:
    """The object that the program prints first, on several lines."""
    assert process.stdout is not None
    text = ""
    for line in process.stdout:
        text += line
        if line == "}\n":
            return json.loads(text)
    assert process.stderr is not None
    raise AssertionError(process.stderr.read())
