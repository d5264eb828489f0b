"""What can be known before building: shapes, constants, numbers that follow the batch."""

from converters.onnx_to_keras.fold.walk import fold

__all__ = ["fold"]
