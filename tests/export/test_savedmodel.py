"""What lies in an exported folder, and that it is there only when it answers like the model."""

import json
import re
import subprocess
import sys
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
    assert told["licence_of_the_weights"] == "MIT"


def test_graph_holds_no_op_that_touches_files(exported: Path) -> None:
    saved = saved_model_pb2.SavedModel()
    saved.ParseFromString((exported / "saved_model.pb").read_bytes())
    ops = set()
    for graph in (meta.graph_def for meta in saved.meta_graphs):
        ops |= {node.op for node in graph.node}
        ops |= {node.op for function in graph.library.function for node in function.node_def}
    assert {"DecodeJpeg", "DecodePng", "Conv2D"} <= ops
    assert not ops & {"ReadFile", "WriteFile", "PrintV2", "PyFunc", "EagerPyFunc"}


def test_scan_of_tensorflow_finds_no_op_that_it_warns_of(
    exported: Path, capsys: pytest.CaptureFixture
) -> None:
    from tensorflow.python.tools import saved_model_cli

    saved = saved_model_pb2.SavedModel()
    saved.ParseFromString((exported / "saved_model.pb").read_bytes())
    for graph in saved.meta_graphs:
        saved_model_cli.scan_meta_graph_def(graph, saved_model_cli._OP_DENYLIST)
    assert "does not contain the default denylisted ops" in capsys.readouterr().out


@pytest.mark.slow
def test_saved_model_cli_shows_the_documented_names(exported: Path) -> None:
    tool = "tensorflow.python.tools.saved_model_cli"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", tool, "show", "--dir", str(exported), "--all"],
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    shown: dict[str, dict[str, tuple[str, str]]] = {}
    for name, body in re.findall(r"signature_def\['(\w+)'\]:\n(.*?)Method name", done.stdout, re.S):
        found = re.findall(r"puts\['(\w+)'\] tensor_info:\s+dtype: (\w+)\s+shape: (.*)", body)
        shown[name] = {tensor: (dtype, shape) for tensor, dtype, shape in found}
    scored = {
        "label": ("DT_STRING", "(-1)"),
        "score": ("DT_FLOAT", "(-1)"),
        "probabilities": ("DT_FLOAT", "(-1, 4)"),
    }
    ok = {"ok": ("DT_BOOL", "(-1)")}
    encoded = {"image_bytes": ("DT_STRING", "(-1)")}
    assert shown["serving_default"] == encoded | scored | ok
    assert shown["embed"] == encoded | {"embedding": ("DT_FLOAT", "(-1, 10)")} | ok
    assert shown["predict_images"] == {"images": ("DT_UINT8", "(-1, -1, -1, 3)")} | scored
    assert shown["predict_tensor"] == {"images": ("DT_FLOAT", "(-1, -1, -1, 3)")} | scored


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
    path = export(bundle, tmp_path / "tiny", pictures, answers)
    assert path == tmp_path / "tiny" / "1"
    parity = served_parity(path)
    assert parity.pictures == len(pictures)
    assert parity.largest_difference < 1e-5
    assert sorted(entry.name for entry in path.parent.iterdir()) == ["1", "README.md"]
    assert sorted(entry.name for entry in (path / "assets.extra").iterdir()) == [
        "parity.json",
        "tf_serving_warmup_requests",
    ]
    with pytest.raises(ExportError, match=r"Name a version, such as '.*tiny.1'"):
        served_parity(path.parent)


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
        export(bundle, tmp_path / "tiny", pictures, other)
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
    network = SimpleNamespace(unknown=None, size_bytes=0)
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
