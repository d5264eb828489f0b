from pathlib import Path

import pytest

from tlkeras.errors import RecipeError
from tlkeras.training.recipe import Recipe


def test_recipe_survives_a_file(tmp_path: Path) -> None:
    recipe = Recipe(seed=7, class_weight="balanced", strengths=(0.5, 2), crop=(0.3, 0.9))
    path = recipe.save(tmp_path / "recipe.json")
    assert Recipe.load(path) == recipe
    assert [file.name for file in tmp_path.iterdir()] == ["recipe.json"]


def test_all_wrong_knobs_are_named_at_once() -> None:
    with pytest.raises(RecipeError) as error:
        Recipe(seed=-1, batch_size=0, dropout=1.0, crop=(0.9, 0.2))
    text = str(error.value)
    assert all(name in text for name in ("seed", "batch_size", "dropout", "crop"))
    assert "received (0.9, 0.2)" in text


@pytest.mark.parametrize(
    "knobs",
    [
        {"strengths": ()},
        {"strengths": (0.0,)},
        {"learning_rate": float("nan")},
        {"class_weight": "equal"},
        {"epochs": 2.5},
        {"epochs": True},
        {"views": -1},
        {"unfreeze": 0},
        {"unfreeze": 1.5},
        {"unfreeze": -1},
        {"false_alarms": 0.0},
        {"false_alarms": 0.6},
    ],
)
def test_knob_out_of_range_is_refused(knobs: dict) -> None:
    with pytest.raises(RecipeError, match=next(iter(knobs))):
        Recipe(**knobs)


def test_unknown_knob_lists_close_names() -> None:
    with pytest.raises(RecipeError, match="'learning_rate'"):
        Recipe.from_dict({"learnin_rate": 0.1})


def test_missing_file_and_broken_file_are_recipe_errors(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"none\.json"):
        Recipe.load(tmp_path / "none.json")
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(RecipeError, match=r"broken\.json"):
        Recipe.load(tmp_path / "broken.json")
    (tmp_path / "deep.json").write_text("[" * 100_000)
    with pytest.raises(RecipeError, match=r"deep\.json"):
        Recipe.load(tmp_path / "deep.json")
    (tmp_path / "list.json").write_text("[1]")
    with pytest.raises(RecipeError, match="list"):
        Recipe.load(tmp_path / "list.json")


@pytest.mark.parametrize(
    ("knob", "value"),
    [("crop", True), ("crop", 0.5), ("strengths", 1.0), ("strengths", None), ("flip", "no"),
     ("refit", 1)],
)  # fmt: skip
def test_a_knob_of_another_kind_is_named(knob: str, value: object) -> None:
    with pytest.raises(RecipeError, match=f"{knob} .*received {value!r}"):
        Recipe.from_dict({knob: value})


def test_recipe_cannot_be_changed_after_it_was_checked() -> None:
    with pytest.raises(AttributeError):
        Recipe().seed = 3  # type: ignore[misc]
