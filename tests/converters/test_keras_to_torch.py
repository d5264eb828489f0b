"""Keras → torch: weights under torch's names, whichever way they were found; programs."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
import torch
from torch import nn

from converters.errors import ArchitectureNeededError, ConversionError, MismatchError
from converters.keras_to_torch import keras_to_torch
from converters.keras_to_torch.state import find_state
from converters.torch_to_keras import torch_to_keras
from converters.torch_to_keras.steps import backwards, find_steps, fingerprint, forwards, parts
from tests.converters.torch_networks import Residual, with_random_weights

PICTURE = torch.zeros(1, 3, 12, 20)


@pytest.fixture(scope="module")
def network() -> nn.Module:
    """A small network with every number drawn; not to be changed."""
    return with_random_weights(Residual())


@pytest.fixture(scope="module")
def trained(network: nn.Module) -> keras.Model:
    """The network in Keras, after every weight has moved, statistics too."""
    model = torch_to_keras(network, PICTURE)
    for number, variable in enumerate(model.variables):
        variable.assign(variable * (1.1 + 0.01 * number) + 0.01)
    return model


def _torch_answers(state: dict[str, torch.Tensor], module: nn.Module) -> np.ndarray:
    module.load_state_dict(state, strict=True)
    pixels = torch.from_numpy(_pixels())
    with torch.no_grad():
        return module.eval()(pixels).numpy()


def _pixels() -> np.ndarray:
    return np.random.default_rng(1).normal(size=(3, 3, 12, 20)).astype(np.float32)


def _keras_answers(model: keras.Model) -> np.ndarray:
    return np.asarray(model(_pixels().transpose(0, 2, 3, 1), training=False))


def _close(found: np.ndarray, wanted: np.ndarray) -> bool:
    return bool(np.abs(found - wanted).max() <= 1e-5 * np.abs(wanted).max())


def test_weights_go_home_under_their_own_names(
    trained: keras.Model, network: nn.Module, tmp_path: Path
) -> None:
    before = {name: value.clone() for name, value in network.state_dict().items()}
    path = keras_to_torch(trained, tmp_path / "tuned.pth")
    assert path == tmp_path / "tuned.pth"
    assert list(tmp_path.iterdir()) == [path], "something was left beside the file"
    state = torch.load(path, weights_only=True)
    assert list(state) == list(network.state_dict())
    assert not torch.equal(state["hidden.weight"], before["hidden.weight"])
    assert torch.equal(state["bn1.num_batches_tracked"], before["bn1.num_batches_tracked"])
    assert _close(_torch_answers(state, Residual()), _keras_answers(trained))
    assert all(torch.equal(network.state_dict()[name], value) for name, value in before.items())


def test_safetensors_hold_the_same(trained: keras.Model, tmp_path: Path) -> None:
    safetensors = pytest.importorskip("safetensors.torch")
    state = safetensors.load_file(keras_to_torch(trained, tmp_path / "tuned.safetensors"))
    assert _close(_torch_answers(state, Residual()), _keras_answers(trained))


def test_reloaded_model_needs_its_module(
    trained: keras.Model, network: nn.Module, tmp_path: Path
) -> None:
    trained.save(tmp_path / "model.keras")
    model = keras.models.load_model(tmp_path / "model.keras")
    with pytest.raises(ArchitectureNeededError, match=r"module=.*\.pt2"):
        keras_to_torch(model, tmp_path / "tuned.pth")
    state = torch.load(
        keras_to_torch(model, tmp_path / "tuned.pth", module=network), weights_only=True
    )
    same = find_state(trained, network)
    assert all(torch.equal(state[name], value) for name, value in same.items())


def test_model_inside_another_goes_home_all_the_same(
    trained: keras.Model, network: nn.Module, tmp_path: Path
) -> None:
    pixels = keras.Input((12, 20, 3))
    same = find_state(trained, network)
    for model in (keras.Sequential([pixels, trained]), keras.Model(pixels, trained(pixels))):
        path = keras_to_torch(model, tmp_path / "tuned.pth")
        state = torch.load(path, weights_only=True)
        assert all(torch.equal(state[name], value) for name, value in same.items())


def test_dense_after_a_flatten_inside_another_model(tmp_path: Path) -> None:
    module = with_random_weights(
        nn.Sequential(nn.Conv2d(3, 5, 3), nn.Flatten(), nn.Linear(5 * 4 * 6, 2))
    )
    layers = keras.layers
    body = keras.Sequential(
        [keras.Input((6, 8, 3)), layers.Conv2D(5, 3, name="0"), layers.Flatten()]
    )
    model = keras.Sequential([body, layers.Dense(2, activation="softmax", name="2")])
    state = torch.load(keras_to_torch(model, tmp_path / "a.pt", module=module), weights_only=True)
    module.load_state_dict(state)
    pixels = np.random.default_rng(2).normal(size=(2, 6, 8, 3)).astype(np.float32)
    with torch.no_grad():
        found = module(torch.from_numpy(pixels.transpose(0, 3, 1, 2).copy())).softmax(1)
    assert _close(found.numpy(), np.asarray(model(pixels)))


def test_new_head_goes_into_a_module_with_as_many_classes(
    trained: keras.Model, network: nn.Module, tmp_path: Path
) -> None:
    cut = trained.layers[-2].output
    head = keras.layers.Dense(3, activation="softmax", name="predictions")
    model = keras.Model(trained.input, head(cut))
    with pytest.raises(ConversionError, match=r"Dense 'predictions' \(kernel \(12, 3\)"):
        keras_to_torch(model, tmp_path / "tuned.pth")
    path = keras_to_torch(model, tmp_path / "tuned.pth", module=Residual(classes=3))
    state = torch.load(path, weights_only=True)
    assert torch.equal(state["offset"], network.state_dict()["offset"])
    logits = torch.from_numpy(_torch_answers(state, Residual(classes=3)))
    assert _close(logits.softmax(1).numpy(), _keras_answers(model))


def test_module_that_answers_otherwise_is_a_mismatch(trained: keras.Model, tmp_path: Path) -> None:
    other = Residual()
    other.bn1.eps = 0.5
    with pytest.raises(MismatchError, match="epsilon"):
        keras_to_torch(trained, tmp_path / "tuned.pth", module=other)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["model.onnx", "model"])
def test_other_suffixes_are_refused(trained: keras.Model, tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=r"\.pt2"):
        keras_to_torch(trained, tmp_path / name)


class Kinds(nn.Module):
    """One layer of a kind, in a network that shows whether it is right."""

    def __init__(self, layer: nn.Module, rnn: bool = False) -> None:
        super().__init__()
        self.layer = layer
        self.rnn = rnn

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x)[0] if self.rnn else self.layer(x)


class Joined(nn.Module):
    """Attention with its three projections in one matrix."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(12, 3, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.attention(x, x, x, need_weights=False)[0]


