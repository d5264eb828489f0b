"""PyTorch's files: pickles under every suffix, programs that reach further, bombs; safetensors."""

import io
import json
import pickle
import re
import struct
import zipfile
from pathlib import Path

from tests.torture.zoo.den import Den, Payload, beast
from tests.torture.zoo.keras_files import members, write

TORCH = "torch"
PICKLED = "needs Python code|plain pickle"


def _saved(den: Den, *, zipped: bool) -> None:
    import torch

    content = {"state_dict": {"w": torch.zeros(2)}, "hook": Payload(den.command)}
    torch.save(content, den.path, _use_new_zipfile_serialization=zipped)


@beast("payload.pt", TORCH, PICKLED)
def _pt(den: Den) -> None:
    _saved(den, zipped=True)


@beast("payload.pth", TORCH, PICKLED)
def _pth(den: Den) -> None:
    _saved(den, zipped=False)


@beast("payload.ckpt", TORCH, PICKLED)
def _ckpt(den: Den) -> None:
    _saved(den, zipped=True)


@beast("payload.bin", TORCH, PICKLED)
def _bin(den: Den) -> None:
    den.path.write_bytes(pickle.dumps(Payload(den.command)))


@beast("whole_module.pt", TORCH, PICKLED)
def _whole_module(den: Den) -> None:
    from torch import nn, save

    module = nn.Sequential(nn.Conv2d(3, 4, 3))
    module.payload = Payload(den.command)  # type: ignore[assignment]
    save(module, den.path)


def _script(den: Den) -> dict[str, bytes]:
    import warnings

    import torch
    from torch import nn

    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(module, torch.zeros(1, 3, 8, 8)).save(den.path)  # type: ignore[no-untyped-call]
    return members(den.path)


def _reaching(den: Den, content: dict[str, bytes]) -> dict[str, bytes]:
    """TorchScript whose forward maps the secret file into its answer."""
    call = f"torch.from_file({str(den.secret)!r}, False, 64)".replace("'", '"').encode()
    changed = {
        name: re.sub(rb"torch\.relu\(\w+\)", call, data) if "/code/" in name else data
        for name, data in content.items()
    }
    assert changed != content
    return changed


@beast("from_file.pt", TORCH, "from_file")
def _from_file(den: Den) -> None:
    write(den.path, _reaching(den, _script(den)))


@beast("upper_case.pt", TORCH, "from_file|TorchScript|torch file")
def _upper_case(den: Den) -> None:
    changed = _reaching(den, _script(den))
    write(den.path, {name.replace("/code/", "/CODE/"): data for name, data in changed.items()})


@beast("two_codes.pt", TORCH, "twice")
def _two_codes(den: Den) -> None:
    good = _script(den)
    write(den.path, _reaching(den, good))
    with zipfile.ZipFile(den.path, "a") as archive:
        for name, data in good.items():
            if "/code/" in name:
                archive.writestr(name.upper().replace("/CODE/", "/code/"), data)


def _program(den: Den) -> dict[str, bytes]:
    import torch
    from torch import nn

    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()).eval()
    torch.export.save(torch.export.export(module, (torch.zeros(2, 3, 8, 8),)), den.path)
    return members(den.path)


def _changed(content: dict[str, bytes], old: bytes, new: bytes) -> dict[str, bytes]:
    changed = {
        name: data.replace(old, new) if name.endswith(".json") else data
        for name, data in content.items()
    }
    assert changed != content
    return changed


@beast("system.pt2", TORCH, "os.system")
def _system(den: Den) -> None:
    write(den.path, _changed(_program(den), b"torch.ops.aten.relu.default", b"torch.os.system"))


@beast("pickled.pt2", TORCH, "pickled tensor")
def _pickled(den: Den) -> None:
    content = _changed(_program(den), b'"use_pickle": false', b'"use_pickle": true')
    payload = pickle.dumps(Payload(den.command))
    write(den.path, {n: payload if "/data/weights/" in n and n[-1].isdigit() else d
                     for n, d in content.items()})  # fmt: skip


