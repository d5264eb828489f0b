"""What commonly goes wrong in a Keras model, ours or not, each with its fix.

file ─opening─▶ Patient ─ freezing, batchnorm, pixels, outputs ─▶ Diagnosis
"""

from tlkeras.evaluation.doctor.diagnosis import Diagnosis, Symptom

__all__ = ["Diagnosis", "Symptom"]
