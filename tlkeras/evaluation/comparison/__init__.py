"""Which of several classifiers is better, on the same pictures; plain NumPy, no models.

labels (n,), answers (n,) of each → Comparison → text, JSON, a table, a figure
"""

from tlkeras.evaluation.comparison.comparison import Compared, Comparison, Flip
from tlkeras.evaluation.comparison.pair import Pair

__all__ = ["Compared", "Comparison", "Flip", "Pair"]