CASES: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "conv1d": (lambda: Kinds(nn.Conv1d(4, 6, 3, groups=2)), (2, 4, 9)),
    "conv3d": (lambda: Kinds(nn.Conv3d(2, 3, (1, 2, 3))), (2, 2, 4, 5, 6)),
    "depthwise": (lambda: Kinds(nn.Conv2d(4, 8, (3, 2), groups=4)), (2, 4, 5, 7)),
    "transposed": (lambda: Kinds(nn.ConvTranspose2d(4, 6, (2, 3), 2)), (2, 4, 5, 7)),
    "transposed, groups": (lambda: Kinds(nn.ConvTranspose2d(4, 6, 3, 2, groups=2)), (2, 4, 5, 7)),
    "group norm": (lambda: Kinds(nn.GroupNorm(2, 6)), (2, 6, 5, 7)),
    "prelu": (lambda: Kinds(nn.PReLU(6)), (2, 6, 5, 7)),
    "dense on a sequence": (lambda: Kinds(nn.Linear(6, 6)), (2, 5, 6)),
    "lstm": (lambda: Kinds(nn.LSTM(5, 4, batch_first=True), rnn=True), (2, 7, 5)),
    "gru": (lambda: Kinds(nn.GRU(5, 4, batch_first=True), rnn=True), (2, 7, 5)),
    "two directions": (
        lambda: Kinds(nn.LSTM(5, 4, batch_first=True, bidirectional=True), rnn=True),
        (2, 7, 5),
    ),
    "attention": (Joined, (2, 5, 12)),
}


