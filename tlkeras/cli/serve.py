"""`tlkeras serve`: a run folder behind TensorFlow Serving's REST interface, on this machine."""

import logging
import re
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import tlkeras as tl
from tlkeras.cli import out
from tlkeras.errors import TlkerasError
from tlkeras.tasks.serving.classifier import servable
from tlkeras.tasks.serving.server import Limits, Server, is_loopback

logger = logging.getLogger(__name__)

MEBIBYTE = 1 << 20
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}")
_OTHER = re.compile(r"[^A-Za-z0-9_.-]+")


def run(folder: Path, host: str, port: int, name: str | None, max_mb: float, json: bool) -> None:
    """Serve until SIGINT or SIGTERM; what runs then is finished first."""
    shown = _model_name(folder, name)
    model = servable(tl.ImageClassifier.load(folder), shown)
    body_bytes = max(1, int(max_mb * MEBIBYTE))
    limits = Limits(body_bytes=body_bytes, held_bytes=max(256 * MEBIBYTE, 4 * body_bytes))
    if not is_loopback(host):
        logger.warning(
            "%s is reachable from other machines: without encryption, and whoever reaches it may "
            "ask. Without --host only this machine reaches the server.",
            host,
        )
    server = Server(model, host, port, limits)
    with _stopped_by_signals(server):
        _tell(server, len(model.class_names), json)
        server.serve_forever(poll_interval=0.1)
    if not json:
        out.line("stopped")


def _model_name(folder: Path, name: str | None) -> str:
    if name is None:
        return _OTHER.sub("-", folder.resolve().name)[:100] or "model"
    if not _NAME.fullmatch(name):
        raise TlkerasError(
            "The name of a model stands in its path: letters, digits, '_', '.' and '-', at most "
            f"100. Received: {name[:120]!r}. Choose another --name."
        )
    return name


def _tell(server: Server, classes: int, json: bool) -> None:
    name = server.servable.name
    path = f"{server.url}/v1/models/{name}"
    if json:
        told = {"url": server.url, "model": name, "predict": f"{path}:predict", "classes": classes}
        out.as_json(told)
    else:
        out.line(f"{name} ({classes} classes), for trying out; not a production server")
        out.line(f"page     {server.url}/")
        out.line(f"predict  POST {path}:predict")
        out.line("stop     Ctrl-C")
    sys.stdout.flush()  # somebody may wait for it at the other end of a pipe


@contextmanager
def _stopped_by_signals(server: Server) -> Iterator[None]:
    """SIGINT and SIGTERM stop the server; a second one ends the process at once."""
    stopping = threading.Thread(target=server.stop, name="stop")
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def stop(number: int, frame: object) -> None:
        for each in before:
            signal.signal(each, signal.SIG_DFL)
        stopping.start()

    try:
        for number in before:
            signal.signal(number, stop)
        yield
        stopping.join()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        server.server_close()
