"""Which part each picture goes to: every class in every part, groups never torn apart.

groups of several pictures, largest first ─▶ the part that lacks most of their classes
single pictures, shuffled                 ─▶ exactly what is then missing
a class missing from a part               ─▶ one small group is moved there
"""

from collections.abc import Sequence

import numpy as np

from tlkeras.errors import DataError

PART_NAMES = ("train", "validation", "test")

_ATTEMPTS = 20


def split(
    labels: np.ndarray,
    groups: np.ndarray,
    shares: Sequence[float] = (0.70, 0.15, 0.15),
    *,
    seed: int = 0,
    class_names: Sequence[str],
) -> np.ndarray:
    """Index of the part of each picture, int8 (n,), stratified by class.

    Args:
        labels: class of each picture, int (n,), indices into `class_names`.
        groups: int (n,); pictures with the same number stay together.
        shares: share of each part; a share of 0 leaves that part empty.
        seed: another seed gives another split with the same numbers.
        class_names: for the error.

    Raises:
        DataError: a class has too few pictures, or too few groups, for one in every part.

    >>> import numpy as np
    >>> labels = np.repeat([0, 1], [40, 20])
    >>> parts = split(labels, np.arange(60), seed=1, class_names=("cat", "dog"))
    >>> np.bincount(parts[labels == 0]).tolist(), np.bincount(parts[labels == 1]).tolist()
    ([28, 6, 6], [14, 3, 3])
    """
    used = [part for part, share in enumerate(shares) if share > 0]
    table = _Table(labels, groups, len(class_names))
    _check_possible(table, [PART_NAMES[part] for part in used], class_names)
    weights = np.array([shares[part] for part in used], dtype=np.float64)
    totals = np.bincount(labels, minlength=len(class_names))
    targets = np.stack([apportion(int(n), weights, minimum=1) for n in totals], axis=1)
    best = _place(table, targets, np.random.default_rng((seed, 0)))
    for attempt in range(1, _ATTEMPTS):
        if _badness(best, table, targets) == (0, 0):
            break
        other = _place(table, targets, np.random.default_rng((seed, attempt)))
        best = min(best, other, key=lambda placed: _badness(placed, table, targets))
    if _badness(best, table, targets)[0]:
        raise DataError(_impossible(best, table, [PART_NAMES[p] for p in used], class_names))
    return np.array(used, dtype=np.int8)[best][table.of_picture]


def apportion(total: int, weights: np.ndarray, minimum: int | np.ndarray = 0) -> np.ndarray:
    """Whole numbers that sum to `total`, in proportion to `weights`, by largest remainder.

    No number is below its `minimum`, as far as the total allows.

    >>> apportion(40, np.array([0.7, 0.15, 0.15])).tolist()
    [28, 6, 6]
    >>> apportion(3, np.array([0.7, 0.15, 0.15]), minimum=1).tolist()
    [1, 1, 1]
    """
    exact = total * weights / weights.sum() if weights.sum() > 0 else np.zeros(len(weights))
    # A hair is added because 20 * 0.15 / 1.0 may come out as 2.9999999999999996.
    numbers = np.floor(exact + 1e-9).astype(np.int64)
    order = np.argsort(-(exact - numbers), kind="stable")
    numbers[order[: total - int(numbers.sum())]] += 1
    numbers = np.maximum(numbers, minimum)
    while numbers.sum() > total and (numbers > minimum).any():
        surplus = np.where(numbers > minimum, numbers - exact, -np.inf)
        numbers[int(np.argmax(surplus))] -= 1
    return numbers


class _Table:
    """Which group and class each picture belongs to, and the pictures of each group."""

    def __init__(self, labels: np.ndarray, groups: np.ndarray, classes: int) -> None:
        self.labels = labels
        self.classes = classes
        _, self.of_picture = np.unique(groups, return_inverse=True)
        self.sizes = np.bincount(self.of_picture)
        self._order = np.argsort(self.of_picture, kind="stable")
        self._ends = np.cumsum(self.sizes)

        self._cells: dict[int, list[tuple[int, int]]] | None = None

    def label_of_single(self, groups: np.ndarray) -> np.ndarray:
        """The label of the only picture of each group, int64 (k,)."""
        return self.labels[self._order[self._ends[groups] - 1]].astype(np.int64)

    def cells_of(self, group: int) -> list[tuple[int, int]]:
        """(label, number of pictures) of a group of several, by label."""
        if self._cells is None:
            several = self.sizes[self.of_picture] > 1
            cells, numbers = np.unique(
                self.of_picture[several] * self.classes + self.labels[several], return_counts=True
            )
            self._cells = {}
            for cell, number in zip(cells.tolist(), numbers.tolist(), strict=True):
                one, label = divmod(cell, self.classes)
                self._cells.setdefault(one, []).append((label, number))
        return self._cells[group]

    def groups_with(self, label: int) -> np.ndarray:
        """Groups that hold a class, the smallest first."""
        groups = np.unique(self.of_picture[self.labels == label])
        return groups[np.argsort(self.sizes[groups], kind="stable")]

    def held(self, placed: np.ndarray, parts: int) -> np.ndarray:
        """Pictures of each class in each part, int64 (parts, classes)."""
        cells = placed[self.of_picture] * self.classes + self.labels
        counts = np.bincount(cells, minlength=parts * self.classes)
        return counts.reshape(parts, self.classes)


