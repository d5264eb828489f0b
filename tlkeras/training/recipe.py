"""Recipe: every knob of a run in one place, checked when it is made, kept in a file."""

import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Literal, Self

from tlkeras.backbones.foreign.doors import read_json
from tlkeras.data.augment import Augmentation
from tlkeras.disk import write_bytes
from tlkeras.errors import RecipeError, WeightsError

ENGINES = ("auto", "tensorflow", "onnxruntime", "openvino", "litert")
PRECISIONS = ("float32", "bfloat16")
STRENGTHS = tuple(10.0**power for power in (-5, -4, -3.5, -3, -2.5, -2, -1.5, -1, -0.5, 0))


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Every knob of a run; the same recipe, pictures and seed give the same classifier.

    Attributes:
        seed: decides the order of pictures, dropout, new weights and augmented views.
        batch_size: pictures in one step through the backbone.
        class_weight: "balanced" makes every class count the same, None every picture.
        strengths: values of C tried for the linear head (larger: less regularised).
        hidden: units in the hidden layer of the "mlp" head.
        dropout: share of hidden units dropped while the "mlp" head trains.
        head_epochs: most epochs of a head that is not linear.
        head_learning_rate: Adam's rate for such a head.
        engine: what embeds pictures: "tensorflow", "onnxruntime", "openvino", "litert", or "auto"
            for the fastest of the first three, measured on the backbone and this machine.
        precision: what it computes in: "float32", or "bfloat16" where the processor has it,
            which is kept only if the head's answers stay the same.
        views: augmented looks at each picture that the head sees beside the plain one; 0: none.
        crop, flip, brightness, contrast: what an augmented look changes; see `Augmentation`.
        unfreeze: what fine-tuning trains beside the head: the name of the deepest layer, a count
            of layers with weights from the top, or a fraction of them.
        epochs: most epochs of fine-tuning.
        learning_rate: top rate of fine-tuning, reached after the warm-up.
        warmup: share of the steps in which the rate rises from nothing.
        depth_decay: the deepest unfrozen layer's rate, as a share of the top one's.
        weight_decay: AdamW's decay while fine-tuning.
        label_smoothing: share of the target spread over the other classes while fine-tuning.
        patience: epochs without a better validation result before training stops.
        refit: after choosing on the validation part, train on it as well.
        false_alarms: share of pictures like the training ones that may be marked as unknown.
        deterministic: the same bits each time on one machine, also when a training was broken off
            and gone on with: "auto" is then one engine and not the fastest of a trial, and
            TensorFlow computes in a fixed order, a little more slowly.

    Example::

        recipe = Recipe(seed=1, class_weight="balanced")
        recipe.save("recipe.json") and Recipe.load("recipe.json") == recipe
    """

    seed: int = 0
    batch_size: int = 32
    class_weight: Literal["balanced"] | None = None
    strengths: tuple[float, ...] = STRENGTHS
    hidden: int = 256
    dropout: float = 0.3
    head_epochs: int = 60
    head_learning_rate: float = 1e-3
    engine: Literal["auto", "tensorflow", "onnxruntime", "openvino", "litert"] = "auto"
    precision: Literal["float32", "bfloat16"] = "float32"
    views: int = 0
    crop: tuple[float, float] = (0.6, 1.0)
    flip: bool = True
    brightness: float = 0.2
    contrast: float = 0.2
    unfreeze: str | int | float = 0.5
    epochs: int = 20
    learning_rate: float = 1e-3
    warmup: float = 0.1
    depth_decay: float = 0.3
    weight_decay: float = 1e-4
    label_smoothing: float = 0.1
    patience: int = 8
    refit: bool = True
    false_alarms: float = 0.05
    deterministic: bool = False

    def __post_init__(self) -> None:
        for name in ("strengths", "crop"):  # a file or a user gives lists
            given = getattr(self, name)
            object.__setattr__(self, name, tuple(given) if isinstance(given, Iterable) else given)
        wrong = [text for text, right in self._rules() if not right]
        if wrong:
            raise RecipeError("A recipe must have " + "; ".join(wrong) + ".")

    def _rules(self) -> list[tuple[str, bool]]:
        def rule(name: str, wanted: str, right: bool) -> tuple[str, bool]:
            return f"{name} {wanted} (received {getattr(self, name)!r})", right

        whole = ("batch_size", "hidden", "head_epochs", "epochs", "patience")
        rates = ("head_learning_rate", "learning_rate")
        shares = ("dropout", "warmup", "label_smoothing", "brightness", "contrast")
        return [
            *(rule(n, "a whole number from 1", _whole(getattr(self, n), 1)) for n in whole),
            *(
                rule(n, "a whole number from 0", _whole(getattr(self, n), 0))
                for n in ("views", "seed")
            ),
            *(
                rule(n, "above 0 and at most 1", _between(getattr(self, n), 0, 1, True))
                for n in rates
            ),
            *(rule(n, "from 0 to below 1", _between(getattr(self, n), 0, 1)) for n in shares),
            rule("depth_decay", "above 0 and at most 1", _between(self.depth_decay, 0, 1, True)),
            rule("weight_decay", "from 0 to below 1", _between(self.weight_decay, 0, 1)),
            rule("false_alarms", "above 0, at most 0.5", _between(self.false_alarms, 0, 0.5, True)),
            rule("engine", "one of " + ", ".join(ENGINES), self.engine in ENGINES),
            rule("precision", "one of " + ", ".join(PRECISIONS), self.precision in PRECISIONS),
            rule("class_weight", '"balanced" or None', self.class_weight in ("balanced", None)),
            *(
                rule(n, "true or false", isinstance(getattr(self, n), bool))
                for n in ("flip", "refit", "deterministic")
            ),
            rule(
                "unfreeze",
                "a layer's name, a count from 1, or a fraction above 0.0 and up to 1.0",
                isinstance(self.unfreeze, str)
                or _whole(self.unfreeze, 1)
                or (isinstance(self.unfreeze, float) and _between(self.unfreeze, 0, 1, True)),
            ),
            rule(
                "strengths",
                "one or more numbers above 0",
                isinstance(self.strengths, tuple)
                and bool(self.strengths)
                and all(_between(c, 0, math.inf, True) for c in self.strengths),
            ),
            rule(
                "crop",
                "two area shares, the smaller first, above 0 and at most 1",
                isinstance(self.crop, tuple)
                and len(self.crop) == 2
                and all(_between(c, 0, 1, True) for c in self.crop)
                and self.crop[0] <= self.crop[1],
            ),
        ]

    @property
    def augmentation(self) -> Augmentation:
        """What an augmented look at a picture changes."""
        return Augmentation(
            crop=(self.crop[0], self.crop[1]),
            flip=self.flip,
            brightness=self.brightness,
            contrast=self.contrast,
        )

    def replace(self, **knobs: object) -> Self:
        """A recipe with some knobs changed.

        >>> Recipe().replace(seed=3).seed
        3
        """
        _check_names(knobs)
        return replace(self, **knobs)  # type: ignore[arg-type]

    def to_dict(self) -> dict[str, object]:
        """Every knob by name, as JSON can hold it."""
        return json.loads(json.dumps(asdict(self)))

    @classmethod
    def from_dict(cls, knobs: dict[str, object]) -> Self:
        """The recipe with these knobs, the others at their defaults.

        >>> Recipe.from_dict(Recipe(seed=5).to_dict()) == Recipe(seed=5)
        True
        """
        _check_names(knobs)
        return cls(**knobs)  # type: ignore[arg-type]

    def save(self, path: str | Path) -> Path:
        """Write the recipe as JSON; the file is complete or not there."""
        text = json.dumps(self.to_dict(), indent=2) + "\n"
        return write_bytes(path, text.encode("utf-8"))

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """The recipe in a JSON file.

        Raises:
            RecipeError: no such file, not JSON, an unknown knob or a value out of range.
        """
        try:
            knobs = read_json(Path(path))
        except WeightsError as error:
            raise RecipeError(
                f"A recipe is a JSON file of knobs. Received: {path} ({error}). "
                "Write one with Recipe().save(path)."
            ) from error
        if not isinstance(knobs, dict):
            raise RecipeError(
                f"A recipe is a JSON object. Received: {type(knobs).__name__} in {path}."
            )
        return cls.from_dict(knobs)


def _check_names(knobs: dict[str, object]) -> None:
    known = [field.name for field in fields(Recipe)]
    for name in knobs:
        if name not in known:
            close = get_close_matches(name, known, n=3) or known
            raise RecipeError(
                f"A recipe has no knob {name!r}. Did you mean: {', '.join(map(repr, close))}?"
            )


def _whole(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _between(value: object, low: float, high: float, upper: bool = False) -> bool:
    """From low to below high; with `upper`, above low up to high."""
    if not isinstance(value, int | float) or isinstance(value, bool) or math.isnan(value):
        return False
    return low < value <= high if upper else low <= value < high
