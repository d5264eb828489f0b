"""Keras → PyTorch: a state_dict under torch's own names, or a .pt2 program; checked by torch.

model ─ names and layouts back ─▶ {name: tensor} ─▶ .pt .pth .safetensors   (loaded, run)
model ─ Keras on the torch backend, in another process ─ torch.export ─▶ .pt2   (run)
"""

from converters.keras_to_torch.convert import keras_to_torch

__all__ = ["keras_to_torch"]
