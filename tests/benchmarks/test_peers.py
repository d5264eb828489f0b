"""The peers' installer and weights, without installing anything."""

import argparse
from pathlib import Path

import numpy as np
import pytest

from benchmarks.end_to_end import ROWS
from benchmarks.peers import install
from benchmarks.peers.timm_weights import pairs, timm_state
from benchmarks.peers.tlkeras_head import value_of
from benchmarks.serving_latency import percentile


def test_every_row_runs_in_an_environment_that_can_be_made() -> None:
    peers = {name for name in ROWS.values() if name}
    assert peers | {"kserve"} == set(install.REQUIREMENTS)
    for path in install.REQUIREMENTS.values():
        lines = path.read_text(encoding="utf-8").splitlines()
        assert any("==" in line for line in lines), path


def test_environments_lie_where_the_user_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TLKERAS_BENCHMARKS", str(tmp_path))
    assert tmp_path in install.python_of("fastai").parents
    assert not install.installed("fastai")


def test_one_that_is_there_is_left_and_one_of_other_requirements_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TLKERAS_BENCHMARKS", str(tmp_path))
    (tmp_path / "fastai").mkdir()
    ready = tmp_path / "fastai" / ".ready"
    ready.write_text(install._wanted("fastai"))
    assert install.installed("fastai")
    assert install.install("fastai") == install.python_of("fastai")
    ready.write_text("older")
    assert not install.installed("fastai")


def test_timm_gets_every_weight_of_mobilenetv2(shared_data: Path) -> None:
    file = "weights/keras/mobilenetv2_1.0_224_top_foldedbn_dequant.weights.h5"
    state = timm_state(shared_data / file)
    assert len(list(pairs())) == 52
    assert len(state) == 52 * 5
    assert state["conv_stem.weight"].shape == (32, 3, 3, 3)
    assert state["blocks.3.0.conv_dw.weight"].shape == (192, 1, 3, 3)
    assert state["conv_head.weight"].shape == (1280, 320, 1, 1)
    assert (
        sum(v.size for n, v in state.items() if n.endswith("weight") and v.ndim == 4) == 2_189_760
    )
    assert all(np.isfinite(values).all() for values in state.values())


def test_knobs_are_json_or_text() -> None:
    assert value_of("3") == 3
    assert value_of("bfloat16") == "bfloat16"
    assert value_of("false") is False


def test_percentiles_are_values_that_came() -> None:
    values = [float(n) for n in range(1, 201)]
    assert percentile(values, 0.5) == 100.0
    assert percentile(values, 0.99) == 198.0
    assert percentile([7.0], 0.99) == 7.0


def test_every_benchmark_has_a_short_form() -> None:
    from benchmarks import cold_start, end_to_end, extraction, first_prediction, serving_latency

    for module in (cold_start, end_to_end, extraction, first_prediction, serving_latency):
        assert isinstance(module.parser, argparse.ArgumentParser)
        assert module.parser.parse_args(["--smoke"]).smoke
        assert (module.__doc__ or "").splitlines()[0].endswith(".")
