"""One artefact asked once, by a script in a fresh process; arrays go there and back as files.

request (name → array) ─▶ request.npz ─▶ fresh python, script, artefact ─▶ answers.npz
"""

import errno
import io
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tlkeras.errors import ExportError


def answers_once(
    script: Path, artefact: Path, request: Mapping[str, np.ndarray], *, timeout_s: float = 600.0
) -> dict[str, np.ndarray]:
    """What `script ARTEFACT request.npz answers.npz` wrote, as arrays by name.

    Raises:
        ExportError: the process failed, or gave no answer in time.

    Example::

        answers_once(Path("onnx.py"), Path("flowers.onnx"), {"pixels": pixels})["probabilities"]
    """
    with tempfile.TemporaryDirectory() as room:
        asked, answers = Path(room, "request.npz"), Path(room, "answers.npz")
        content = io.BytesIO()  # an archive on a full disk can't be closed without a second error
        np.savez(content, **request)
        asked.write_bytes(content.getvalue())
        # -P: a script run by its path would else find its neighbours before the library.
        command = [sys.executable, "-P", str(script), str(artefact), str(asked), str(answers)]
        quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONWARNINGS": "ignore"}
        try:
            done = subprocess.run(
                command,
                env=quiet,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise ExportError(
                f"Expected the served model's answers within {timeout_s:g} s, none came. "
                "Verify with fewer pictures, or give it more time."
            ) from error
        if done.returncode != 0 and "No space left on device" in done.stderr:
            raise OSError(errno.ENOSPC, "No space left on device")
        if done.returncode != 0 or not answers.exists():
            raise ExportError(
                f"Expected '{artefact}' to load and answer in a fresh process; it ended with "
                f"status {done.returncode}:\n{done.stderr.strip()[-2000:]}\n"
                "Export again; if it stays, load it with its own runtime to see why."
            )
        with np.load(answers) as stored:
            return {name: stored[name] for name in stored.files}
