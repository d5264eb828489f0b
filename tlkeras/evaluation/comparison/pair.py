"""Two classifiers on the same pictures: what only one has right, and what that proves."""

from dataclasses import dataclass

from tlkeras.evaluation.wording import plain
from tlkeras.intervals import mcnemar_p, paired_interval, pictures_needed

LEVEL = 0.05


@dataclass(frozen=True)
class Pair:
    """Two classifiers that answered the same pictures.

    Attributes:
        first: name of one.
        second: name of the other.
        n: pictures that both answered.
        only_first: of them, those that the first alone has right.
        only_second: those that the second alone has right.
        flips: all whose answer differs, those that both have wrong among them.
        p: McNemar's exact p.
        p_adjusted: the same, by Holm, for the number of pairs that were looked at.

    >>> pair = Pair("small", "large", 120, 4, 7, 13, 0.55, 0.55)
    >>> print(pair)
    small and large are not distinguishable with 120 test pictures: small alone is right on 4,
    large on 7 (McNemar's exact p 0.55). Anything from small ahead by 3.3 points to large ahead by
    8.2 points fits. Were it 2.5 points, as seen, about 1,149 pictures would show it four times of
    five.
    """

    first: str
    second: str
    n: int
    only_first: int
    only_second: int
    flips: int
    p: float
    p_adjusted: float

    @property
    def distinguishable(self) -> bool:
        """Whether so uneven a split is too rare for chance (p below 0.05)."""
        return self.p_adjusted < LEVEL

    @property
    def difference(self) -> float:
        """How much more often the second is right, a share in [-1, 1]."""
        return (self.only_second - self.only_first) / self.n

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the difference."""
        return paired_interval(self.only_first, self.only_second, self.n)

    @property
    def better(self) -> str | None:
        """Name of the one that is right more often; None where the pictures can't tell."""
        if not self.distinguishable:
            return None
        return self.second if self.difference > 0 else self.first

    @property
    def needed(self) -> int | None:
        """About how many pictures would show the difference, if it is as large as seen."""
        return pictures_needed(self.only_first, self.only_second, self.n)

    def to_dict(self) -> dict[str, object]:
        """The numbers as plain Python values, ready for JSON."""
        return {
            **vars(self),
            "distinguishable": self.distinguishable,
            "better": self.better,
            "difference": self.difference,
            "interval": list(self.interval),
            "pictures_needed": None if self.distinguishable else self.needed,
        }

    def __str__(self) -> str:
        return "\n".join(_wrapped(self.sentence))

    @property
    def sentence(self) -> str:
        """What the pictures say about the two, in plain words."""
        first, second = plain(self.first), plain(self.second)
        if not self.flips:
            return f"{first} and {second} give the same answer to all {self.n:,} test pictures."
        proof = (
            f"{first} alone is right on {self.only_first:,}, {second} on {self.only_second:,} "
            f"(McNemar's exact {self._p_text()})"
        )
        low, high = self.interval
        if self.better is not None:
            better, worse = (first, second) if self.difference < 0 else (second, first)
            ends = sorted((abs(low), abs(high))) if low * high > 0 else [0.0, max(-low, high)]
            return (
                f"{better} is right more often than {worse}, by {_points(self.difference)} points "
                f"(95 % interval {_points(ends[0])} to {_points(ends[1])}): {proof}."
            )
        return (
            f"{first} and {second} are not distinguishable with {self.n:,} test pictures: {proof}. "
            f"Anything from {self._ahead(low)} to {self._ahead(high)} fits. {self._more()}"
        )

    def _ahead(self, difference: float) -> str:
        leader = self.first if difference < 0 else self.second
        return f"{plain(leader)} ahead by {_points(difference)} points"

    def _p_text(self) -> str:
        alone, adjusted = _p_text(self.p), _p_text(self.p_adjusted)
        return alone if alone == adjusted else f"{alone}, {adjusted} for the number of pairs"

    def _more(self) -> str:
        if self.needed is None:
            return "They are right equally often here: no number of pictures can be named."
        if self.p < LEVEL:
            return "Alone, this pair would have been told apart: compare fewer at once."
        return (
            f"Were it {_points(self.difference)} points, as seen, about {self.needed:,} pictures "
            "would show it four times of five."
        )


def pairs_of(names: list[str], right: list[list[bool]], flips: list[list[int]]) -> list[Pair]:
    """Every pair of classifiers, in order, each p with Holm's adjustment beside it.

    S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of
    Statistics 6 (1979): of many pairs, one looks uneven by chance.

    Args:
        names: of the classifiers.
        right: for each, whether its answer to each picture is right.
        flips: for each two, how many answers differ.

    >>> [pair.p for pair in pairs_of(["a", "b"], [[True, False], [True, True]], [[0, 1], [1, 0]])]
    [1.0]
    """
    found = []
    for i, first in enumerate(names):
        for j in range(i + 1, len(names)):
            a = sum(x and not y for x, y in zip(right[i], right[j], strict=True))
            b = sum(y and not x for x, y in zip(right[i], right[j], strict=True))
            found.append((first, names[j], len(right[i]), a, b, flips[i][j], mcnemar_p(a, b)))
    adjusted = holm([values[-1] for values in found])
    return [Pair(*values, share) for values, share in zip(found, adjusted, strict=True)]


def holm(shares: list[float]) -> list[float]:
    """Each p such that, all together, chance gives one below 0.05 in at most 1 of 20 cases.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    adjusted = [1.0] * len(shares)
    largest = 0.0
    for rank, row in enumerate(sorted(range(len(shares)), key=shares.__getitem__)):
        largest = max(largest, min(1.0, (len(shares) - rank) * shares[row]))
        adjusted[row] = largest
    return adjusted


def _p_text(p: float) -> str:
    return f"p {p:.2g}" if p >= 0.001 else "p < 0.001"


def _points(share: float) -> str:
    return f"{100 * abs(share):.1f}"


def _wrapped(sentence: str, width: int = 95) -> list[str]:
    from textwrap import wrap

    return wrap(sentence, width, break_long_words=False, break_on_hyphens=False)
