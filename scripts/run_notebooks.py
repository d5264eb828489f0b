"""Run the notebooks with a real Jupyter kernel, each in an empty folder with an empty cache.

    python scripts/run_notebooks.py                     # all of them; 1 if a cell fails
    python scripts/run_notebooks.py --write notebooks/01_first_classifier.ipynb

Two run at a time, each on cores of its own: threads that wait for a core that the other notebook
has cost more than they bring. A cell that writes to standard error fails too, and so does an output
that has a path of this machine in it. `--write` keeps the outputs in the notebook as they came; one
runs at a time then, on all cores, since some outputs are measured times.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
AT_ONCE = 2
CELL_TIMEOUT_S = 600
# What C++ libraries say when they are loaded is told when a notebook fails, and not to the reader.
KERNEL_ARGUMENTS = ["--IPKernelApp.capture_fd_output=False"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", type=Path, help="all of them when none is named")
    parser.add_argument("--write", action="store_true", help="keep the outputs in the files")
    asked = parser.parse_args()
    paths = asked.notebooks or sorted(FOLDER.glob("*.ipynb"))
    return 0 if asyncio.run(run_all(paths, write=asked.write)) else 1


async def run_all(paths: Sequence[Path], *, write: bool) -> bool:
    """Whether all notebooks ran well; a line is printed as each ends."""
    free: asyncio.Queue[set[int]] = asyncio.Queue()
    for cores in shares(1 if write else AT_ONCE):
        free.put_nowait(cores)

    async def well(path: Path) -> bool:
        cores = await free.get()
        began = time.monotonic()
        notebook = nbformat.read(path, as_version=4)
        problems = await run(notebook, cores)
        seconds = time.monotonic() - began
        free.put_nowait(cores)
        print(f"{path.name:<34} {seconds:6.1f} s  {'FAILED' if problems else 'ok'}", flush=True)
        for problem in problems:
            print(problem, flush=True)
        if write and not problems:
            keep(notebook, path)
        return not problems

    return all(await asyncio.gather(*map(well, paths)))


def shares(number: int) -> list[set[int]]:
    """At most `number` sets of this process's cores; empty sets where a system tells of none."""
    if not hasattr(os, "sched_getaffinity"):
        return [set() for _ in range(number)]
    cores = sorted(os.sched_getaffinity(0))
    return [set(cores[first::number]) for first in range(min(number, len(cores)))]


async def run(notebook: nbformat.NotebookNode, cores: set[int]) -> list[str]:
    """What went wrong; the notebook holds the outputs afterwards."""
    with tempfile.TemporaryDirectory(prefix="notebook-", ignore_cleanup_errors=True) as folder:
        work, home, log = Path(folder) / "work", Path(folder) / "home", Path(folder) / "log"
        work.mkdir()
        home.mkdir()
        client = NotebookClient(
            notebook,
            timeout=CELL_TIMEOUT_S,
            kernel_name="python3",
            extra_arguments=KERNEL_ARGUMENTS,
            record_timing=False,
            resources={"metadata": {"path": str(work)}},
        )
        try:
            with log.open("wb") as said:
                await client.async_execute(
                    env=environment(home),
                    stdout=said,
                    stderr=subprocess.STDOUT,
                    preexec_fn=partial(os.sched_setaffinity, 0, cores) if cores else None,
                )
        except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
            return [str(error), log.read_text(encoding="utf-8", errors="replace")[-2000:]]
        return [*on_standard_error(notebook), *with_path(notebook, folder)]


def environment(home: Path) -> dict[str, str]:
    """The environment of a new user: an empty home folder, this Python's programs first."""
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return {
        **os.environ,
        "HOME": str(home),
        "TLKERAS_CACHE": str(home / "cache"),
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "PATH": programs,
    }


def on_standard_error(notebook: nbformat.NotebookNode) -> list[str]:
    """A line for each cell that wrote there."""
    return [
        f"cell {cell.execution_count} wrote to standard error: {output.text.strip()[:2000]}"
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if output.output_type == "stream" and output.name == "stderr"
    ]


def with_path(notebook: nbformat.NotebookNode, folder: str) -> list[str]:
    """A line for each cell whose output names a folder of this machine."""
    own = (folder, str(FOLDER.parent), str(Path.home()))
    return [
        f"cell {cell.execution_count} shows a path of this machine; print a relative one"
        for cell in notebook.cells
        if any(place in str(cell.get("outputs", "")) for place in own)
    ]


def keep(notebook: nbformat.NotebookNode, path: Path) -> None:
    """Put the notebook in its place, without what changes from run to run and says nothing."""
    notebook.metadata = nbformat.from_dict(METADATA)
    for number, cell in enumerate(notebook.cells):
        cell.metadata, cell.id = nbformat.from_dict({}), f"cell-{number:02}"
    nbformat.validate(notebook)
    fresh = path.with_suffix(".ipynb.tmp")
    nbformat.write(notebook, fresh)
    os.replace(fresh, path)


if __name__ == "__main__":
    sys.exit(main())
