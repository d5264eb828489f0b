"""One process at a time, and none that is dead."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tlkeras.errors import TrainingError
from tlkeras.training.tuning.lock import alone_in, held

HOLD = """
import sys, time
from pathlib import Path
from tlkeras.training.tuning.lock import held
with held(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_second_one_is_refused_while_the_first_lives_and_may_after_its_death(
    tmp_path: Path,
) -> None:
    lock = tmp_path / "new" / "lock"
    words = [sys.executable, "-c", HOLD, str(lock)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as first:
        try:
            assert first.stdout.readline() == "held\n"
            refused = pytest.raises(TrainingError, match=f"process {first.pid} works there")
            with refused, held(lock):
                pass
        finally:
            first.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 10
    while True:
        try:
            with held(lock):
                return
        except TrainingError:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_it_is_given_back(tmp_path: Path) -> None:
    for _ in range(2):
        with alone_in(tmp_path):
            pass


def test_link_is_not_followed(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("keep me")
    (tmp_path / "lock").symlink_to(precious)
    with pytest.raises(TrainingError), held(tmp_path / "lock"):
        pass
    assert precious.read_text() == "keep me"


def test_no_folder_no_lock() -> None:
    with alone_in(None):
        pass
