"""A run folder: what goes in comes out, and nothing is lost on the way."""

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tlkeras.bundle.bundle import FILES, INDEX, Bundle
from tlkeras.bundle.read import load
from tlkeras.bundle.write import save
from tlkeras.errors import BundleError

PIXELS = np.random.default_rng(0).uniform(0, 255, (2, 21, 33, 3)).astype("float32")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_everything_comes_back(bundle: Bundle, tmp_path: Path) -> None:  # E1
    again = load(save(bundle, tmp_path / "run"))
    expected = np.asarray(bundle.model(PIXELS))
    assert expected.std() > 1e-3
    np.testing.assert_allclose(again.model(PIXELS), expected, atol=1e-6)
    for name in ("class_names", "backbone", "head", "validation", "recipe", "metrics",
                 "history", "manifest", "versions"):  # fmt: skip
        assert getattr(again, name) == getattr(bundle, name), name


def test_folder_holds_these_files_and_nothing_else(bundle: Bundle, tmp_path: Path) -> None:
    save(bundle, tmp_path / "run")
    assert set(contents(tmp_path / "run")) == {*FILES, INDEX}
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_model_file_has_only_layers_of_keras(bundle: Bundle, tmp_path: Path) -> None:  # E8
    save(bundle, tmp_path / "run")
    with zipfile.ZipFile(tmp_path / "run" / "model.keras") as file:
        text = file.read("config.json").decode()
    modules = set()

    def walk(node: object) -> None:
        if isinstance(node, dict):
            if "module" in node:
                modules.add(node["module"])
            assert node.get("class_name") != "Lambda"
            assert node.get("registered_name") is None or "module" not in node or node["module"]
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(json.loads(text))
    assert modules
    assert all(
        module is None or module.split(".")[0] in ("keras", "builtins") for module in modules
    )


def test_labels_are_one_a_line(bundle: Bundle, tmp_path: Path) -> None:
    save(bundle, tmp_path / "run")
    lines = (tmp_path / "run" / "labels.txt").read_text(encoding="utf-8").splitlines()
    assert tuple(lines) == bundle.class_names


def test_card_says_figures_counts_and_licence(bundle: Bundle, tmp_path: Path) -> None:
    save(bundle, tmp_path / "run")
    text = (tmp_path / "run" / "README.md").read_text(encoding="utf-8")
    assert "test: accuracy 70.0% (95 % interval 60.0% to 80.0%, 40 pictures)" in text
    assert "| iris | 1 | 0 | 0 |" in text
    assert "not stated" in text


def test_earlier_run_is_replaced_and_added_files_stay(bundle: Bundle, tmp_path: Path) -> None:
    run = save(bundle, tmp_path / "run")
    (run / "notes.txt").write_text("mine")
    save(replace(bundle, recipe={"seed": 4}), run)
    assert load(run).recipe == {"seed": 4}
    assert (run / "notes.txt").read_text() == "mine"


def test_folder_of_something_else_is_refused_and_untouched(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_text("mine")
    with pytest.raises(BundleError, match="something else"):
        save(bundle, tmp_path)
    assert contents(tmp_path) == {"holiday.jpg": b"mine"}
    with pytest.raises(BundleError, match="a file"):
        save(bundle, tmp_path / "holiday.jpg")


def test_failure_in_the_middle_leaves_the_earlier_run(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = save(bundle, tmp_path / "run")
    before = contents(run)

    def full(*args: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tlkeras.bundle.write.card", full)
    with pytest.raises(BundleError, match="No space left"):
        save(replace(bundle, recipe={"seed": 4}), run)
    assert contents(run) == before
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_interrupt_leaves_the_earlier_run(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = save(bundle, tmp_path / "run")
    before = contents(run)

    def stop(*args: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("tlkeras.bundle.write.card", stop)
    with pytest.raises(KeyboardInterrupt):
        save(bundle, run)
    assert contents(run) == before
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize("name", ["model.keras", "recipe.json", "data.csv"])
def test_changed_file_is_named(name: str, bundle: Bundle, tmp_path: Path) -> None:
    run = save(bundle, tmp_path / "run")
    content = (run / name).read_bytes()
    (run / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(BundleError, match=name):
        load(run)


def test_missing_file_is_named(bundle: Bundle, tmp_path: Path) -> None:
    run = save(bundle, tmp_path / "run")
    (run / "versions.json").unlink()
    with pytest.raises(BundleError, match=r"versions\.json"):
        load(run)


def test_folder_that_is_no_run_says_what_one_is(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"bundle\.json"):
        load(tmp_path)
    (tmp_path / INDEX).write_text('{"format": "another", "format_version": 1}')
    with pytest.raises(BundleError, match="another"):
        load(tmp_path)


def test_run_of_a_newer_release_says_to_upgrade(bundle: Bundle, tmp_path: Path) -> None:
    run = save(bundle, tmp_path / "run")
    index = json.loads((run / INDEX).read_text())
    (run / INDEX).write_text(json.dumps({**index, "format_version": 2}))
    with pytest.raises(BundleError, match="Upgrade"):
        load(run)


def test_class_names_must_fit_the_model_and_a_line(bundle: Bundle) -> None:
    with pytest.raises(BundleError, match="3 outputs and 2 class names"):
        replace(bundle, class_names=("a", "b"))
    with pytest.raises(BundleError, match="one line"):
        replace(bundle, class_names=("a", "b", "c\nd"))
