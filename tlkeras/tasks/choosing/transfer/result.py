"""What transfer brings on some pictures: every contender beside the pretrained backbone.

probes, cross-validated:   pretrained backbone · untrained backbone · pixel statistics
trained on the same:       pretrained network, fine-tuned · untrained network, end to end
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from tlkeras.data.picture import printable
from tlkeras.intervals import mcnemar_p, paired_interval, wilson_interval
from tlkeras.selection.growth import Growth
from tlkeras.tasks.choosing.learning_curve import CurvePoint, points_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from tlkeras.tasks.choosing.transfer.end_to_end import Course

LEVEL = 0.05  # p below which a difference counts
SMALL = 0.03  # of accuracy: who can gain at most this has gained nothing to speak of
Answer = Literal["yes", "no", "can't tell"]


@dataclass(frozen=True)
class Pair:
    """Two that answered the same pictures; the first is the transferred one.

    Attributes:
        against: what the second one is.
        only_first, only_second: pictures that one alone got right.
        n: all that both answered.
    """

    against: str
    only_first: int
    only_second: int
    n: int

    @classmethod
    def of(cls, against: str, first: np.ndarray, second: np.ndarray) -> "Pair":
        """The pair of two arrays (n,) bool that say what was right."""
        return cls(against, int((first & ~second).sum()), int((second & ~first).sum()), len(first))

    @property
    def gain(self) -> float:
        """How much more often the first is right, a share of the pictures."""
        return (self.only_first - self.only_second) / self.n

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the gain (Bonett and Price 2012)."""
        return paired_interval(self.only_second, self.only_first, self.n)

    @property
    def p(self) -> float:
        """McNemar's exact p."""
        return mcnemar_p(self.only_first, self.only_second)

    @property
    def higher(self) -> Answer:
        """Whether the first is right more often; "no" also where at most 3 points are left."""
        if self.p < LEVEL:
            return "yes" if self.gain > 0 else "no"
        return "no" if self.interval[1] < SMALL else "can't tell"


@dataclass(frozen=True)
class Transfer:
    """Whether a pretrained backbone is right for some pictures, and all that speaks for it.

    Attributes:
        backbone: its name.
        class_names: of the pictures.
        counts: how many there are of each class in the training and validation part.
        probes: linear heads on "pretrained backbone", "untrained backbone" and "pixel
            statistics", cross-validated on more and more pictures.
        pretrained: how the pretrained network went as it was fine-tuned; None if none was
            trained.
        untrained: how the untrained network went, on fewer pictures first.
        size_px: what pictures were resized to for these two.
        notes: what was decided without the user.

    Example::

        transfer = tl.compare_with_scratch("flowers/")
        transfer.helps, transfer.verdict
        print(transfer)
        transfer.plot().savefig("transfer.png")
    """

    backbone: str
    class_names: tuple[str, ...]
    counts: tuple[int, ...]
    probes: Mapping[str, Growth]
    pretrained: "Course | None" = None
    untrained: "tuple[Course, ...]" = ()
    size_px: int = 0
    notes: tuple[str, ...] = ()

    @property
    def pictures(self) -> int:
        """How many there are in the training and the validation part."""
        return sum(self.counts)

    @property
    def trained_out(self) -> bool:
        """Whether both networks were trained, and had all their epochs."""
        if self.pretrained is None or not self.untrained:
            return False
        return self.pretrained.finished and self.untrained[-1].finished

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """The transferred one beside each other one, on the same pictures."""
        first, *others = self.probes.items()
        found = [Pair.of(name, _right(first[1]), _right(other)) for name, other in others]
        if self.trained_out:
            assert self.pretrained is not None
            name = "untrained network"
            found.append(Pair.of(name, self.pretrained.right, self.untrained[-1].right))
        return tuple(found)

    @property
    def baseline(self) -> float:
        """Accuracy of always answering the most frequent class."""
        labels = next(iter(self.probes.values())).labels
        return float(np.bincount(labels).max() / len(labels))

    def accuracy(self, probe: str) -> CurvePoint:
        """Accuracy of a probe on all pictures, with its 95 % interval."""
        return points_of(self.probes[probe])[-1]

    @property
    def tells_nothing(self) -> bool:
        """Whether nothing that was tried is surely better than one answer for all pictures."""
        shares = [(int(_right(one).sum()), len(one.labels)) for one in self.probes.values()]
        if self.pretrained is not None and self.trained_out:
            courses = (self.pretrained, self.untrained[-1])
            shares += [(int(one.right.sum()), len(one.right)) for one in courses]
        return all(wilson_interval(right, n)[0] <= self.baseline for right, n in shares)

    @property
    def helps(self) -> bool | None:
        """Whether transfer helps; None where these pictures do not tell.

        True: the head on the pretrained backbone is right more often than those on the
        untrained one and on pixel statistics, and the untrained network trained end to end is
        not right more often than the pretrained one.
        """
        answers = [pair.higher for pair in self.pairs[:2]]
        if self.tells_nothing or "no" in answers:
            return False
        if len(self.pairs) > 2 and self.pairs[2].p < LEVEL and self.pairs[2].gain < 0:
            return False
        return None if "can't tell" in answers else True

    @property
    def start(self) -> Answer:
        """Whether it starts higher: heads on both networks before they train further."""
        return self.pairs[0].higher

    @property
    def slope(self) -> Answer:
        """Whether it learns faster: epochs until the lower end of the two is reached."""
        epochs = self.epochs_needed
        if epochs is None:
            return "can't tell"
        return "yes" if epochs[0] < epochs[1] else "no"

    @property
    def asymptote(self) -> Answer:
        """Whether it ends higher, on the validation part."""
        return self.pairs[2].higher if len(self.pairs) > 2 else "can't tell"

    @property
    def epochs_needed(self) -> tuple[int, int] | None:
        """Epochs of the pretrained and of the untrained network until they are as good.

        As good as the lower end of the two, less two points. None where they were not trained to
        the end, or where the untrained one learned nothing.
        """
        if self.pretrained is None or not self.trained_out:
            return None
        courses = (self.pretrained, self.untrained[-1])
        if courses[1].end < courses[1].accuracy[0] + 0.02:
            return None
        level = min(course.end for course in courses) - 0.02
        first, second = (
            next((k for k, share in enumerate(one.accuracy) if share >= level), len(one.accuracy))
            for one in courses
        )
        return first, second

    @property
    def verdict(self) -> str:
        """Whether transfer is right here, in a few plain sentences."""
        from tlkeras.tasks.choosing.transfer.shown import verdict

        return verdict(self)

    def to_dict(self) -> dict[str, object]:
        """Every number, as JSON can hold it."""
        from tlkeras.tasks.choosing.transfer.shown import to_dict

        return to_dict(self)

    def plot(self) -> "Figure":
        """A figure: accuracy against epochs, and against pictures.

        Raises:
            MissingExtraError: matplotlib is not installed.
        """
        from tlkeras.tasks.choosing.transfer.plot import figure

        return figure(self)

    def __repr__(self) -> str:
        helps = {True: "helps", False: "does not help", None: "can't tell whether it helps"}
        name = printable(self.backbone)
        return f"Transfer({name}: {helps[self.helps]}, {self.pictures:,} pictures)"

    def __str__(self) -> str:
        from tlkeras.tasks.choosing.transfer.shown import to_text

        return to_text(self)

    def _repr_html_(self) -> str:
        from tlkeras.tasks.choosing.transfer.shown import to_html

        return to_html(self)


def _right(growth: Growth) -> np.ndarray:
    """What the heads on all pictures got right, (n,) bool."""
    return growth.right[-1][0]
