"""A Ranking: candidates in order, those that the pictures cannot tell apart, and one reason."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tlkeras.data.picture import printable
from tlkeras.errors import BackboneError
from tlkeras.intervals import mcnemar_p
from tlkeras.selection.candidate import Candidate, LeftOut

if TYPE_CHECKING:
    from tlkeras.figures import Plot

LEVEL = 0.05  # of McNemar's p, below which two candidates count as told apart


@dataclass(frozen=True)
class Ranking:
    """Backbones in the order of their accuracy on the user's own pictures.

    Attributes:
        table: the candidates, the most accurate first.
        left_out: backbones that were not ranked, each with its reason.
        pictures: how many pictures each was judged on.
        notes: what a reader has to know of how the figures came about.

    Example::

        ranking = tl.rank("flowers/")
        print(ranking)                       # the table, the shortlist, the reason
        ranking.best.name, ranking.shortlist[0].ms_per_picture
        ranking.plot().savefig("ranking.png")
    """

    table: tuple[Candidate, ...]
    left_out: tuple[LeftOut, ...] = ()
    pictures: int = 0
    notes: tuple[str, ...] = field(default=())

    @classmethod
    def of(
        cls,
        candidates: Sequence[Candidate],
        left_out: Sequence[LeftOut] = (),
        notes: Sequence[str] = (),
    ) -> "Ranking":
        """The candidates in order; of equally accurate ones the faster comes first.

        Raises:
            BackboneError: there is no candidate; the message has the reasons.
        """
        if not candidates:
            reasons = "; ".join(map(str, left_out[:5])) or "none was named"
            raise BackboneError(
                f"A ranking needs one backbone or more. Received: none that could be ranked "
                f"({reasons}). Name others, or relax the limits."
            )
        order = sorted(candidates, key=lambda one: (-one.accuracy, *_time(one)))
        return cls(tuple(order), tuple(left_out), len(order[0].right), tuple(notes))

    @property
    def best(self) -> Candidate:
        """The most accurate; `shortlist` has those that may be as good."""
        return self.table[0]

    @property
    def shortlist(self) -> tuple[Candidate, ...]:
        """The best and all that these pictures cannot tell from it, the fastest first.

        Told apart are two backbones for which McNemar's exact test on the pictures that only
        one of them has right gives p < 0.05.
        """
        alike = [one for one in self.table if p_value(self.best, one) >= LEVEL]
        return tuple(sorted(alike, key=lambda one: (*_time(one), -one.accuracy)))

    @property
    def reason(self) -> str:
        """One sentence: what may be chosen, and what speaks for it."""
        best, short = self.best, self.shortlist
        told = (
            f"{best.name} comes first, right about {_percent(best.accuracy)} of "
            f"{self.pictures} pictures"
        )
        if len(self.table) == 1:
            return f"{told}; there is no other to compare it with."
        if len(short) == 1:
            next_one = self.table[1]
            p = p_value(best, next_one)
            return (
                f"{told}, clearly more often than any other: the next, {next_one.name}, about "
                f"{_percent(next_one.accuracy)} (McNemar's p {_p(p)})."
            )
        others = [one.name for one in short if one is not best]
        return (
            f"{told}, and these pictures cannot tell {_listed(others)} from it{_advantages(short)}."
        )

    def plot(self) -> "Plot":
        """A figure: accuracy with its interval against time, the size as the area.

        Raises:
            MissingExtraError: matplotlib is not installed.
        """
        from tlkeras.selection.chart import chart

        return chart(self)

    def to_dict(self) -> dict[str, object]:
        """All of it as JSON can hold it."""
        return {
            "pictures": self.pictures,
            "best": self.best.name,
            "shortlist": [one.name for one in self.shortlist],
            "reason": self.reason,
            "table": [one.to_dict() for one in self.table],
            "left_out": [vars(one) for one in self.left_out],
            "notes": list(self.notes),
        }

    def __repr__(self) -> str:
        best = f"best {printable(self.best.name)}, {_percent(self.best.accuracy)}"
        return (
            f"Ranking({best} of {self.pictures:,} pictures; {len(self.table)} ranked, "
            f"{len(self.left_out)} left out)"
        )

    def __str__(self) -> str:
        from tlkeras.selection.tables import to_text

        return to_text(self)

    def _repr_html_(self) -> str:
        from tlkeras.selection.tables import to_html

        return to_html(self)


def p_value(one: Candidate, other: Candidate) -> float:
    """McNemar's exact p that two candidates are equally often right about the same pictures."""
    only_one = int((one.right & ~other.right).sum())
    only_other = int((other.right & ~one.right).sum())
    return mcnemar_p(only_one, only_other)


def _advantages(short: Sequence[Candidate]) -> str:
    """Who of a shortlist is fastest and who is smallest, where that is known."""
    timed = [one for one in short if one.ms_per_picture is not None]
    sized = [one for one in short if one.size_mb is not None]
    quick = min(timed, key=lambda one: one.ms_per_picture or 0.0, default=None)
    small = min(sized, key=lambda one: one.size_mb or 0.0, default=None)
    if quick is not None and quick is small:
        return f"; {quick.name} is the fastest ({_ms(quick)}) and the smallest ({_mb(small)})"
    told = [f"{quick.name} is the fastest ({_ms(quick)})"] if quick else []
    told += [f"{small.name} the smallest ({_mb(small)})"] if small else []
    return "; " + ", ".join(told) if told else ""


def _time(one: Candidate) -> tuple[bool, float]:
    return one.ms_per_picture is None, one.ms_per_picture or 0.0


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _p(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"= {p:.2g}"


def _ms(one: Candidate) -> str:
    return f"{one.ms_per_picture:.3g} ms a picture"


def _mb(one: Candidate) -> str:
    return f"{one.size_mb:.3g} MB"
