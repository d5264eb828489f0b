"""Pixels to embedding: which pretrained networks there are, and how one is built.

    catalogue.csv ─ find ─▶ Backbone ─ build ─▶ keras.Model (RGB in [0, 255] → embedding)
    a keras.Model or its file ─ from_model ───▶ the same form

Importing this room loads no TensorFlow; building a network does.
"""

from tlkeras.backbones.catalogue import backbones, find
from tlkeras.backbones.hashing import fingerprint
from tlkeras.backbones.imported import from_model
from tlkeras.backbones.spec import Backbone, Published

__all__ = ["Backbone", "Published", "backbones", "find", "fingerprint", "from_model"]
