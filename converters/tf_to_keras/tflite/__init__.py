"""TensorFlow Lite files → ONNX: read → dequantise → one function an operator → ModelProto."""
