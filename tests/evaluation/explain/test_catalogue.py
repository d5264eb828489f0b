"""Grad-CAM on every backbone of the catalogue, untrained and on small pictures."""

import gc
from dataclasses import replace

import keras
import numpy as np
import pytest

from tlkeras.backbones.catalogue import backbones
from tlkeras.backbones.graph import embedding_graph
from tlkeras.evaluation.explain.gradcam import gradcam

SIZE_PX = 96
FAMILIES = sorted({spec.application for spec in backbones()})


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_every_backbone_has_a_map_that_depends_on_the_picture(family: str) -> None:
    pixels = np.random.default_rng(0).uniform(0, 255, (2, SIZE_PX, SIZE_PX, 3)).astype("float32")
    for spec in (spec for spec in backbones() if spec.application == family):
        keras.backend.clear_session()
        gc.collect()
        keras.utils.set_random_seed(0)
        backbone = embedding_graph(replace(spec, size_px=SIZE_PX))
        head = keras.layers.Dense(2, activation="softmax")
        model = keras.Model(backbone.input, head(backbone.output))
        # What speaks for one of two opposite classes speaks against the other.
        kernel, bias = head.get_weights()
        head.set_weights([kernel[:, :1] * [[1, -1]], bias])
        found = gradcam(model, pixels[[0, 0, 1, 1]], 2, [0, 1, 0, 1]).maps
        assert found.shape[1] == found.shape[2] >= 2, spec.name
        assert np.isfinite(found).all(), spec.name
        first, second = found[:2].max(axis=0), found[2:].max(axis=0)
        assert first.any(), spec.name
        assert second.any(), spec.name
        assert not np.array_equal(first, second), spec.name
        del backbone, model
