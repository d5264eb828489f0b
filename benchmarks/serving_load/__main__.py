"""64 clients for a minute against a served classifier, while others send what they should not.

    python -m benchmarks.serving_load [--server kserve] [--clients 64] [--seconds 60] [--smoke]

A classifier of cats and dogs is trained on MobileNetV2-0.35 with its pretrained weights. `kserve`
is KServe's model server over its SavedModel (in an environment of its own, made if missing),
`tlkeras` is `tlkeras serve` over its run folder. First each test picture is asked for alone: the
label has to be `predict`'s, and the numbers of its answer are what it is known by. Then the clients
ask for them all at once, on one kept connection each, and each holds every answer against its own
picture; beside them one more sends 30 MB bodies, broken pictures, wrong keys and the like. Clients
and server share the cores. Exit status 1 when an answer was lost, crossed or wrong, or the server
did not live on. Writes benchmarks/results/serving_load.json with a plot beside it.
"""

import argparse
import base64
import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from benchmarks.harness import Command, described
from benchmarks.harness import run as measured
from benchmarks.harness.machine import ROOT
from benchmarks.harness.pictures import DATA
from benchmarks.harness.results import RESULTS, written
from benchmarks.peers.install import python_of
from benchmarks.serving_latency import percentile
from benchmarks.serving_load.clients import Asked, Tally, load, mark_of, same
from benchmarks.serving_load.hostile import Siege, besiege, cases
from benchmarks.serving_load.prepare import NAME
from benchmarks.serving_load.servers import Running, kserve, post, tlkeras_serve

SERVERS: dict[str, Callable[[Path], AbstractContextManager[Running]]] = {
    "kserve": lambda folder: kserve({NAME: folder / "serve" / NAME / "1"}, folder / "kserve.log"),
    "tlkeras": lambda folder: tlkeras_serve(folder / "run", NAME, folder / "tlkeras.log"),
}
TITLES = {"kserve": "KServe, SavedModel", "tlkeras": "tlkeras serve"}
BARS = {"alone_p50_ms": "alone, p50", "p50_ms": "all at once, p50", "p99_ms": "all at once, p99"}

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--data", type=Path, default=DATA, help="folder with datasets/ and weights/")
parser.add_argument("--server", nargs="+", choices=SERVERS, default=list(SERVERS))
parser.add_argument("--clients", type=int, default=64)
parser.add_argument("--seconds", type=float, default=60.0)
parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the result")
parser.add_argument("--smoke", action="store_true", help="8 clients, 3 seconds")


def alone(
    url: str, files: Sequence[Path], labels: dict[str, str]
) -> tuple[list[Asked], list[float]]:
    """Each picture with the answer it gets when nobody else asks, and the seconds it took.

    A picture whose numbers are another's too is left out: they would not show a crossed answer.

    Raises:
        SystemExit: a label is not `predict`'s.
    """
    found: list[Asked] = []
    spent: list[float] = []
    for path in files:
        content = base64.b64encode(path.read_bytes()).decode("ascii")
        body = json.dumps({"instances": [{"image_bytes": {"b64": content}}]}).encode("ascii")
        started = time.perf_counter()
        status, told = post(url, body)
        spent.append(time.perf_counter() - started)
        if status != 200:
            raise SystemExit(f"{path.name}: {status} {told}")
        (row,) = told["predictions"]
        if row["label"] != labels[path.name]:
            raise SystemExit(f"{path.name}: {row['label']}, `predict` says {labels[path.name]}")
        mark = mark_of(row)
        if not any(same(mark, other.mark) for other in found):
            found.append(Asked(path.name, body, row["label"], mark))
    return found, spent


def under_load(
    running: Running, asked: Sequence[Asked], picture: bytes, clients: int, seconds: float
) -> tuple[Tally, Siege]:
    """What the clients got, and what was said to the one who sends what it should not."""
    url = f"{running.url}/v1/models/{NAME}:predict"
    over, siege = threading.Event(), Siege()
    enemy = threading.Thread(target=besiege, args=(url, cases(picture), over, siege))
    enemy.start()
    try:
        tally = load(url, asked, clients, seconds)
    finally:
        over.set()
        enemy.join()
    return tally, siege


