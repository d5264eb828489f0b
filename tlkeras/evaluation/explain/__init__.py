"""Which parts of a picture spoke for a class: Grad-CAM, and occlusion as a check of it.

model, picture → trace or patches → coarse map (h, w) → Explanation: heat, overlay, figure

TensorFlow is loaded when something is explained, not by the import.
"""

from tlkeras.evaluation.explain.explaining import METHODS, Method, explain, explain_each
from tlkeras.evaluation.explain.explanation import Explanation

__all__ = ["METHODS", "Explanation", "Method", "explain", "explain_each"]
