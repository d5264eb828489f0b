"""torch → Keras: every kind of source, the exported graph, what is refused, real weights."""

import json
import pickle
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

import converters
from converters.errors import (
    ArchitectureNeededError,
    ConversionError,
    MismatchError,
    ReadError,
    UnsafeFileError,
)
from converters.torch_to_keras import torch_to_keras
from converters.torch_to_keras.example import make_inputs
from converters.torch_to_keras.export import BUFFERS_KEY, export_dynamo, exporters, run_torch
from converters.torch_to_keras.files.checkpoint import fill_architecture, read_state_dict
from converters.torch_to_keras.files.families import guess_family
from converters.torch_to_keras.files.kinds import kind_of
from tests.conftest import imagenet_sample, right_of_100
from tests.converters.torch_networks import (
    MobileNetV1,
    Residual,
    UltraFace,
    with_random_weights,
)

PICTURE = torch.zeros(1, 3, 12, 20)
TOLERANCE = 2e-6


@pytest.fixture(scope="module")
def network() -> nn.Module:
    """A small network with every number drawn; not to be changed."""
    return with_random_weights(Residual())


@pytest.fixture(scope="module")
def files(network: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small network in every format that torch has."""
    folder = tmp_path_factory.mktemp("files")
    torch.save(network.state_dict(), folder / "weights.pth")
    torch.save(network.state_dict(), folder / "old.pt", _use_new_zipfile_serialization=False)
    wrapped = {f"module.{name}": value for name, value in network.state_dict().items()}
    extras = {"epoch": 3, "optimizer": {"state": {}}, "best": np.float64(0.5)}
    torch.save({**extras, "state_dict": wrapped}, folder / "checkpoint.pt")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.trace(network, PICTURE), folder / "script.pt")
    dynamic = {"pixels": {0: torch.export.Dim("n", min=2)}}
    pair = PICTURE.repeat(2, 1, 1, 1)
    program = torch.export.export(network, (pair,), dynamic_shapes=dynamic)
    torch.export.save(program, folder / "program.pt2")
    return folder


def answers(model: object, module: nn.Module, batch: int = 3) -> tuple[np.ndarray, np.ndarray]:
    pixels = np.random.default_rng(batch).normal(size=(batch, 3, 12, 20)).astype(np.float32)
    with torch.no_grad():
        wanted = module(torch.from_numpy(pixels)).numpy()
    return np.asarray(model(pixels.transpose(0, 2, 3, 1), training=False)), wanted  # type: ignore[operator]


# --- kinds of files -----------------------------------------------------------------------------


def test_kinds_are_told_by_content(files: Path, tmp_path: Path) -> None:
    kinds = {path.name: kind_of(path) for path in sorted(files.iterdir())}
    assert kinds == {
        "checkpoint.pt": "checkpoint",
        "old.pt": "checkpoint",
        "program.pt2": "pt2",
        "script.pt": "torchscript",
        "weights.pth": "checkpoint",
    }
    misnamed = tmp_path / "weights.bin"
    misnamed.write_bytes((files / "program.pt2").read_bytes())
    assert kind_of(misnamed) == "pt2"


def test_safetensors_are_told_and_read(network: nn.Module, tmp_path: Path) -> None:
    safetensors = pytest.importorskip("safetensors.torch")
    path = tmp_path / "weights"
    safetensors.save_file(network.state_dict(), path)
    assert kind_of(path) == "safetensors"
    state = read_state_dict(path, safetensors=True)
    assert all(torch.equal(state[name], value) for name, value in network.state_dict().items())


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04broken", b"\x08\x00\x00\x00{"])
def test_other_files_are_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "file.pt"
    path.write_bytes(content)
    with pytest.raises(ReadError, match=r"file\.pt"):
        torch_to_keras(path)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match=r"nothing at .*none\.pt"):
        torch_to_keras(tmp_path / "none.pt")


# --- what could run code -------------------------------------------------------------------------


class Payload:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return exec, (f"open({str(self.path)!r}, 'w').close()",)


@pytest.mark.parametrize("new_format", [True, False])
def test_pickled_module_is_refused_and_not_run(tmp_path: Path, new_format: bool) -> None:
    path, trace = tmp_path / "module.pt", tmp_path / "was_run"
    content = {"model": Payload(trace), "state_dict": {"w": torch.zeros(2)}}
    torch.save(content, path, _use_new_zipfile_serialization=new_format)
    with pytest.raises(UnsafeFileError, match=r"exec.*state_dict"):
        torch_to_keras(path, architecture=Residual)
    assert not trace.exists()


def test_saved_module_is_refused_with_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / "module.pt"
    torch.save(Residual(), path)
    with pytest.raises(UnsafeFileError, match=r"Residual.*torch\.save\(module\.state_dict\(\)"):
        torch_to_keras(path)


def test_plain_pickle_is_not_opened(tmp_path: Path) -> None:
    path, trace = tmp_path / "model.pkl", tmp_path / "was_run"
    path.write_bytes(pickle.dumps(Payload(trace)))
    with pytest.raises(UnsafeFileError, match="plain pickle"):
        torch_to_keras(path)
    assert not trace.exists()


def _rewritten(source: Path, target: Path, change: Callable[[str, bytes], bytes]) -> Path:
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for entry in old.infolist():
            new.writestr(entry.filename, change(entry.filename, old.read(entry)))
    return target


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("torch.ops.aten.relu.default", "torch.os.system", "target"),
        ("torch.ops.aten.relu.default", "torch.ops.aten.from_file.default", "target"),
        ("torch.ops.aten.relu.default", "torch.ops.load_library", "target"),
        ("Symbol('", "__import__('os').system('echo ')+Symbol('", "expr_str"),
        ('"name": "relu"', '"name": "relu=print(1)"', "name"),
        ('"forward_arg_names": ["pixels"]', '"forward_arg_names": ["x=print(1)"]', "names"),
    ],
)
def test_program_with_more_than_a_graph_is_refused(
    files: Path, tmp_path: Path, old: str, new: str, told: str
) -> None:
    def change(name: str, content: bytes) -> bytes:
        if "/models/" not in name:
            return content
        assert old.encode() in content
        return content.replace(old.encode(), new.encode())

    path = _rewritten(files / "program.pt2", tmp_path / "evil.pt2", change)
    with pytest.raises(UnsafeFileError, match=told):
        torch_to_keras(path)


def test_program_with_pickled_parts_is_refused(files: Path, tmp_path: Path) -> None:
    def mark(name: str, content: bytes) -> bytes:
        return content.replace(b'"use_pickle": false', b'"use_pickle": true')

    def swap(name: str, content: bytes) -> bytes:
        return pickle.dumps(Payload(trace)) if "sample_inputs" in name else content

    trace = tmp_path / "was_run"
    for change, told in ((mark, "pickled tensor"), (swap, "sample inputs")):
        path = _rewritten(files / "program.pt2", tmp_path / "evil.pt2", change)
        with pytest.raises(UnsafeFileError, match=told):
            torch_to_keras(path)
    assert not trace.exists()


def test_torchscript_that_reaches_files_is_refused(files: Path, tmp_path: Path) -> None:
    def change(name: str, content: bytes) -> bytes:
        return content.replace(b"torch.relu(", b"torch.from_file(") if "/code/" in name else content

    path = _rewritten(files / "script.pt", tmp_path / "evil.pt", change)
    with pytest.raises(UnsafeFileError, match="from_file"):
        torch_to_keras(path, PICTURE)


def test_archive_that_grows_beyond_measure_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", b"\0" * (80 * 2**20))
    with pytest.raises(UnsafeFileError, match="would grow"):
        torch_to_keras(path)


# --- weights and architectures -------------------------------------------------------------------


def test_weights_alone_say_what_is_missing(files: Path) -> None:
    with pytest.raises(ArchitectureNeededError) as caught:
        torch_to_keras(files / "weights.pth")
    message = str(caught.value)
    assert "25 tensors" in message
    assert "'scale' (1, 6, 1, 1)" in message
    assert "'head.bias' (5,)" in message
    assert "architecture=" in message


@pytest.mark.parametrize(
    ("names", "family"),
    [
        (["layer1.0.conv1.weight"], None),
        ([f"layer{s}.{b}.conv1.weight" for s in (1, 2, 3, 4) for b in (0, 1)], "resnet18"),
        (["model.stage2.0.branch2.0.weight"], "ShuffleNetV2"),
        (["features.0.weight", "classifier.6.weight"], "VGG"),
        (["blocks.0.attn.qkv.weight"], "ViT"),
    ],
)
def test_family_is_guessed_from_names(names: list[str], family: str | None) -> None:
    found = guess_family(names)
    assert found is None if family is None else family in str(found)


@pytest.mark.parametrize("name", ["weights.pth", "old.pt", "checkpoint.pt"])
def test_weights_meet_their_architecture(files: Path, network: nn.Module, name: str) -> None:
    given = Residual()
    before = given.head.weight.clone()
    for architecture in (Residual, given):
        module = fill_architecture(architecture, read_state_dict(files / name), files / name)
        state = module.state_dict()
        assert all(torch.equal(state[key], value) for key, value in network.state_dict().items())
    assert torch.equal(given.head.weight, before), "the user's own module was changed"


def test_all_that_does_not_fit_is_told_at_once(files: Path) -> None:
    class Other(Residual):
        def __init__(self) -> None:
            super().__init__(classes=7)
            self.steam = self.stem
            del self.stem

    with pytest.raises(ArchitectureNeededError) as caught:
        torch_to_keras(files / "weights.pth", PICTURE, architecture=Other)
    message = str(caught.value)
    assert "missing: steam.weight (close: stem.weight)" in message
    assert "unexpected: stem.bias (close: steam.bias)" in message
    assert "shape of head.weight: (7, 12) expected, (5, 12) given" in message


def test_checkpoint_without_tensors_is_told(tmp_path: Path) -> None:
    torch.save({"epoch": 3, "loss": 0.5}, tmp_path / "empty.pt")
    with pytest.raises(ReadError, match="epoch, loss"):
        torch_to_keras(tmp_path / "empty.pt", architecture=Residual)


def test_architecture_beside_a_module_is_refused(network: nn.Module) -> None:
    with pytest.raises(TypeError, match="beside an nn"):
        torch_to_keras(network, PICTURE, architecture=Residual)


# --- examples ------------------------------------------------------------------------------------


def test_one_picture_is_doubled(network: nn.Module) -> None:
    inputs = make_inputs(network, PICTURE, None)
    assert {name: tuple(t.shape) for name, t in inputs.tensors.items()} == {
        "pixels": (2, 3, 12, 20)
    }
    assert inputs.dynamic == {"pixels": (0,)}


def test_size_is_deduced_for_pictures_only() -> None:
    inputs = make_inputs(nn.Sequential(nn.Conv2d(1, 2, 3)), None, None)
    assert inputs.values[0].shape == (2, 1, 224, 224)
    with pytest.raises(ValueError, match=r"Conv2d\(16.*torch_to_keras\(module, torch\.zeros"):
        make_inputs(nn.Sequential(nn.Conv2d(16, 2, 3)), None, None)


def test_input_shapes_make_an_example_and_leave_sizes_open(network: nn.Module) -> None:
    alone = make_inputs(network, None, {"pixels": (None, 3, 12, 20)})
    assert alone.values[0].shape == (2, 3, 12, 20)
    beside = make_inputs(network, PICTURE, {"pixels": (None, 3, None, 20)})
    assert beside.dynamic == {"pixels": (0, 2)}
    with pytest.raises(ValueError, match="leaves sizes open"):
        make_inputs(network, None, {"pixels": (None, 3, None, 20)})
    with pytest.raises(ValueError, match="one size an axis"):
        make_inputs(network, PICTURE, {"image": (None, 3, 12, 20)})


def test_wrong_example_is_told_before_exporting(network: nn.Module) -> None:
    with pytest.raises(ValueError, match=r"Residual takes, got \{'pixels': \(2, 4, 12, 20\)\}"):
        torch_to_keras(network, torch.zeros(2, 4, 12, 20))


# --- the exported graph --------------------------------------------------------------------------


class Fresh(nn.Module):
    """Two BatchNorms with equal numbers, a buffer, dropout, two inputs, a dict of outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.BatchNorm2d(4), nn.BatchNorm2d(4)
        self.register_buffer("shift", torch.linspace(0, 1, 4).reshape(4, 1, 1))

    def forward(self, left: torch.Tensor, right: torch.Tensor) -> dict[str, torch.Tensor]:
        x = nn.functional.dropout(self.two(self.one(left) + self.shift), 0.5, self.training)
        return {"sum": x + right, "left": x.mean((2, 3))}


@pytest.mark.parametrize("export", exporters())
def test_graph_keeps_what_training_needs(export: Callable[..., onnx.ModelProto]) -> None:
    module = Fresh().train()
    inputs = make_inputs(
        module, {"left": torch.randn(2, 4, 5, 6), "right": torch.randn(2, 1, 5, 6)}, None
    )
    wanted = run_torch(module, inputs)
    assert list(wanted) == ["sum", "left_out"]
    graph = export(module, inputs, list(wanted))
    ops = [node.op_type for node in graph.graph.node]
    assert ops.count("BatchNormalization") == 2
    assert "Dropout" not in ops
    names = {initializer.name for initializer in graph.graph.initializer}
    assert names >= set(module.state_dict()) - {
        "one.num_batches_tracked",
        "two.num_batches_tracked",
    }
    metadata = {entry.key: entry.value for entry in graph.metadata_props}
    statistics = {f"{n}.running_{kind}" for n in ("one", "two") for kind in ("mean", "var")}
    assert set(json.loads(metadata[BUFFERS_KEY])) == {"shift", *statistics}
    assert [o.name for o in graph.graph.output] == ["sum", "left_out"]
    onnx.checker.check_model(graph, full_check=True)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(graph.SerializeToString(), options)
    given = {name: torch.cat([t, t])[:3].numpy() for name, t in inputs.tensors.items()}
    found = session.run(None, given)
    for name, answer in zip(wanted, found, strict=True):
        doubled = torch.cat([wanted[name], wanted[name]])[:3].numpy()
        np.testing.assert_allclose(answer, doubled, rtol=1e-5, atol=1e-6)


def test_module_is_left_as_it_was(network: nn.Module) -> None:
    module = Fresh().train()
    module.one.eval()
    example = {"left": torch.randn(2, 4, 5, 6), "right": torch.randn(2, 1, 5, 6)}
    before = {name: value.clone() for name, value in module.state_dict().items()}
    torch.manual_seed(7)
    state = torch.random.get_rng_state()
    filters = list(warnings.filters)
    for export in exporters():
        inputs = make_inputs(module, example, None)
        export(module, inputs, list(run_torch(module, inputs)))
    assert (module.training, module.one.training, module.two.training) == (True, False, True)
    assert all(torch.equal(module.state_dict()[name], value) for name, value in before.items())
    assert torch.equal(torch.random.get_rng_state(), state)
    assert list(warnings.filters) == filters


# --- to Keras ------------------------------------------------------------------------------------


def test_module_becomes_a_trainable_model(network: nn.Module) -> None:
    model = torch_to_keras(network, PICTURE)
    found, wanted = answers(model, network)
    assert np.abs(found - wanted).max() <= TOLERANCE * np.abs(wanted).max()
    assert {"bn1", "block_0", "depthwise", "hidden", "head"} <= {la.name for la in model.layers}
    count = sum(p.numel() for p in network.parameters())
    assert sum(int(np.prod(v.shape)) for v in model.trainable_variables) == count
    report = converters.import_report(model)
    assert report.kind == "PyTorch"
    assert report.parity is not None
    assert report.parity.passed
    assert "PyTorch" in report.parity.reference
    names = {row.source for row in report.weights}
    assert names == {n for n in network.state_dict() if "num_batches" not in n and n != "offset"}


@pytest.mark.parametrize("name", ["program.pt2", "script.pt", "checkpoint.pt"])
def test_every_file_gives_the_same_model(files: Path, network: nn.Module, name: str) -> None:
    example = None if name.endswith("pt2") else PICTURE
    architecture = Residual if name == "checkpoint.pt" else None
    model = torch_to_keras(files / name, example, architecture=architecture)
    found, wanted = answers(model, network, batch=4)
    assert np.abs(found - wanted).max() <= TOLERANCE * np.abs(wanted).max()


def test_program_of_one_batch_size_still_takes_others(network: nn.Module, tmp_path: Path) -> None:
    program = torch.export.export(network, (PICTURE,))
    torch.export.save(program, tmp_path / "one.pt2")
    model = torch_to_keras(tmp_path / "one.pt2")
    found, wanted = answers(model, network, batch=3)
    assert np.abs(found - wanted).max() <= TOLERANCE * np.abs(wanted).max()


def test_half_precision_is_imported_as_float32(network: nn.Module) -> None:
    half = with_random_weights(Residual()).half()
    model = torch_to_keras(half, PICTURE)
    assert {variable.dtype for variable in model.variables} == {"float32"}
    assert half.head.weight.dtype == torch.float16


class OneBatch(nn.Module):
    """A network with its batch of one written into it."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = nn.Linear(6, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.dense(x.reshape(1, 6))


def test_program_that_takes_one_batch_only_keeps_it(tmp_path: Path) -> None:
    network = with_random_weights(OneBatch())
    torch.export.save(torch.export.export(network, (torch.randn(1, 2, 3),)), tmp_path / "one.pt2")
    model = torch_to_keras(tmp_path / "one.pt2")
    given = np.arange(6, dtype=np.float32).reshape(1, 2, 3)
    with torch.no_grad():
        wanted = network(torch.from_numpy(given)).numpy()
    np.testing.assert_allclose(np.asarray(model(given, training=False)), wanted, rtol=1e-5)


def test_second_exporter_is_asked_when_the_first_cannot(
    network: nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> onnx.ModelProto:
        raise RuntimeError("no operator for aten::thing")

    home = "converters.torch_to_keras.convert.exporters"
    monkeypatch.setattr(home, lambda: (broken, export_dynamo))
    model = torch_to_keras(network, PICTURE)
    found, wanted = answers(model, network)
    assert np.abs(found - wanted).max() <= TOLERANCE * np.abs(wanted).max()
    count = sum(p.numel() for p in network.parameters())
    assert sum(int(np.prod(v.shape)) for v in model.trainable_variables) == count
    monkeypatch.setattr(home, lambda: (broken, broken))
    with pytest.raises(ConversionError, match="aten::thing"):
        torch_to_keras(network, PICTURE)


class Branching(nn.Module):
    """Answers with one formula or another, by the numbers that come in."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * 2 if bool(x.sum() > 1e6) else x * 3 + float(x.sum())


def test_what_tracing_burns_in_is_a_mismatch() -> None:
    with pytest.raises(MismatchError, match="exporter has not seen"):
        torch_to_keras(Branching(), torch.ones(2, 5))


# --- real weights --------------------------------------------------------------------------------


@pytest.mark.slow
def test_mobilenet_keeps_its_accuracy(shared_data: Path) -> None:
    weights = shared_data / "weights" / "torch" / "mobilenet_v1_0.25_224_top_state_dict.pt"
    model = torch_to_keras(weights, architecture=MobileNetV1)
    pixels, classes = imagenet_sample(shared_data, 224)
    scores = np.concatenate([np.asarray(model(p, training=False)) for p in np.split(pixels, 4)])
    assert right_of_100(scores, classes) == (59, 83)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "wide"), [("RFB", True), ("slim", False)])
