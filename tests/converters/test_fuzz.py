"""Broken ONNX files: each gives a model or one of our own errors, and nothing else happens."""

from collections import Counter
from pathlib import Path

import pytest

from tests.converters import fuzz, fuzz_files

FEW, ALL = 60, 500


def _files(first: int, last: int, shared: Path | None) -> dict[str, bytes]:
    found = fuzz_files.seeds(shared)
    files = {}
    for seed in range(first, last):
        how, content = fuzz_files.mutated(seed, found)
        files[f"{seed:05}.{how[:150]}.onnx"] = content
    return files


def _check(files: dict[str, bytes], folder: Path) -> Counter[str]:
    counts: Counter[str] = Counter()
    faults = []
    for outcome in fuzz.outcomes(files, folder):
        counts[outcome.kind] += 1
        if outcome.kind == "FAULT":
            faults.append(f"{outcome.name}: {outcome.text[-2000:]}")
    assert not faults, "\n".join(faults)
    return counts


@pytest.fixture(scope="module")
def shared() -> Path | None:
    folder = fuzz.ROOT.parent / "shared" / "data"
    return folder if folder.is_dir() else None


def test_the_unbroken_files_are_imported(shared: Path | None, tmp_path: Path) -> None:
    files = {f"{n}.onnx": content for n, content in enumerate(fuzz_files.seeds(shared))}
    assert _check(files, tmp_path) == {"model": len(files)}


def test_the_same_seed_gives_the_same_file(shared: Path | None) -> None:
    assert _files(0, 40, None) == _files(0, 40, None)
    assert len(set(_files(0, 40, None).values())) > 35


def test_a_few_broken_files(shared: Path | None, tmp_path: Path) -> None:
    counts = _check(_files(0, FEW, shared), tmp_path)
    assert counts.total() == FEW


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_five_hundred_broken_files(shared: Path | None, tmp_path: Path) -> None:
    counts = _check(_files(FEW, ALL, shared), tmp_path)
    assert counts.total() == ALL - FEW
    # Both ends are reached: some are harmless, and most are refused.
    assert counts["model"] > 20
    assert counts["ReadError"] > 100
