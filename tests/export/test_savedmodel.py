"""What lies in an exported folder, and that it is there only when it answers like the model."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from tensorflow.core.protobuf import saved_model_pb2

from tlkeras.errors import ExportError, ParityError
from tlkeras.export.savedmodel import export, served_parity, to_savedmodel

NAMES = ("ant", "bee", "cicáda", "dragonfly")


def test_labels_and_preprocessing_lie_in_the_assets(exported: Path) -> None:
    labels = (exported / "assets" / "labels.txt").read_text(encoding="utf-8")
    assert tuple(labels.splitlines()) == NAMES
    told = json.loads((exported / "assets" / "preprocess.json").read_text(encoding="utf-8"))
    assert told["size_px"] == 48
    assert told["resize"]["antialias"] is True
    assert told["colour_order"] == "RGB"
    assert told["range"] == [0, 255]


def test_graph_holds_no_op_that_touches_files(exported: Path) -> None:
    saved = saved_model_pb2.SavedModel()
    saved.ParseFromString((exported / "saved_model.pb").read_bytes())
    ops = set()
    for graph in (meta.graph_def for meta in saved.meta_graphs):
        ops |= {node.op for node in graph.node}
        ops |= {node.op for function in graph.library.function for node in function.node_def}
    assert {"DecodeJpeg", "DecodePng", "Conv2D"} <= ops
    assert not ops & {"ReadFile", "WriteFile", "PrintV2", "PyFunc", "EagerPyFunc"}


@pytest.mark.parametrize("names", [NAMES[:3], ("a", "b", "c", "d\ne")])
def test_class_names_that_do_not_fit_are_refused(
    names: tuple[str, ...], bundle: SimpleNamespace, tmp_path: Path
) -> None:
    wrong = SimpleNamespace(model=bundle.model, class_names=names, backbone=bundle.backbone)
    with pytest.raises(ExportError, match="class name"):
        to_savedmodel(wrong, tmp_path / "1")
    assert list(tmp_path.iterdir()) == []


def test_unverified_folder_has_no_parity(exported: Path) -> None:
    with pytest.raises(ExportError, match=r"parity\.json"):
        served_parity(exported)


@pytest.mark.slow
def test_export_is_verified_in_place_and_says_so(
    bundle: SimpleNamespace, answers: Callable, pictures: list[bytes], tmp_path: Path
) -> None:
    path = export(bundle, tmp_path / "1", pictures, answers)
    assert path == tmp_path / "1"
    parity = served_parity(path)
    assert parity.pictures == len(pictures)
    assert parity.largest_difference < 1e-5
    assert [entry.name for entry in tmp_path.iterdir()] == ["1"]


@pytest.mark.slow
def test_generated_pictures_serve_when_none_are_given(
    bundle: SimpleNamespace, answers: Callable, tmp_path: Path
) -> None:
    assert served_parity(export(bundle, tmp_path / "1", [], answers)).pictures == 5


@pytest.mark.slow
def test_other_answers_put_nothing_in_place(
    bundle: SimpleNamespace, answers: Callable, pictures: list[bytes], tmp_path: Path
) -> None:
    def other(shown: list[bytes]) -> np.ndarray:
        return np.roll(answers(shown), 1, axis=1)

    with pytest.raises(ParityError, match="Worst is picture"):
        export(bundle, tmp_path / "1", pictures, other)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_pretrained_backbone_serves_real_photographs(shared_data: Path, tmp_path: Path) -> None:
    import keras

    from tlkeras.data.pipeline import pixel_batches

    trunk = keras.applications.MobileNetV2((224, 224, 3), 0.35, include_top=False, weights=None)
    trunk.load_weights(shared_data / "weights" / "keras" / "mobilenetv2_0.35_224_notop.weights.h5")
    image = keras.Input((None, None, 3), name="image")
    x = keras.layers.Resizing(224, 224, antialias=True)(image)
    x = trunk(keras.layers.Rescaling(1 / 127.5, offset=-1)(x))
    x = keras.layers.GlobalAveragePooling2D(name="embedding")(x)
    kernel = np.random.default_rng(0).normal(0, 0.35, (1280, 4))
    model = keras.Model(image, keras.layers.Dense(4, activation="softmax", name="head")(x))
    model.get_layer("head").set_weights([kernel, np.zeros(4)])
    backbone = {"name": "MobileNetV2-0.35", "size_px": 224, "embedding_layer": "embedding"}
    network = SimpleNamespace(unknown=None)
    bundle = SimpleNamespace(model=model, class_names=NAMES, backbone=backbone, network=network)

    def probabilities(pictures: list[bytes]) -> np.ndarray:
        batches = pixel_batches(pictures, (224, 224))
        return np.concatenate([model.predict_on_batch(each.pixels) for each in batches])

    files = sorted((shared_data / "datasets" / "imagenet_sample_100").glob("*.JPEG"))[::4]
    pictures = [file.read_bytes() for file in files]
    assert len(set(probabilities(pictures).argmax(axis=1))) == 4
    parity = served_parity(export(bundle, tmp_path / "1", pictures, probabilities))
    assert parity.pictures == len(files)
    assert parity.largest_difference < 1e-5