def test_face_detector_agrees_with_its_onnx_twin(shared_data: Path, name: str, wide: bool) -> None:
    weights = shared_data / "weights" / "torch" / f"ultraface_version-{name}-320.pth"
    model = torch_to_keras(
        weights, torch.zeros(1, 3, 240, 320), architecture=lambda: UltraFace(wide)
    )
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    twin = onnxruntime.InferenceSession(
        str(shared_data / "weights" / "onnx" / f"ultraface_version-{name}-320.onnx"), options
    )
    pixels = np.random.default_rng(0).normal(size=(1, 3, 240, 320)).astype(np.float32)
    wanted = twin.run(None, {"input": pixels})
    found = model(pixels.transpose(0, 2, 3, 1), training=False)
    for answer, other in zip(found, wanted, strict=True):
        assert np.abs(np.asarray(answer) - other).max() <= 1e-5 * np.abs(other).max()
    statistics = sum(v.name.startswith("moving_") for v in model.variables)
    assert statistics == 2 * sum("running_mean" in n for n in read_state_dict(weights))


# --- archives and tensors that show one thing and hold another -----------------------------------


def test_pickle_in_front_of_an_archive_is_not_opened(files: Path, tmp_path: Path) -> None:
    """To torch such a file is the pickle, to Python the archive."""
    path, trace = tmp_path / "a.pt", tmp_path / "was_run"
    path.write_bytes(pickle.dumps(Payload(trace)) + (files / "weights.pth").read_bytes())
    with pytest.raises(UnsafeFileError, match="plain pickle"):
        torch_to_keras(path, architecture=Residual)
    assert not trace.exists()


