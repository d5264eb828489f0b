"""Keras files that carry code, name what is not Keras' own, lead elsewhere, or are bombs."""

import base64
import json
import pickle
import shutil
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from tests.torture.zoo.den import SECRET, Den, Payload, beast

Config = dict[str, Any]
MODEL = "keras model"
WEIGHTS = "weights"
DEEP = 100_000


def plain(path: Path) -> Path:
    """A harmless network of three layers: pictures of 32 px in, two classes out."""
    import keras

    if not path.exists():
        layers = keras.layers
        network = keras.Sequential([
            keras.Input((32, 32, 3)), layers.Rescaling(1 / 255), layers.Conv2D(4, 3, name="conv"),
            layers.GlobalAveragePooling2D(), layers.Dense(2, "softmax", name="head"),
        ])  # fmt: skip
        network.save(path)
    return path


def members(path: Path) -> dict[str, bytes]:
    """What an archive holds, by name."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write(path: Path, content: dict[str, bytes], *, packed: bool = False) -> None:
    """An archive with these members."""
    method = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in content.items():
            archive.writestr(name, data)


def with_config(den: Den, change: Callable[[Config], object]) -> None:
    """The harmless network with its configuration changed."""
    content = members(plain(den.home / "plain.keras"))
    config = json.loads(content["config.json"])
    change(config)
    write(den.path, content | {"config.json": json.dumps(config).encode()})


def with_layer(den: Den, layer: Config) -> None:
    """The harmless network with one more layer, by its configuration, before the last."""
    with_config(den, lambda config: config["config"]["layers"].insert(-1, layer))


def named(
    module: str | None, kind: str, registered: str | None = None, /, **config: object
) -> Config:
    """How Keras writes an object down."""
    return {
        "module": module, "class_name": kind, "config": config, "registered_name": registered,
    }  # fmt: skip


def with_weights(den: Den, change: Callable[[h5py.File], object], suffix: str = "") -> None:
    """The harmless network with its HDF5 file changed."""
    content = members(plain(den.home / "plain.keras"))
    store = den.folder / "weights.h5"
    store.write_bytes(content["model.weights.h5"])
    with h5py.File(store, "r+") as file:
        change(file)
    write(den.path, content | {"model.weights.h5": store.read_bytes()})
    store.unlink()


def code(den: Den) -> object:
    """A function whose call makes the canary."""
    return eval(f"lambda x: ({den.command}, x)[1]")  # Keras stores a lambda as its code


def _lambda(den: Den) -> None:
    import keras

    layers = keras.layers
    network = keras.Sequential([
        keras.Input((32, 32, 3)), layers.Lambda(code(den), output_shape=(32, 32, 3)),
        layers.GlobalAveragePooling2D(), layers.Dense(2),
    ])  # fmt: skip
    network.save(den.path)
    den.fired.unlink(missing_ok=True)  # building it has called it


beast("lambda.keras", MODEL, "Lambda.*not run")(_lambda)
beast("lambda.h5", MODEL, "Lambda.*not run")(_lambda)


@beast("popen.keras", MODEL, "Popen of subprocess")
def _popen(den: Den) -> None:
    with_layer(den, named("subprocess", "Popen", args=["touch", str(den.fired)]))


@beast("os_system.keras", MODEL, "function system of os")
def _system(den: Den) -> None:
    call = {"module": "os", "class_name": "function", "config": "system", "registered_name": ""}
    with_layer(den, named("keras.layers", "Activation", name="a", activation=call))


@beast("get_file.keras", MODEL, "function get_file of keras.utils")
def _get_file(den: Den) -> None:
    call = {"module": "keras.utils", "class_name": "function", "config": "get_file"}
    layer = named("keras.layers", "Activation", name="a", activation=call | {"registered_name": ""})
    with_layer(den, layer)


@beast("unsafe_switch.keras", MODEL, "enable_unsafe_deserialization")
def _switch(den: Den) -> None:
    call = {
        "module": "keras.config", "class_name": "function",
        "config": "enable_unsafe_deserialization", "registered_name": "",
    }  # fmt: skip
    with_layer(den, named("keras.layers", "Activation", name="a", activation=call))


@beast("registered.keras", MODEL, "Thief")
def _registered(den: Den) -> None:
    with_layer(den, named(None, "Thief", "evil>Thief", name="thief"))


@beast("string_lookup.keras", MODEL, "vocabulary in another file")
def _lookup(den: Den) -> None:
    with_layer(den, named("keras.layers", "StringLookup", name="s", vocabulary=str(den.secret)))


@beast("saved_model_layer.keras", MODEL, "TFSMLayer")
def _tfsm(den: Den) -> None:
    with_layer(den, named("keras.layers", "TFSMLayer", name="t", filepath=str(den.folder)))


@beast("torch_module.keras", MODEL, "TorchModuleWrapper")
def _torch_module(den: Den) -> None:
    text = base64.b64encode(pickle.dumps(Payload(den.command))).decode()
    with_layer(den, named("keras.layers", "TorchModuleWrapper", name="t", module=text))


@beast("external_link.keras", MODEL, "ExternalLink")
def _external_link(den: Den) -> None:
    other = den.home / "other.h5"
    with h5py.File(other, "w") as file:
        file["secret"] = np.full((3, 3, 3, 4), SECRET, "float32")

    def change(file: h5py.File) -> None:
        del file["layers/conv2d/vars/0"]
        file["layers/conv2d/vars/0"] = h5py.ExternalLink(str(other), "/secret")

    with_weights(den, change)


@beast("external_storage.keras", MODEL, "another file")
def _external_storage(den: Den) -> None:
    def change(file: h5py.File) -> None:
        del file["layers/conv2d/vars/0"]
        file["layers/conv2d/vars"].create_dataset(
            "0", (3, 3, 3, 4), "f4", external=[(str(den.secret), 0, 432)]
        )

    with_weights(den, change)


@beast("external_storage.weights.h5", WEIGHTS, "another file")
def _external_weights(den: Den) -> None:
    with h5py.File(den.path, "w") as file:
        file.create_dataset(
            "layers/conv2d/vars/0", (64,), "f4", external=[(str(den.secret), 0, 256)]
        )


@beast("virtual.weights.h5", WEIGHTS, "another file")
def _virtual(den: Den) -> None:
    other = den.home / "virtual_source.h5"
    with h5py.File(other, "w") as file:
        file["secret"] = np.full((64,), SECRET, "float32")
    layout = h5py.VirtualLayout((64,), "f4")
    layout[:] = h5py.VirtualSource(str(other), "secret", shape=(64,))
    with h5py.File(den.path, "w") as file:
        file.create_virtual_dataset("layers/conv2d/vars/0", layout)


@beast("external_link.h5", MODEL, "ExternalLink")
def _external_model(den: Den) -> None:
    import keras

    keras.models.load_model(plain(den.home / "plain.keras"), compile=False).save(den.path)
    with h5py.File(den.path, "r+") as file:
        place = "model_weights/conv/sequential/conv/kernel"
        place = place if place in file else _first_array(file["model_weights"])
        del file[place]
        file[place] = h5py.ExternalLink(str(den.secret), "/secret")


def _first_array(group: h5py.Group) -> str:
    found: list[str] = []
    group.visititems(lambda _, node: found.append(node.name) if hasattr(node, "shape") else None)
    return found[0]


@beast("shape_bomb.keras", MODEL, "exhaust memory")
def _shape_bomb(den: Den) -> None:
    def change(file: h5py.File) -> None:
        del file["layers/conv2d/vars/0"]
        file["layers/conv2d/vars"].create_dataset(
            "0", (2**20, 2**20), "f4", chunks=(1024, 1024), fillvalue=0
        )

    with_weights(den, change)


@beast("zip_bomb.keras", MODEL, "exhaust memory")
def _zip_bomb(den: Den) -> None:
    content = members(plain(den.home / "plain.keras"))
    write(den.path, content | {"config.json": b" " * (300 << 20)}, packed=True)


@beast("zip_slip.keras", MODEL, "written or read elsewhere")
def _zip_slip(den: Den) -> None:
    content = members(plain(den.home / "plain.keras"))
    write(den.path, content | {f"assets/../../fired/{den.name}": b"slipped"})


@beast("linked_member.keras", MODEL, "written or read elsewhere")
def _linked_member(den: Den) -> None:
    write(den.path, members(plain(den.home / "plain.keras")))
    entry = zipfile.ZipInfo("assets/link")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(den.path, "a") as archive:
        archive.writestr(entry, str(den.secret))


@beast("two_configs.keras", MODEL, "twice")
def _two_configs(den: Den) -> None:
    with_layer(den, named("subprocess", "Popen", args=["touch", str(den.fired)]))
    good = members(plain(den.home / "plain.keras"))["CONFIG.json".lower()]
    with zipfile.ZipFile(den.path, "a") as archive:
        archive.writestr("Config.json", good)


@beast("two_in_one.keras", MODEL, "plain pickle")
def _two_in_one(den: Den) -> None:
    whole = plain(den.home / "plain.keras").read_bytes()
    den.path.write_bytes(pickle.dumps(Payload(den.command)) + whole)


@beast("deep.keras", MODEL, "lists and objects deep")
def _deep(den: Den) -> None:
    content = members(plain(den.home / "plain.keras"))
    write(den.path, content | {"config.json": b"[" * DEEP + b"]" * DEEP})


@beast("renamed.onnx", "onnx", "zip archive")
def _renamed(den: Den) -> None:
    lair = Den(den.home, "lambda.keras").ready()
    _lambda(lair)
    shutil.copyfile(lair.path, den.path)
