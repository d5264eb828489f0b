"""Work that is killed at any moment, and done again until it is complete; see `kills.cases`."""

from collections.abc import Sequence

from tests.torture.rows import Row

KILLS = 100
WORKS = ("check", "extraction", "training", "save", "fine-tuning", "export")


def run(
    budget_s: float, seed: int, *, kills: int = KILLS, works: Sequence[str] = WORKS
) -> list[Row]:
    """One row a kind of work: how many kills, and how many of them did harm.

    Args:
        budget_s: seconds after which no other work is begun.
        seed: decides the moments.
        kills: how many, over all kinds of work in turn.
        works: the kinds.
    """
    # The process that does the work imports this package too, and needs none of it.
    from tests.torture.kills.cases import rows

    return rows(budget_s, seed, kills, works)
