"""ONNX → Keras: native layers, channels last, real weights, names kept.

read ─▶ parse ─▶ fold ─▶ normalise ─▶ fuse ─▶ layout ─▶ build ─▶ certify
file    Graph    shapes,  one form     layers   axis      Keras    the same
                 numbers  an opset     again    orders    model    answers
"""

from converters.onnx_to_keras.convert import onnx_to_keras

__all__ = ["onnx_to_keras"]
