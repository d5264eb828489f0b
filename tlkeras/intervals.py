"""How sure a share is; every room may ask."""

from math import ceil, floor, log2, sqrt
from statistics import NormalDist

from tlkeras.errors import DataError


def wilson_interval(correct: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Interval (low, high) in [0, 1] that holds the true share with this confidence.

    E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
    Journal of the American Statistical Association 22 (1927). Unlike p ± 1.96·sd it stays
    inside [0, 1] and is not empty at 0 of n or n of n.

    >>> low, high = wilson_interval(28, 30)
    >>> f"{low:.3f} {high:.3f}"
    '0.787 0.982'
    """
    if not 0 <= correct <= n or n < 1:
        raise DataError(
            f"An interval needs 0 <= correct <= n and n >= 1; received correct={correct}, n={n}. "
            "Count over at least one picture."
        )
    if not 0 < confidence < 1:
        raise DataError(
            f"confidence is expected between 0 and 1, both excluded; received {confidence}. "
            "Pass 0.95 for a 95 % interval."
        )
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share = correct / n
    centre = share + z * z / (2 * n)
    half = z * sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    low = 0.0 if correct == 0 else (centre - half) / scale
    high = 1.0 if correct == n else (centre + half) / scale
    return low, high


def mcnemar_p(only_first: int, only_second: int) -> float:
    """Chance of so uneven a split of the disagreements, were both equally often right.

    Two classifiers answered the same pictures; only those matter that one of them alone has
    right. Q. McNemar, "Note on the sampling error of the difference between correlated
    proportions or percentages", Psychometrika 12 (1947), with the exact binomial distribution,
    two-sided; 1.0 where they never disagree.

    Args:
        only_first: pictures that the first has right and the second has wrong.
        only_second: the other way round.

    >>> mcnemar_p(9, 1), mcnemar_p(4, 4), mcnemar_p(0, 0)
    (0.021484375, 1.0, 1.0)
    """
    _check_counts(only_first, only_second)
    n, fewer = only_first + only_second, min(only_first, only_second)
    # Whole numbers to the end: 2^n is no float from n = 1024 on.
    ways = tail = 1
    for k in range(fewer):
        ways = ways * (n - k) // (k + 1)
        tail += ways
    return min(1.0, 2 * tail / 2**n)


def paired_interval(
    only_first: int, only_second: int, n: int, confidence: float = 0.95
) -> tuple[float, float]:
    """Interval (low, high) in [-1, 1] of how much more often the second is right.

    D. G. Bonett and R. M. Price, "Adjusted Wald confidence interval for a difference of binomial
    proportions based on paired data", Journal of Educational and Behavioral Statistics 37 (2012).

    Args:
        only_first: pictures that the first has right and the second has wrong.
        only_second: the other way round.
        n: all pictures that both answered.
        confidence: how often such intervals hold the true difference.

    >>> low, high = paired_interval(1, 9, 100)
    >>> f"{low:.3f} {high:.3f}"
    '0.014 0.143'
    """
    _check_counts(only_first, only_second, n)
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    first, second = (only_first + 1) / (n + 2), (only_second + 1) / (n + 2)
    half = z * sqrt((first + second - (second - first) ** 2) / (n + 2))
    return max(-1.0, second - first - half), min(1.0, second - first + half)


def pictures_needed(
    only_first: int, only_second: int, n: int, power: float = 0.8, level: float = 0.05
) -> int | None:
    """About how many pictures would show the seen difference; None where there is none.

    R. J. Connor, "Sample size for testing differences in proportions for the paired-sample
    design", Biometrics 43 (1987): McNemar's test at `level` finds a difference as large as the
    one seen, among as many disagreements, with a chance of `power`.

    Args:
        only_first: pictures that the first has right and the second has wrong.
        only_second: the other way round.
        n: all pictures that both answered.
        power: chance to find it.
        level: p below which a difference counts as found.

    >>> pictures_needed(4, 7, 120)
    1149
    """
    _check_counts(only_first, only_second, n)
    differing, gap = (only_first + only_second) / n, abs(only_first - only_second) / n
    if not gap:
        return None
    normal = NormalDist()
    z, z_power = normal.inv_cdf(1 - level / 2), normal.inv_cdf(power)
    enough = (z * sqrt(differing) + z_power * sqrt(differing - gap**2)) ** 2 / gap**2
    # 2^-5 is no rarity: fewer than six disagreements never give a p below 0.05.
    fewest = floor(log2(2 / level)) + 1
    return ceil(max(enough, fewest / differing))


def _check_counts(only_first: int, only_second: int, n: int | None = None) -> None:
    both = only_first + only_second
    if min(only_first, only_second) < 0 or (n is not None and not max(1, both) <= n):
        raise DataError(
            "Expected how many pictures each of two alone has right, of all n pictures; received "
            f"{only_first} and {only_second}{'' if n is None else f' of {n}'}. Count over the same "
            "pictures."
        )