@pytest.mark.parametrize("case", CASES)
def test_each_kind_of_layer_goes_there_and_back(case: str, tmp_path: Path) -> None:
    make, shape = CASES[case]
    module = with_random_weights(make())
    model = torch_to_keras(module, torch.randn(shape, generator=torch.Generator().manual_seed(0)))
    for number, variable in enumerate(model.trainable_variables):
        variable.assign(variable * (1.2 + 0.1 * number))
    state = torch.load(keras_to_torch(model, tmp_path / "there.pt"), weights_only=True)
    assert list(state) == list(module.state_dict())
    first = next(iter(module.state_dict()))
    assert not torch.equal(state[first], module.state_dict()[first])


# --- steps ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "target", "turn"),
    [
        ((6, 4, 3, 2), (3, 2, 4, 6), lambda a: a.transpose(2, 3, 1, 0)),
        ((8, 1, 3, 2), (3, 2, 4, 2), lambda a: a.transpose(2, 3, 0, 1).reshape(3, 2, 4, 2)),
        ((5, 24), (24, 5), lambda a: a.reshape(5, 4, 6).transpose(2, 1, 0).reshape(24, 5)),
        ((1, 6, 2, 3), (1, 36), lambda a: a.transpose(0, 2, 3, 1).reshape(1, 36)),
        ((7,), (7,), lambda a: a),
    ],
)
def test_steps_are_found_and_go_back(
    source: tuple[int, ...], target: tuple[int, ...], turn: Callable[[np.ndarray], np.ndarray]
) -> None:
    array = np.random.default_rng(0).normal(size=source).astype(np.float32)
    turned = turn(array)
    assert turned.shape == target
    assert fingerprint(array) == fingerprint(turned)
    steps = find_steps(array, turned)
    assert steps is not None
    np.testing.assert_array_equal(forwards(array, steps), turned)
    np.testing.assert_array_equal(backwards(turned * 2, steps, array), array * 2)


def test_part_goes_back_into_its_place() -> None:
    whole = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    first, part = list(parts(whole, 8))[1]
    np.testing.assert_array_equal(part, whole[2:4])
    steps = find_steps(part, part.T)
    assert steps is not None
    changed = backwards(part.T + 1, (*first, *steps), whole)
    np.testing.assert_array_equal(changed[2:4], whole[2:4] + 1)
    np.testing.assert_array_equal(changed[[0, 1, 4, 5]], whole[[0, 1, 4, 5]])


# --- programs ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_program_answers_without_keras(trained: keras.Model, tmp_path: Path) -> None:
    path = keras_to_torch(trained, tmp_path / "model.pt2")
    assert list(tmp_path.iterdir()) == [path]
    program = torch.export.load(path).module()
    pixels = torch.from_numpy(_pixels().transpose(0, 2, 3, 1).copy())
    with torch.no_grad():
        (found,) = program(pixels)
    assert _close(found.numpy(), _keras_answers(trained))


@pytest.mark.slow
def test_program_takes_every_size_that_the_model_takes(tmp_path: Path) -> None:
    layers = keras.layers
    pixels = keras.Input((None, None, 3))
    pooled = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3, strides=2)(pixels))
    inner = keras.Model(pixels, layers.BatchNormalization()(pooled))
    model = keras.Sequential([inner, layers.Dense(2)])
    program = torch.export.load(keras_to_torch(model, tmp_path / "model.pt2")).module()
    for shape in ((2, 64, 96, 3), (1, 33, 50, 3), (4, 200, 71, 3)):
        picture = np.random.default_rng(3).normal(size=shape).astype(np.float32)
        with torch.no_grad():
            (found,) = program(torch.from_numpy(picture))
        assert np.abs(found.numpy() - np.asarray(model(picture))).max() < 1e-5


@pytest.mark.slow
def test_program_for_one_length_of_many_is_refused(tmp_path: Path) -> None:
    words = keras.Input((None,), dtype="int32")
    states = keras.layers.LSTM(5)(keras.layers.Embedding(9, 4)(words))
    with pytest.raises(ConversionError, match=r"leaves sizes open.*keras\.Input"):
        keras_to_torch(keras.Model(words, states), tmp_path / "model.pt2")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_program_of_a_layer_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    class Own(keras.layers.Layer):
        def call(self, x: object) -> object:
            return x

    pixels = keras.Input((4,))
    model = keras.Model(pixels, Own()(keras.layers.Dense(2)(pixels)))
    with pytest.raises(ConversionError, match="registered"):
        keras_to_torch(model, tmp_path / "model.pt2")
    assert not list(tmp_path.iterdir())
