"""`tlkeras train`: pictures in, run folder out."""

import json as json_text
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import tlkeras as tl
from tlkeras.backbones.spec import Given
from tlkeras.cli import out
from tlkeras.errors import BackboneError, BundleError, RecipeError


@dataclass(frozen=True)
class Choice:
    """What the user chose on the command line."""

    backbone: str
    weights: str
    head: str
    unfreeze: str | None
    recipe: Path | None
    knobs: tuple[str, ...]
    seed: int
    preprocessing: str | None = None

    def to_recipe(self) -> tl.Recipe:
        """The recipe file, with the knobs and the seed of the command line laid over it."""
        recipe = tl.Recipe.load(self.recipe) if self.recipe else tl.Recipe()
        return recipe.replace(**{"seed": self.seed, **dict(map(_knob, self.knobs))})

    def scaling(self) -> Given | None:
        """`--preprocessing` as a mode, or as mean and deviation around a slash."""
        mean, slash, deviation = (self.preprocessing or "").partition("/")
        if not slash:
            return cast(Given | None, self.preprocessing)  # a wrong name is told with close ones
        return _numbers(mean), _numbers(deviation)

    def depth(self) -> str | int | float | None:
        """`--unfreeze` as a count, a fraction or a layer's name."""
        if self.unfreeze is None:
            return None
        for kind in (int, float):
            try:
                return kind(self.unfreeze)
            except ValueError:
                continue
        return self.unfreeze


def run(data: Path, to: Path | None, choice: Choice, force: bool, json: bool) -> None:
    """Train, evaluate on the test part, save; print the report and where everything is."""
    to = to or Path("runs") / data.resolve().name
    if to.exists() and not force:
        raise BundleError(
            f"The run is written to a new folder. Received: {to}, which exists. "
            "Name another with --to, or replace it with --force."
        )
    folder = tl.ImageFolder(data, seed=choice.seed)
    weights = None if choice.weights == "none" else choice.weights
    classifier = tl.ImageClassifier(
        choice.backbone,
        weights=weights,
        head=choice.head,
        recipe=choice.to_recipe(),
        preprocessing=choice.scaling(),
    )
    depth = choice.depth()
    if depth is None:
        classifier.fit(folder)
    else:
        classifier.fine_tune(folder, depth)
    report = classifier.evaluate(folder.test) if len(folder.test) else None
    path = classifier.save(to)
    if json:
        result = {"run": str(path), "decisions": classifier.decisions}
        out.as_json({**result, "test": report.to_dict() if report else None})
        return
    for decision in classifier.decisions:
        out.line(f"- {decision}")
    if report:
        out.line(f"\n{report}")
    out.line(f"\nThe run is in {path}. Next:")
    out.line(f"  tlkeras predict {path} PICTURE...")
    out.line(f"  tlkeras export {path} serve/{path.name}/1")


def _numbers(text: str) -> float | list[float]:
    try:
        numbers = [float(number) for number in text.split(",")]
    except ValueError as err:
        raise BackboneError(
            f"A mean and a deviation are numbers, one or three with commas between. Received: "
            f"{text!r}. Write for example 127.5/127.5."
        ) from err
    return numbers[0] if len(numbers) == 1 else numbers


def _knob(text: str) -> tuple[str, object]:
    name, equals, value = text.partition("=")
    if not equals:
        raise RecipeError(f"A knob is set as name=value. Received: {text!r}.")
    try:
        return name, json_text.loads(value)
    except ValueError:
        return name, value
