"""Networks that are exported from torch, imported into Keras and measured, one row each.

    networks/ ──randomise──▶ torch module ──export──▶ .onnx ──measure──▶ rows ──table──▶ Markdown

Run with `python -m benchmarks.import_zoo`.
"""
