"""`tlkeras train --deterministic` killed at random moments ends with the weights of one that was
not, and of one in another process with another cache."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.test_train_resume import TUNED, assert_same
from tlkeras.bundle import read
from tlkeras.bundle.index import is_run

KILLS, SEED = 4, 7
TRAIN = "import sys; from tlkeras.cli.main import run; sys.exit(run())"


def hear_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def start(folder: Path, run: Path, cache: Path, *more: str) -> "subprocess.Popen[bytes]":
    words = [sys.executable, "-c", TRAIN, "train", folder, *TUNED, "--to", run, *more]
    surroundings = {**os.environ, "TLKERAS_CACHE": str(cache)}
    log = run.with_suffix(".log").open("ab")
    with log:
        return subprocess.Popen(
            list(map(str, words)),
            env=surroundings,
            stdout=log,
            stderr=log,
            # Tests that run in the background of a shell have Ctrl-C ignored, and hand that on.
            preexec_fn=None if os.name == "nt" else hear_ctrl_c,
        )


@pytest.mark.slow
def test_killed_and_gone_on_with_it_ends_with_the_same_bits(
    flower_folder: Path, tmp_path: Path
) -> None:
    whole, run = tmp_path / "whole", tmp_path / "run"
    began = time.monotonic()
    assert start(flower_folder, whole, tmp_path / "cache1").wait() == 0
    seconds = time.monotonic() - began
    rng, killed = random.Random(SEED), []
    for _ in range(KILLS):
        process = start(flower_folder, run, tmp_path / "cache2", "--resume")
        try:
            process.wait(timeout=rng.uniform(0.2, 0.9) * seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            killed.append((run / "bundle.json").exists())
    assert start(flower_folder, run, tmp_path / "cache2", "--resume").wait() == 0
    log = run.with_suffix(".log").read_text()
    assert killed, log
    assert "Traceback" not in log
    assert not (tmp_path / "run.unfinished").exists()
    assert json.loads((whole / "bundle.json").read_text())["backbone"]["fine_tuned"]
    assert_same(run, whole)
    assert (run / "history.csv").read_bytes() == (whole / "history.csv").read_bytes()
    assert read.load(run).class_names == ("daisy", "iris", "rose")


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C is sent otherwise there")
def test_ctrl_c_ends_with_its_own_status_and_no_traceback(
    flower_folder: Path, tmp_path: Path
) -> None:
    run, long = tmp_path / "run", ("--set", "epochs=500", "--set", "patience=500")
    log = run.with_suffix(".log")
    process = start(flower_folder, run, tmp_path / "cache", *long)
    try:
        while "fine-tuning: 1 of 500" not in log.read_text() and process.poll() is None:
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130
    finally:
        process.kill()
        process.wait()
    told = log.read_text()
    assert "Traceback" not in told
    assert "--resume" in told
    assert is_run(tmp_path / "run.unfinished" / "frozen")
