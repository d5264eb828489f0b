"""The guarded doors: what a stranger's file is looked at for before a framework opens it.

    kinds.kind_of ─▶ archives     .keras .pt .pt2           one way to read them, no way out
                     json_text    config.json and the like  bounded in bytes and depth
                     keras_config layers by name            Keras' own, none that runs code
                     keras_file   .keras .h5                the only place that asks Keras to load
                     onnx_file    .onnx for a runtime       no other file is named
                     calls        functions of a graph      that end, and stay small put in place

ONNX has its door in onnx_to_keras/read, TensorFlow graphs in tf_to_keras/graphs/source, HDF5 in
tf_to_keras/h5, PyTorch in torch_to_keras/files. No framework is loaded by importing these.
"""
