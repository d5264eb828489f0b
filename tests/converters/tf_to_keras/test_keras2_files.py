"""Files of Keras 2 that are broken, hostile or beyond the importer: told, never run or followed."""

import io
import json
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from converters.errors import ConversionError, ReadError, UnsafeFileError, UnsupportedError
from converters.tf_to_keras import tf_to_keras
from converters.tf_to_keras.keras2 import keras2_to_keras
from tests.converters.tf_to_keras.keras2_nets import randomise, saved

tk = pytest.importorskip("tf_keras")
L = tk.layers


def network() -> Any:
    given = L.Input((8, 9, 3))
    x = L.Conv2D(4, 3, activation="relu", name="conv")(given)
    x = L.GlobalAveragePooling2D()(L.BatchNormalization(name="norm")(x))
    x = x * 2.0 + 1.0
    return randomise(tk.Model(given, L.Dense(3, name="dense")(x)))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("keras2")
    source = network()
    return {suffix: saved(source, folder, suffix) for suffix in (".h5", ".keras")}


def edited(path: Path, folder: Path, edit: Callable[[Any], None]) -> Path:
    """A copy of an .h5 file with another config."""
    copy = folder / "edited.h5"
    copy.write_bytes(path.read_bytes())
    with h5py.File(copy, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        edit(config)
        file.attrs["model_config"] = json.dumps(config)
    return copy


def entry(config: Any, name: str) -> Any:
    return next(one for one in config["config"]["layers"] if one["config"]["name"] == name)


def test_all_that_cannot_be_translated_is_told_at_once(tmp_path: Path) -> None:
    given = L.Input((8, 9, 3))
    x = L.Lambda(lambda x: x * 2, name="twice")(given)
    x = L.Lambda(lambda x: x + 2, name="more")(x)
    x = L.LocallyConnected2D(2, 3, name="local")(x)
    x = L.Dense(3, activation=lambda x: x, name="odd")(L.Flatten()(x))
    path = saved(tk.Model(given, x), tmp_path, ".h5")
    with pytest.raises(UnsupportedError, match="custom_objects") as caught:
        keras2_to_keras(path)
    assert caught.value.operators == {
        "Lambda": ["twice", "more"],
        "LocallyConnected2D": ["local"],
        "activation of the author's own": ["odd"],
    }


def test_class_of_the_authors_own_is_not_looked_for(tmp_path: Path) -> None:
    @tk.utils.register_keras_serializable("mine")
    class Dense(L.Dense):
        pass

    given = L.Input((4,))
    path = saved(tk.Model(given, Dense(3, name="own")(given)), tmp_path, ".keras")
    with pytest.raises(UnsupportedError, match="custom layer mine>Dense"):
        keras2_to_keras(path)


@pytest.mark.parametrize(
    ("name", "key", "value", "told"),
    [
        ("conv", "data_format", "channels_first", "channels_first"),
        ("norm", "renorm", True, "renorm"),
        ("norm", "axis", [1, 3], "axis"),
        ("dense", "kernel_regularizer", {"class_name": "Mine", "config": {}}, "Mine"),
        ("dense", "surprise", 3, "surprise"),
    ],
)
def test_setting_that_would_be_lost_is_refused(
    name: str, key: str, value: Any, told: str, files: dict[str, Path], tmp_path: Path
) -> None:
    path = edited(
        files[".h5"], tmp_path, lambda config: entry(config, name)["config"].update({key: value})
    )
    with pytest.raises(UnsupportedError, match=told):
        keras2_to_keras(path)


def test_initializer_from_a_module_is_never_imported(
    files: dict[str, Path], tmp_path: Path
) -> None:
    marker = tmp_path / "ran"
    hostile = {"module": "os", "class_name": "system", "config": f"touch {marker}"}
    path = edited(
        files[".h5"],
        tmp_path,
        lambda config: entry(config, "dense")["config"].update(kernel_initializer=hostile),
    )
    keras2_to_keras(path)
    assert not marker.exists()


def test_layer_larger_than_the_file_is_refused(files: dict[str, Path], tmp_path: Path) -> None:
    path = edited(
        files[".h5"], tmp_path, lambda config: entry(config, "dense")["config"].update(units=10**10)
    )
    with pytest.raises(ReadError, match="no more weights than the file holds"):
        keras2_to_keras(path)


def test_models_nested_without_end_are_refused(files: dict[str, Path], tmp_path: Path) -> None:
    def nest(config: Any) -> None:
        for _ in range(40):
            inner = {"class_name": config["class_name"], "config": dict(config["config"])}
            inner["config"]["name"] = "inner"
            config["class_name"] = "Sequential"
            config["config"] = {"name": "outer", "layers": [inner]}

    with pytest.raises(ReadError, match="nested"):
        keras2_to_keras(edited(files[".h5"], tmp_path, nest))


@pytest.mark.slow
def test_calls_that_double_at_each_level_are_refused(tmp_path: Path) -> None:
    from converters.tf_to_keras.keras2.build import build
    from converters.tf_to_keras.keras2.parse import parse

    first = {"class_name": "InputLayer", "name": "x", "inbound_nodes": [],
             "config": {"name": "x", "batch_input_shape": [None, 2]}}  # fmt: skip
    inner: Any = {"class_name": "Flatten", "config": {"name": "flat"}}
    for _ in range(15):
        calls = [[["x", 0, 0, {}]]] + [[["n", 1 + i, 0, {}]] for i in range(9)]
        layers = [first, inner | {"name": "n", "inbound_nodes": calls}]
        inner = {"class_name": "Functional", "config": {
            "name": "n", "layers": layers, "input_layers": [["x", 0, 0]],
            "output_layers": [["n", 10, 0]]}}  # fmt: skip
        if layers[1]["class_name"] == "Flatten":
            layers[1]["inbound_nodes"] = [[["x", 0, 0, {}]]]
            inner["config"]["output_layers"] = [["n", 0, 0]]
    with pytest.raises(ReadError, match="layer calls"):
        build(parse(inner), 0)


def test_links_out_of_the_file_are_refused(files: dict[str, Path], tmp_path: Path) -> None:
    other = tmp_path / "other.h5"
    with h5py.File(other, "w") as file:
        file["secret"] = np.ones((12, 4), np.float32)
    for link in (h5py.ExternalLink("other.h5", "/secret"), h5py.SoftLink("/model_weights/conv")):
        path = edited(files[".h5"], tmp_path, lambda config: None)
        with h5py.File(path, "r+") as file:
            group = file["model_weights/dense/dense"]
            del group["kernel:0"]
            group["kernel:0"] = link
        with pytest.raises(UnsafeFileError, match="leads elsewhere"):
            tf_to_keras(path)


def test_numbers_kept_in_another_file_are_refused(files: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "raw").write_bytes(bytes(48))
    path = edited(files[".h5"], tmp_path, lambda config: None)
    with h5py.File(path, "r+") as file:
        group = file["model_weights/dense/dense"]
        del group["kernel:0"]
        group.create_dataset("kernel:0", (4, 3), "f4", external=[(str(tmp_path / "raw"), 0, 48)])
    with pytest.raises(UnsafeFileError, match="another file"):
        tf_to_keras(path)


def test_numbers_that_are_not_there_are_refused(files: dict[str, Path], tmp_path: Path) -> None:
    path = edited(files[".h5"], tmp_path, lambda config: None)
    with h5py.File(path, "r+") as file:
        file.create_dataset("bomb", (1 << 40,), "f4", chunks=(1 << 20,), compression="gzip")
    with pytest.raises(ReadError, match="exhaust memory"):
        tf_to_keras(path)


def test_archive_that_swells_is_refused(files: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "swelling.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("metadata.json", '{"keras_version": "2.19.0"}')
        archive.writestr("config.json", " " * (1 << 26))
        archive.writestr("model.weights.h5", b"")
    with pytest.raises(ReadError, match="exhaust memory"):
        tf_to_keras(path)


def test_swapped_weights_are_noticed(files: dict[str, Path], tmp_path: Path) -> None:
    path = edited(files[".h5"], tmp_path, lambda config: None)
    with h5py.File(path, "r+") as file:
        names = file["model_weights/norm"].attrs
        names["weight_names"] = names["weight_names"][[1, 0, 2, 3]]
    with pytest.raises(ReadError, match="another order"):
        tf_to_keras(path)


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
def test_cut_files_are_told(suffix: str, files: dict[str, Path], tmp_path: Path) -> None:
    whole = files[suffix].read_bytes()
    for share in (0.0, 0.1, 0.5, 0.9, 0.99):
        path = tmp_path / f"cut{suffix}"
        path.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(ReadError):
            tf_to_keras(path)


def mutated(value: Any, chance: random.Random) -> Any:
    """JSON with one place changed."""
    places: list[tuple[Any, Any]] = []

    def walk(node: Any) -> None:
        for key in node if isinstance(node, dict) else range(len(node)):
            places.append((node, key))
            if isinstance(node[key], dict | list):
                walk(node[key])

    walk(value)
    node, key = chance.choice(places)
    other = [None, -1, 0, 10**12, 1e300, "x", "relu", [], {}, [[]], True, {"class_name": "Lambda"}]
    if chance.random() < 0.25:
        del node[key]
    else:
        node[key] = chance.choice(other)
    return value


@pytest.mark.slow
def test_mutated_configs_give_a_network_or_our_errors(
    files: dict[str, Path], tmp_path: Path
) -> None:
    chance = random.Random(0)
    refused = 0
    for _ in range(150):
        path = edited(files[".h5"], tmp_path, lambda config: mutated(config, chance))
        try:
            tf_to_keras(path)
        except ConversionError:
            refused += 1
    assert 30 < refused < 150


@pytest.mark.slow
def test_mutated_archives_give_a_network_or_our_errors(
    files: dict[str, Path], tmp_path: Path
) -> None:
    chance = random.Random(1)
    whole = files[".keras"].read_bytes()
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = members["config.json"]
    path = tmp_path / "mutated.keras"
    for _ in range(60):
        changed = json.dumps(mutated(json.loads(config), chance))
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in (members | {"config.json": changed.encode()}).items():
                archive.writestr(name, data)
        try:
            tf_to_keras(path)
        except ConversionError:
            continue


@pytest.mark.parametrize("node", ["a text", 7, None, [["input", "0", 0]]])
def test_call_that_names_no_layer_is_told(
    files: dict[str, Path], tmp_path: Path, node: Any
) -> None:
    def broken(config: Any) -> None:
        config["config"]["layers"][-1]["inbound_nodes"] = [node]

    # A text holds itself: read as nested lists, it took all memory once torch raised the limit.
    with pytest.raises(ReadError, match="lists of"):
        tf_to_keras(edited(files[".h5"], tmp_path, broken))


def test_file_of_another_kind_is_told(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("no network")
    with pytest.raises(ReadError, match=r"Expected HDF5"):
        tf_to_keras(path)
    with pytest.raises(ReadError, match="Check the path"):
        tf_to_keras(tmp_path / "missing.h5")
    with pytest.raises(ReadError, match=r"model\.json"):
        tf_to_keras(tmp_path)


def test_options_of_graphs_are_refused_for_layers(files: dict[str, Path]) -> None:
    with pytest.raises(TypeError, match="placeholders"):
        tf_to_keras(files[".h5"], placeholders=True)