def row_of(server: str, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """One server's figures."""
    labels = json.loads((folder / "asked.json").read_text(encoding="utf-8"))
    files = [folder / "asked" / name for name in labels]
    files = files[::2] + files[1::2]  # neighbours of both kinds
    started = time.monotonic()
    with SERVERS[server](folder) as running:
        ready_s = time.monotonic() - started
        url = f"{running.url}/v1/models/{NAME}:predict"
        asked, spent = alone(url, files, labels)
        tally, siege = under_load(
            running, asked, files[0].read_bytes(), options.clients, options.seconds
        )
        again, _ = alone(url, files[:4], labels)
        lives = running.alive and all(
            same(a.mark, b.mark) for a, b in zip(asked, again, strict=False)
        )
        peak_mb = running.peak_mb()
    return {
        "server": server,
        "ready_s": round(ready_s, 1),
        "pictures": len(asked),
        "labels_as_predict": len(files),
        "alone_p50_ms": _ms(percentile(spent, 0.5)),
        "clients": options.clients,
        "seconds": round(tally.seconds, 1),
        "requests": tally.counts.total(),
        **{what: tally.counts[what] for what in ("right", "crossed", "wrong", "refused", "lost")},
        "requests_per_s": round(tally.counts["right"] / tally.seconds, 1),
        "p50_ms": _ms(percentile(tally.latencies_s, 0.5)),
        "p99_ms": _ms(percentile(tally.latencies_s, 0.99)),
        "most_ms": _ms(max(tally.latencies_s)),
        "peak_mb": None if peak_mb is None else round(peak_mb),
        "hostile": {case: dict(answers) for case, answers in siege.answers.items()},
        "hostile_failures": siege.failures,
        "lives_on": lives,
        "shown": tally.shown,
    }


def fell_short(row: dict[str, Any]) -> bool:
    """Whether anything but right answers came, or the server did not live on."""
    others = sum(row[what] for what in ("crossed", "wrong", "refused", "lost"))
    return bool(others or row["hostile_failures"] or not row["lives_on"] or not row["right"])


def line(row: dict[str, Any]) -> str:
    """The row for a person to read."""
    hostile = sum(sum(answers.values()) for answers in row["hostile"].values())
    return (
        f"{TITLES[row['server']]}: {row['requests']} requests of {row['clients']} clients in "
        f"{row['seconds']} s ({row['requests_per_s']} a second), {row['right']} right, "
        f"{row['crossed']} crossed, {row['wrong']} wrong, {row['refused']} refused, "
        f"{row['lost']} lost; p50 {row['p50_ms']} ms, p99 {row['p99_ms']} ms, alone "
        f"{row['alone_p50_ms']} ms; peak {row['peak_mb']} MB; {hostile} hostile requests, "
        f"{len(row['hostile_failures'])} without a clear answer; "
        f"{'lives on' if row['lives_on'] else 'did NOT live on'}"
    )


def _ms(seconds: float) -> float:
    return round(1000 * seconds, 1)


def main() -> int:
    options = parser.parse_args()
    if options.smoke:
        options.clients, options.seconds = 8, 3.0
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        argv = [sys.executable, "-m", "benchmarks.serving_load.prepare", str(folder)]
        made = measured(Command("prepare", [*argv, "--data", str(options.data)], cwd=ROOT))
        if made.failure:
            raise SystemExit(made.failure)
        for server in options.server:
            rows.append(row_of(server, folder, options))
            print(line(rows[-1]), flush=True)
            for each in (*rows[-1]["shown"], *rows[-1]["hostile_failures"]):
                print(f"  {each}", flush=True)
    document = {
        "benchmark": "serving_load",
        "machine": described({"kserve": str(python_of("kserve"))}, peak=False),
        "settings": {"clients": options.clients, "seconds": options.seconds},
        "notes": ["Clients and server share the cores; one client is hostile."],
        "unit": "milliseconds from request to answer",
        "bars": {
            f"{TITLES[row['server']]}, {title}": row[key]
            for row in rows
            for key, title in BARS.items()
        },
        "rows": rows,
    }
    name = "serving_load_smoke" if options.smoke else "serving_load"
    written(document, options.out / f"{name}.json", plot=True)
    return int(any(map(fell_short, rows)))


if __name__ == "__main__":
    sys.exit(main())
