"""Weights and answers in fewer bits, and what keeps them near the model's."""
