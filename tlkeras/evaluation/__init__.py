"""How good the answers are; plain NumPy, no pictures and no models.

labels (n,), probabilities (n, c) → Report → text, JSON, one HTML page, a figure
"""

from tlkeras.evaluation.report import Report

__all__ = ["Report"]