def _check_possible(table: _Table, parts: Sequence[str], class_names: Sequence[str]) -> None:
    pictures = np.bincount(table.labels, minlength=len(class_names))
    cells = np.unique(table.of_picture * len(class_names) + table.labels)
    holders = np.bincount(cells % len(class_names), minlength=len(class_names))
    short = [
        f"  - {name!r}: {pictures[index]} picture{'' if pictures[index] == 1 else 's'}"
        + (f" in {holders[index]} group(s)" if holders[index] < pictures[index] else "")
        for index, name in enumerate(class_names)
        if holders[index] < len(parts)
    ]
    if short:
        raise DataError(
            f"Expected at least {len(parts)} pictures of every class that are not copies of one "
            f"another (or of one group), so that {_spoken(parts)} each get one. Too few:\n"
            + "\n".join(short)
            + "\nAdd pictures, merge or drop the class, or set a share of 0 in split=, for "
            "instance split=(0.8, 0.2, 0) or split=(1, 0, 0)."
        )


def _place(table: _Table, targets: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Part index of each group, int64 (groups,); `targets` is (parts, classes)."""
    placed = np.full(len(table.sizes), -1, dtype=np.int64)
    shuffled = rng.permutation(len(table.sizes))
    large = shuffled[table.sizes[shuffled] > 1]
    missing = _place_large(
        placed, large[np.argsort(-table.sizes[large], kind="stable")], table, targets
    )
    single = shuffled[table.sizes[shuffled] == 1]
    classes = table.label_of_single(single)
    by_class = np.argsort(classes, kind="stable")
    ends = np.cumsum(np.bincount(classes, minlength=table.classes))
    for label in np.unique(classes).tolist():
        members = single[by_class[ends[label - 1] if label else 0 : ends[label]]]
        wanted = np.maximum(missing[:, label], 0)
        absent = (missing[:, label] == targets[:, label]).astype(np.int64)
        numbers = apportion(len(members), wanted.astype(np.float64), minimum=absent)
        # More parts may lack the class than there are single pictures: the move below decides.
        placed[members] = np.repeat(np.arange(len(targets)), numbers)[: len(members)]
    _fill_gaps(placed, table, len(targets))
    return placed


def _place_large(
    placed: np.ndarray, large: np.ndarray, table: _Table, targets: np.ndarray
) -> np.ndarray:
    """Place groups of several, in order, in place; what the parts then lack (parts, classes)."""
    # Lists: there may be as many groups as pictures, and each decides over the next.
    missing = [row.tolist() for row in targets]
    wanted = [row.tolist() for row in targets]
    for group in large.tolist():
        cells = table.cells_of(group)
        best = (-1.0, -1.0)
        part = 0
        for candidate, lack in enumerate(missing):
            fits = float(sum(min(lack[label], holds) for label, holds in cells))
            relative = sum(lack[label] / wanted[candidate][label] for label, _ in cells)
            if candidate == 0 or (fits, relative) > best:
                best, part = (fits, relative), candidate
        placed[group] = part
        for label, holds in cells:
            missing[part][label] -= holds
    return np.array(missing, dtype=np.int64)


def _fill_gaps(placed: np.ndarray, table: _Table, parts: int) -> None:
    """Move small groups, in place, so that parts get the classes they lack."""
    for part, label in zip(*np.nonzero(table.held(placed, parts) == 0), strict=True):
        gaps = table.held(placed, parts) == 0
        if not gaps[part, label]:
            continue
        for group in table.groups_with(label):
            before = placed[group]
            placed[group] = part
            if (table.held(placed, parts) == 0).sum() < gaps.sum():
                break
            placed[group] = before


def _badness(placed: np.ndarray, table: _Table, targets: np.ndarray) -> tuple[int, int]:
    """(classes missing from parts, pictures in the wrong part): the smaller the better."""
    held = table.held(placed, len(targets))
    return int((held == 0).sum()), int(np.abs(held - targets).sum())


def _impossible(
    placed: np.ndarray, table: _Table, parts: Sequence[str], class_names: Sequence[str]
) -> str:
    held = table.held(placed, len(parts))
    gaps = "\n".join(
        f"  - {class_names[label]!r} would be missing from {parts[part]}"
        for part, label in zip(*np.nonzero(held == 0), strict=True)
    )
    return (
        f"Expected every class in {_spoken(parts)}, but groups that belong together "
        f"(duplicates, or groups=) hold several classes and leave no such split:\n{gaps}\n"
        "Use smaller groups, add pictures, or set a share of 0 in split=."
    )


def _spoken(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
