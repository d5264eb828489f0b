"""TensorFlow graphs → Keras: read, check, flatten, ONNX, and from there as any ONNX network."""

from converters.tf_to_keras.graphs.convert import graph_to_keras, graph_to_onnx

__all__ = ["graph_to_keras", "graph_to_onnx"]
