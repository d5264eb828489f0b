"""Keras to ONNX: a writer of its own, and tf2onnx for what that has no words for.

graph.py, value.py   the graph that grows, and values with the order they are stored in
layers/ operations/  who writes what, a family a file; parts/ is what they are made of
walk.py              goes through the Keras graph
wire.py              writes the file, one weight in memory at a time
write.py             the way in: write, run, compare, put in place
"""

from converters.keras_to_onnx.write import keras_to_onnx

__all__ = ["keras_to_onnx"]