@beast("slip.pt2", TORCH, "written or read elsewhere")
def _slip(den: Den) -> None:
    content = _program(den)
    write(den.path, content | {f"archive/../../fired/{den.name}": b"slipped"})


@beast("compiled.pt2", TORCH, "machine code")
def _compiled(den: Den) -> None:
    content = _program(den)
    top = next(iter(content)).partition("/")[0]
    write(den.path, content | {f"{top}/data/aotinductor/model/x.so": b"\x7fELF"})


@beast("bomb.pt", TORCH, "exhaust memory")
def _bomb(den: Den) -> None:
    write(den.path, {"a/data.pkl": b"\0" * (300 << 20), "a/version": b"3"}, packed=True)


@beast("view.pth", TORCH, "exhaust memory")
def _view(den: Den) -> None:
    import torch

    torch.save({"conv1.weight": torch.zeros(1).expand(2**18, 2**18)}, den.path)


@beast("overlap.pt", TORCH, "over one another|broken archive")
def _overlap(den: Den) -> None:
    """Many entries of the directory that point at the same packed megabytes."""
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", b"\0" * (1 << 20))
        first = archive.infolist()[0]
        for number in range(200):
            entry = zipfile.ZipInfo(f"a/data/{number}")
            for field in ("compress_type", "CRC", "compress_size", "file_size", "header_offset"):
                setattr(entry, field, getattr(first, field))
            archive.filelist.append(entry)
            archive.NameToInfo[entry.filename] = entry
    den.path.write_bytes(memory.getvalue())


def _safetensors(path: Path, header: bytes, length: int | None = None) -> None:
    path.write_bytes(
        struct.pack("<Q", len(header) if length is None else length) + header + b"\0" * 64
    )


@beast("header.safetensors", TORCH, "safetensors")
def _header(den: Den) -> None:
    _safetensors(den.path, b'{"w": {}}', 2**62)


@beast("deep.safetensors", TORCH, "safetensors")
def _deep(den: Den) -> None:
    _safetensors(den.path, b'{"w":' + b"[" * 200_000 + b"]" * 200_000 + b"}")


@beast("shape.safetensors", TORCH, "safetensors")
def _shape(den: Den) -> None:
    entry = {"dtype": "F32", "shape": [2**31, 2**31], "data_offsets": [0, 64]}
    _safetensors(den.path, json.dumps({"w": entry}).encode())


@beast("pickle.safetensors", TORCH, PICKLED)
def _renamed(den: Den) -> None:
    den.path.write_bytes(pickle.dumps(Payload(den.command)))


@beast("pickle.onnx", "onnx", "ONNX")
def _pickle_onnx(den: Den) -> None:
    den.path.write_bytes(pickle.dumps(Payload(den.command)))


@beast("pickle.h5", "keras model", "neither|plain pickle")
def _pickle_h5(den: Den) -> None:
    den.path.write_bytes(pickle.dumps(Payload(den.command)))


@beast("arrays.weights.h5", "weights", "HDF5")
def _arrays(den: Den) -> None:
    import numpy as np

    with den.path.open("wb") as file:
        np.savez(file, w=np.array([Payload(den.command)], dtype=object))


@beast("timm_folder", "hub", PICKLED)
def _timm(den: Den) -> None:
    den.path.mkdir(exist_ok=True)
    config = {"architecture": "resnet18", "num_classes": 10,
              "model_args": {"checkpoint_path": str(den.path / "pytorch_model.bin")}}  # fmt: skip
    (den.path / "config.json").write_text(json.dumps(config))
    (den.path / "pytorch_model.bin").write_bytes(pickle.dumps(Payload(den.command)))


@beast("fetching_folder", "hub", "timm")
def _fetching(den: Den) -> None:
    import torch

    den.path.mkdir(exist_ok=True)
    (den.path / "config.json").write_text(json.dumps({"architecture": f"local-dir:{den.folder}"}))
    torch.save({"w": torch.zeros(1)}, den.path / "pytorch_model.bin")
