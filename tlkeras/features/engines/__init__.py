"""Who runs the frozen backbone: one small file an engine, one signature, chosen by measuring.

    engine.py        what an engine is: pixels in, embeddings out, safe from several threads
    tensorflow.py    always there, and what Keras computes; the others are compared with it
    onnxruntime.py   an ONNX file
    openvino.py      an ONNX file; float32, or bfloat16 where the processor multiplies in it
    litert.py        a .tflite file; int8 only when asked
    trunk.py         the network that is converted: without the resizing done before
    choice.py        a short trial of all of them (timing.py); memory.py keeps its outcome
    hardware.py      processor, cores, what it can compute in

Nothing here loads an engine's package before that engine is made.
"""
