"""Servers as processes of their own: started, waited for, watched, stopped."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness.machine import ROOT
from benchmarks.harness.processes import DROPPED, QUIET
from benchmarks.peers.install import install

READY_S = 300.0
STOP_S = 30.0
SAID = 3000  # letters of a log that an error shows
# Without proxies: what is asked is on this machine, whatever the environment says of others.
_OPEN = urllib.request.build_opener(urllib.request.ProxyHandler({})).open
_URL = re.compile(r'"url": ?"(http://[^"]+)"')
_PEAK = re.compile(r"VmHWM:\s+(\d+) kB")


@dataclass(frozen=True)
class Running:
    """A server that answers: its address, its process, and what it writes to the terminal."""

    url: str
    process: subprocess.Popen
    log: Path

    @property
    def alive(self) -> bool:
        """Whether the process is still there."""
        return self.process.poll() is None

    def peak_mb(self) -> float | None:
        """Megabytes at the peak so far; None where the system does not tell."""
        try:
            found = _PEAK.search(Path(f"/proc/{self.process.pid}/status").read_text())
        except OSError:
            return None
        return int(found[1]) / 1024 if found else None

    def predict(self, name: str, request: object, timeout_s: float = 60.0) -> tuple[int, dict]:
        """Status and JSON of one V1 `:predict`."""
        return post(f"{self.url}/v1/models/{name}:predict", json.dumps(request).encode(), timeout_s)


def post(
    url: str, body: bytes, timeout_s: float = 60.0, headers: Mapping[str, str] | None = None
) -> tuple[int, dict]:
    """Status and JSON of one request, on a connection of its own."""
    request = urllib.request.Request(url, body, dict(headers or {}))
    try:
        with _OPEN(request, timeout=timeout_s) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, json.load(refused)


@contextmanager
def kserve(models: Mapping[str, Path], log: Path) -> Iterator[Running]:
    """KServe's model server over SavedModel folders by name; its environment is made if missing.

    Raises:
        RuntimeError: it did not start; with what it said.
        subprocess.CalledProcessError: its environment can't be made.
    """
    script = ROOT / "benchmarks" / "peers" / "kserve_server.py"
    named = [f"{name}={folder.resolve()}" for name, folder in models.items()]
    argv = [str(install("kserve")), str(script), *named]
    with started(argv, "/v2/health/ready", log) as running:
        yield running


@contextmanager
def tlkeras_serve(run: Path, name: str, log: Path) -> Iterator[Running]:
    """`tlkeras serve` over a run folder.

    Raises:
        RuntimeError: it did not start; with what it said.
    """
    program = str(Path(sys.executable).parent / "tlkeras")
    argv = [program, "serve", str(run), "--name", name, "--port", "0", "--json"]
    with started(argv, "/healthz", log) as running:
        yield running


@contextmanager
def started(
    argv: Sequence[str], health: str, log: Path, ready_s: float = READY_S
) -> Iterator[Running]:
    """The server that this command starts, from when `health` answers until the block ends.

    It has to say where it listens in a line with `"url": "http://…"`.
    """
    environment = {name: value for name, value in os.environ.items() if name not in DROPPED}
    with log.open("wb") as said:
        process = subprocess.Popen(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            env={**environment, **QUIET},
            start_new_session=True,
        )
    try:
        yield Running(_listening(process, health, log, time.monotonic() + ready_s), process, log)
    finally:
        stop(process)


def stop(process: subprocess.Popen) -> int:
    """The exit status after SIGTERM, and after SIGKILL to all of its group if it did not listen."""
    if process.poll() is None:
        process.terminate()
        try:
            return process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
    return process.wait()


def _listening(process: subprocess.Popen, health: str, log: Path, until: float) -> str:
    while process.poll() is None and time.monotonic() < until:
        found = _URL.search(log.read_text(encoding="utf-8", errors="replace"))
        if found and _healthy(found[1] + health):
            return found[1]
        time.sleep(0.1)
    said = log.read_text(encoding="utf-8", errors="replace")[-SAID:]
    raise RuntimeError(f"{process.args!r} did not begin to serve. It said:\n{said}")


def _healthy(url: str) -> bool:
    try:
        with _OPEN(url, timeout=5) as reply:
            return reply.status == 200
    except OSError:
        return False
