"""Exports, imports and measures the networks of the zoo.

    python -m benchmarks.import_zoo [--only resnet18] [--exporter dynamo] [--report FILE]

Exit status 1 when a network fell short of anything.
"""

import argparse
import sys
import tempfile
import time
import traceback
from pathlib import Path

from .export import SUFFIXES, exported, parameters
from .measure import Row, measured
from .networks import NETWORKS, Network
from .table import line, written

FOR_ALL = ("torchscript", "dynamo")
FOR_A_FEW = ("torchscript-folded", "dynamo-unoptimised")
A_FEW = ("resnet18", "densenet121", "mobilenetv2_100", "convnext_tiny", "vit_tiny_patch16_224")
MESSAGE_MOST = 400  # letters of an error that the table shows

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
parser.add_argument("--only", action="append", choices=NETWORKS, help="this network; repeatable")
parser.add_argument("--exporter", action="append", choices=SUFFIXES, help="repeatable")
parser.add_argument("--cache", type=Path, help="folder that keeps the ONNX files")
parser.add_argument("--report", type=Path, help="Markdown page to write, with JSON beside it")
parser.add_argument("--traceback", action="store_true", help="of each error")


def main() -> int:
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        cache = options.cache or Path(temporary)
        rows: list[Row] = []
        for network in (NETWORKS[name] for name in options.only or NETWORKS):
            for exporter in options.exporter or exporters(network):
                started = time.perf_counter()
                rows.append(row_of(network, exporter, cache, with_traceback=options.traceback))
                print(line(rows[-1], time.perf_counter() - started), flush=True)
                if options.report:
                    written(rows, options.report)
                if options.cache is None:
                    (cache / f"{network.name}.{SUFFIXES[exporter]}.onnx").unlink(missing_ok=True)
    fallen = sum(bool(row.shortfalls) for row in rows)
    print(f"\n{len(rows)} files, {fallen} of them fell short")
    return 1 if fallen else 0


def exporters(network: Network) -> tuple[str, ...]:
    """The forms in which a network is measured."""
    return (*FOR_ALL, *FOR_A_FEW) if network.name in A_FEW else FOR_ALL


def row_of(network: Network, exporter: str, cache: Path, *, with_traceback: bool = False) -> Row:
    """The network's row, with an error in it where there was one."""
    row = Row(network.name, network.family, exporter, network.plain)
    try:
        path = exported(network, exporter, cache)
        row.parameters, in_norms = parameters(path)
        folded = exporter in ("dynamo", "torchscript-folded")
        row.parameters_least = row.parameters - (in_norms if folded else 0)
        measured(network, path, row)
    except Exception as error:  # whatever it is, the table says so and goes on
        if with_traceback:
            traceback.print_exc()
        message = " ".join(str(error).split()) or "no message"
        row.error = f"{type(error).__name__}: {message[:MESSAGE_MOST]}"
    return row


if __name__ == "__main__":
    sys.exit(main())
