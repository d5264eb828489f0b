"""PyTorch → Keras: exported in memory with every weight kept, imported, proven against torch.

nn.Module ─ .pt2 ─ TorchScript ─ weights + architecture ─▶ ONNX ─▶ Keras ─ compare ─ torch
"""

from converters.torch_to_keras.convert import torch_to_keras

__all__ = ["torch_to_keras"]
