"""`tlkeras train`: pictures in, run folder out."""

import json as json_text
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import tlkeras as tl
from tlkeras.backbones.spec import Given
from tlkeras.cli import out
from tlkeras.errors import BackboneError, DivergedError, RecipeError
from tlkeras.tasks.unfinished import Unfinished, asked_of, opened

_GO_ON = "Give the same command with --resume to go on from there."
_TRY = "With other knobs it begins anew: give --force too."


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
    deterministic: bool = False

    def to_recipe(self) -> tl.Recipe:
        """The recipe file, with the knobs and the seed of the command line laid over it."""
        recipe = tl.Recipe.load(self.recipe) if self.recipe else tl.Recipe()
        if self.deterministic:
            recipe = recipe.replace(deterministic=True)
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


@dataclass(frozen=True)
class Before:
    """What to do with what an earlier start has left: go on with it, or replace it."""

    resume: bool = False
    force: bool = False


def run(data: Path, to: Path | None, choice: Choice, before: Before, json: bool) -> bool:
    """Train, evaluate on the test part, save; print the report and where everything is.

    Returns:
        False after Ctrl-C; what there is then, and how to go on, is told on standard error.
    """
    to = to or Path("runs") / data.resolve().name
    with opened(to, resume=before.resume, force=before.force) as work:
        try:
            _train(data, choice, work, json)
        except KeyboardInterrupt:
            out.error(f"interrupted\n{work.kept()}\n{_GO_ON}")
            return False
        except DivergedError as error:
            raise DivergedError(f"{error}\n{work.kept()}\n{_TRY}") from error
    return True


def _train(data: Path, choice: Choice, work: Unfinished, json: bool) -> None:
    folder = tl.ImageFolder(data, seed=choice.seed)
    classifier = tl.ImageClassifier(
        choice.backbone,
        weights=None if choice.weights == "none" else choice.weights,
        head=choice.head,
        recipe=choice.to_recipe(),
        preprocessing=choice.scaling(),
    )
    depth = choice.depth()
    if not work.begin(asked_of(classifier, folder, depth)):
        _tell_complete(work.run, json)
        return
    if depth is None:
        classifier.fit(folder)
    else:
        classifier.fine_tune(folder, depth, checkpoint=work.folder)
    report = classifier.evaluate(folder.test) if len(folder.test) else None
    path = classifier.save(work.run)
    work.finish()
    if json:
        result = {"run": str(path), "decisions": classifier.decisions}
        out.as_json({**result, "test": report.to_dict() if report else None})
        return
    for decision in classifier.decisions:
        out.line(f"- {decision}")
    if report:
        out.line(f"\n{report}")
    out.line(f"\nThe run is in {path}. Next:")
    out.line(f"  {out.called()} predict {path} PICTURE...")
    out.line(f"  {out.called()} export {path} serve/{path.name}")


def _tell_complete(run: Path, json: bool) -> None:
    if json:
        out.as_json({"run": str(run), "complete": True})
        return
    out.line(f"The run in {run} is complete; there is nothing left to do.")


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