def test_view_that_shows_more_than_is_stored_is_refused(tmp_path: Path) -> None:
    torch.save({"w": torch.zeros(1).expand(2**18, 2**18)}, tmp_path / "a.pth")
    with pytest.raises(UnsafeFileError, match=r"'w' \(262144, 262144\).*exhaust memory"):
        torch_to_keras(tmp_path / "a.pth", architecture=Residual)
    torch.save({"w": torch.zeros(3, 1).expand(3, 4)}, tmp_path / "small.pth")
    assert read_state_dict(tmp_path / "small.pth")["w"].shape == (3, 4)


def test_code_in_capitals_is_looked_through(files: Path, tmp_path: Path) -> None:
    path = tmp_path / "evil.pt"
    with zipfile.ZipFile(files / "script.pt") as old, zipfile.ZipFile(path, "w") as new:
        for entry in old.infolist():
            content = old.read(entry).replace(b"torch.relu(", b"torch.from_file(")
            new.writestr(entry.filename.replace("/code/", "/Code/"), content)
    with pytest.raises(ReadError):
        torch_to_keras(path, PICTURE)


def test_deep_header_of_safetensors_is_told(tmp_path: Path) -> None:
    header = b'{"w":' + b"[" * 200_000
    path = tmp_path / "a.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(ReadError, match="safetensors"):
        torch_to_keras(path, architecture=Residual)
