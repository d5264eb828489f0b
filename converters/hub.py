"""Folders as the model hubs hand them out: timm's, and KerasHub's presets. Nothing is downloaded.

config.json + model.safetensors ─ timm.create_model ─▶ nn.Module ─ torch_to_keras ─▶ Keras
config.json + model.weights.h5  ─ keras_hub ─────────────────────────────────────▶ Keras
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from converters.doors.json_text import first_bytes, read_json
from converters.errors import MissingExtraError, ReadError

if TYPE_CHECKING:
    import keras
    from torch import nn

WEIGHTS = ("model.safetensors", "pytorch_model.bin")
# A bare name of timm's own list; "hf-hub:…" and "local-dir:…" would fetch or read other things.
ARCHITECTURE = re.compile(r"[a-z0-9_]+(\.[\w-]+)?")
# Arguments of create_model that read files or fetch them.
REFUSED = {"checkpoint_path", "pretrained", "pretrained_cfg", "pretrained_cfg_overlay", "cache_dir"}
LONGEST_CONFIG = 4 * 2**20
# What pretrained_cfg says about pictures.
PREPROCESSING = ("input_size", "mean", "std", "interpolation", "crop_pct", "crop_mode")


def hub_to_keras(
    folder: str | Path,
    *,
    ops: Mapping[str, Callable[..., object]] | None = None,
    allow_mismatch: bool = False,
    name: str | None = None,
) -> "keras.Model":
    """Trainable Keras model from a folder of timm or KerasHub on this machine.

    A timm folder (`config.json` that names the architecture, `model.safetensors` or
    `pytorch_model.bin`) is built by timm, imported as torch_to_keras does, and compared with
    torch; the size, mean and deviation of its pictures, and its labels, are in the report. A
    KerasHub preset is a Keras model already, and is loaded by KerasHub.

    Raises:
        MissingExtraError: timm or keras_hub is not installed.
        ReadError: another kind of folder.
        ArchitectureNeededError: weights that do not fit the architecture in the config.
        MismatchError: the model answers differently from torch.

    Example::

        model = converters.hub.hub_to_keras("resnet18.a1_in1k/")
    """
    path = Path(folder)
    config = _read_config(path)
    if "architecture" in config:
        return _from_timm(path, config, ops, allow_mismatch, name)
    if "registered_name" in config or str(config.get("module", "")).startswith("keras_hub"):
        return _from_keras_hub(path)
    raise ReadError(
        f"Expected a config.json of timm ('architecture') or KerasHub ('registered_name'), got "
        f"one with {', '.join(sorted(config)[:8]) or 'nothing'} in {path}. For a transformers "
        "folder load the model with transformers and give it to torch_to_keras."
    )


def _read_config(path: Path) -> dict[str, Any]:
    file = path / "config.json"
    if not file.is_file():
        raise ReadError(
            f"Expected a folder with a config.json, got {path}. "
            "Give the folder that was downloaded from the hub."
        )
    content = first_bytes(file, LONGEST_CONFIG + 1)
    config = read_json(content, str(file), most_bytes=LONGEST_CONFIG)
    return config if isinstance(config, dict) else {}


def _from_timm(
    path: Path,
    config: Mapping[str, Any],
    ops: Mapping[str, Callable[..., object]] | None,
    allow_mismatch: bool,
    name: str | None,
) -> "keras.Model":
    from converters.report import import_report, record
    from converters.torch_to_keras import torch_to_keras
    from converters.torch_to_keras.files.checkpoint import fill_architecture, read_state_dict

    weights = next((path / file for file in WEIGHTS if (path / file).is_file()), None)
    if weights is None:
        raise ReadError(
            f"Expected {' or '.join(WEIGHTS)} in {path}, got neither. Download the whole folder."
        )
    state = read_state_dict(weights, safetensors=weights.suffix == ".safetensors")
    module = fill_architecture(lambda: _timm_network(path, config), state, weights)
    settings = config.get("pretrained_cfg") or {}
    size = settings.get("input_size")
    model = torch_to_keras(
        module,
        input_shapes={"x": (None, *map(int, size))} if size else None,
        ops=ops,
        allow_mismatch=allow_mismatch,
        name=name or str(config["architecture"]).partition(".")[0],
    )
    found = {key: str(settings[key]) for key in PREPROCESSING if settings.get(key) is not None}
    labels = settings.get("label_names") or config.get("label_names") or ()
    report = replace(
        import_report(model),
        source=str(path),
        kind="timm",
        preprocessing=found,
        labels=tuple(map(str, labels)),
    )
    record(model, report)
    return model


def _timm_network(path: Path, config: Mapping[str, Any]) -> "nn.Module":
    try:
        timm = import_module("timm")
    except ImportError as err:
        raise MissingExtraError("timm", "hub", "Reading a timm folder") from err
    architecture = str(config["architecture"])
    arguments = {k: v for k, v in (config.get("model_args") or {}).items() if k not in REFUSED}
    if "num_classes" in config:
        arguments.setdefault("num_classes", int(config["num_classes"]))
    if not ARCHITECTURE.fullmatch(architecture) or not timm.is_model(architecture):
        raise ReadError(
            f"Expected an architecture that timm {timm.__version__} knows, got '{architecture}' in "
            f"{path / 'config.json'}. Update timm, or build the network yourself and use "
            "torch_to_keras(weights, architecture=…)."
        )
    network: nn.Module = timm.create_model(architecture, pretrained=False, **arguments)
    return network


def _from_keras_hub(path: Path) -> "keras.Model":
    from converters.report import ImportReport, record

    try:
        keras_hub = import_module("keras_hub")
    except ImportError as err:
        raise MissingExtraError("keras-hub", "hub", "Reading a KerasHub preset") from err
    kind = keras_hub.models.Task if (path / "task.json").is_file() else keras_hub.models.Backbone
    model: keras.Model = kind.from_preset(str(path.resolve()))
    note = "A preset is a Keras model already: there is no other runtime to compare it with."
    record(model, ImportReport(source=str(path), kind="KerasHub", warnings=(note,)))
    return model
