"""Run the notebooks with a real Jupyter kernel, each in an empty folder with an empty cache.

    python scripts/run_notebooks.py                     # all of them; 1 if a cell fails
    python scripts/run_notebooks.py --write notebooks/01_first_classifier.ipynb

A cell that writes to standard error fails too, and so does an output that has a path of this
machine in it. `--write` keeps the outputs in the notebook as they came.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
CELL_TIMEOUT_S = 600
# What C++ libraries say when they are loaded is for the terminal, not for the reader.
KERNEL_ARGUMENTS = ["--IPKernelApp.capture_fd_output=False"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", type=Path, help="all of them when none is named")
    parser.add_argument("--write", action="store_true", help="keep the outputs in the files")
    asked = parser.parse_args()
    failed = 0
    for path in asked.notebooks or sorted(FOLDER.glob("*.ipynb")):
        began = time.monotonic()
        notebook = nbformat.read(path, as_version=4)
        problems = run(notebook)
        seconds = time.monotonic() - began
        print(f"{path.name:<34} {seconds:6.1f} s  {'FAILED' if problems else 'ok'}", flush=True)
        for problem in problems:
            print(problem, flush=True)
        if asked.write and not problems:
            write(notebook, path)
        failed += bool(problems)
    return 1 if failed else 0


def run(notebook: nbformat.NotebookNode) -> list[str]:
    """What went wrong; the notebook holds the outputs afterwards."""
    with tempfile.TemporaryDirectory(prefix="notebook-", ignore_cleanup_errors=True) as folder:
        work, home = Path(folder) / "work", Path(folder) / "home"
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
            client.execute(env=environment(home))
        except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
            return [str(error)]
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


def write(notebook: nbformat.NotebookNode, path: Path) -> None:
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
