"""An imported network from its file to a served classifier, and home again to torch.

.pt2 ─ import ─ cut ─ new head ─ fine-tune the upper half ─▶ run folder, SavedModel, ONNX, torch
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pytest

import converters
import tlkeras as tl
from benchmarks.probe import cats_dogs
from tlkeras.data.pipeline import pixel_batches
from tlkeras.training.finetune import Tuned

torch = pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from tests.backbones.classic.torch_networks import ResNet  # noqa: E402

MEAN, STD = np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])
TOLERANCE = 1e-5  # of the largest answer
# Fine-tuning that does not beat the frozen network is dropped, and nothing would have moved. A
# head that learns few pictures by heart, and a split on which it does badly, leave much to gain.
EASY_TO_BEAT = {"strengths": (0.1,), "label_smoothing": 0.0, "unfreeze": 0.5}


class ResNet18(ResNet):
    """torchvision's names; pixels (n, 3, h, w), normalised → scores (n, classes)."""

    def __init__(self, classes: int = 10) -> None:
        super().__init__((2, 2, 2, 2))
        self.fc = nn.Linear(512, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.embed(x))

    def embed(self, x: torch.Tensor) -> torch.Tensor:
        return self.features(x).mean((2, 3))


class Small(nn.Module):
    """Three convolutions, two of them with a shortcut."""

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16)
        self.conv2, self.bn2 = nn.Conv2d(16, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
        self.conv3 = nn.Conv2d(16, 24, 3, 2, 1)
        self.fc = nn.Linear(24, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.embed(x))

    def embed(self, x: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.bn1(self.conv1(x)))
        x = F.relu(x + self.bn2(self.conv2(x)))
        return F.relu(self.conv3(x)).mean((2, 3))


@dataclass(frozen=True)
class Flow:
    """A network of torch, and what became of it in tlkeras."""

    network: nn.Module
    make: Callable[..., nn.Module]
    data: tl.ImageFolder
    classifier: tl.ImageClassifier
    frozen: dict[str, np.ndarray]  # weights by path, before fine-tuning
    tuned: Tuned
    pixels: np.ndarray  # (n, side, side, 3) in [0, 255]

    def behind_the_front(self) -> keras.Model:
        """The classifier behind resizing and scaling: what a torch module or ONNX file holds."""
        model = self.classifier.model
        return keras.Model(model.get_layer("rescale").output, model.output)

    def normalised(self) -> np.ndarray:
        return ((self.pixels - MEAN) / STD).astype("float32")

    def answers(self) -> np.ndarray:
        return np.asarray(self.classifier.model(self.pixels, training=False))


def calibrated(make: Callable[..., nn.Module], pixels: np.ndarray, seed: int = 0) -> nn.Module:
    """The network with drawn weights and the BatchNorm statistics of these pictures."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = make()
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = None  # the mean over all batches
                nn.init.uniform_(module.weight, 0.8, 1.2)
                nn.init.normal_(module.bias, 0, 0.1)
    network.train()
    with torch.no_grad():
        for _ in range(4):  # each layer's statistics follow those before it
            network(torch.from_numpy(pixels.transpose(0, 3, 1, 2).astype("float32")))
    return network.eval()


def flow(
    make: Callable[..., nn.Module],
    data: tl.ImageFolder,
    side: int,
    recipe: tl.Recipe,
    folder: Path,
) -> Flow:
    """All steps up to the fine-tuned classifier; the network's file is gone afterwards."""
    sources = [picture.source for picture in data.train.pictures]
    pixels = next(iter(pixel_batches(sources, (side, side), batch_size=min(64, len(sources)))))
    network = calibrated(make, (pixels.pixels - MEAN) / STD)
    program = torch.export.export(network, (torch.zeros(2, 3, side, side),))
    torch.export.save(program, folder / "network.pt2")
    clf = tl.ImageClassifier(folder / "network.pt2", preprocessing="torch", recipe=recipe)
    clf.fit(data)
    frozen = {w.path: w.numpy().copy() for w in clf.model.weights}
    tuned = clf.fine_tune(data)
    (folder / "network.pt2").unlink()
    test = [picture.source for picture in data.test.pictures][:5]
    shown = next(iter(pixel_batches(test, (side, side)))).pixels
    return Flow(network, make, data, clf, frozen, tuned, shown)


@pytest.fixture(scope="module")
def small(flower_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Flow:
    """A small network on drawn pictures, dealt out to the classes by chance."""
    folder, rng = tmp_path_factory.mktemp("small"), np.random.default_rng(0)
    kinds = ("daisy", "iris", "rose")
    for kind in kinds:
        (folder / "pictures" / kind).mkdir(parents=True)
    for number, path in enumerate(sorted(flower_folder.rglob("*.*"))):
        kind = kinds[rng.permutation(3)[0]]
        shutil.copy(path, folder / "pictures" / kind / f"{number}{path.suffix}")
    recipe = tl.Recipe(epochs=4, learning_rate=0.01, batch_size=8, **EASY_TO_BEAT)
    return flow(Small, tl.ImageFolder(folder / "pictures", seed=8), 32, recipe, folder)


@pytest.fixture(scope="module")
def resnet(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Flow:
    """ResNet-18 at 96 px on 100 cats and 100 dogs."""
    folder = tmp_path_factory.mktemp("resnet")
    for kind in ("cat", "dog"):
        (folder / "pictures" / kind).mkdir(parents=True)
        for path in sorted((shared_data / "datasets" / "cats_dogs" / kind).iterdir())[:100]:
            shutil.copy(path, folder / "pictures" / kind)
    recipe = tl.Recipe(epochs=4, learning_rate=1e-3, batch_size=16, **EASY_TO_BEAT)
    return flow(ResNet18, tl.ImageFolder(folder / "pictures", seed=5), 96, recipe, folder)


@pytest.fixture(params=["small", pytest.param("resnet", marks=pytest.mark.slow)])
def flown(request: pytest.FixtureRequest) -> Flow:
    return request.getfixturevalue(request.param)


def close(found: np.ndarray, wanted: np.ndarray) -> bool:
    return bool(np.abs(found - wanted).max() <= TOLERANCE * np.abs(wanted).max())


def test_old_classifier_is_cut_and_the_import_is_told(flown: Flow) -> None:
    names = [layer.name for layer in flown.classifier.model.layers]
    assert "fc" not in names
    assert "embedding" in names
    decisions = "\n".join(flown.classifier.decisions)
    assert "imported network.pt2" in decisions
    assert "classifier 'fc'" in decisions
    assert "preprocessing 'torch' was not found wrong" in decisions


def test_frozen_weights_did_not_move_and_all_others_did(flown: Flow) -> None:
    assert flown.tuned.better
    model = flown.classifier.model
    backbone = [la for la in model.layers if la.weights and la.weights[0].path in flown.frozen]
    moved, kept = 0, 0
    for layer in backbone:
        for weight in layer.weights:
            same = np.array_equal(weight.numpy(), flown.frozen[weight.path])
            assert same is (layer.name not in flown.tuned.unfrozen), weight.path
            moved, kept = moved + (not same), kept + same
    assert moved >= 2
    assert kept >= 2
    norms = [la for la in backbone if isinstance(la, keras.layers.BatchNormalization)]
    assert norms
    assert not {norm.name for norm in norms} & set(flown.tuned.unfrozen)


def test_answers_survive_the_run_folder_without_the_networks_file(
    flown: Flow, tmp_path: Path
) -> None:
    again = tl.ImageClassifier.load(flown.classifier.save(tmp_path / "run"))
    paths = flown.data.test.paths
    # ONNX Runtime answers for the folder, Keras for the classifier; its model is the same.
    assert close(again.predict(paths).probabilities, flown.classifier.predict(paths).probabilities)
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 70, 50, 3)).astype("float32")
    assert np.array_equal(again.model(pixels), flown.classifier.model(pixels))
    assert again._fitted.spec.preprocessing == "torch"
    assert again.decisions == flown.classifier.decisions


@pytest.mark.slow  # the export is proven in a process of its own
def test_saved_model_gives_the_same_answers(resnet: Flow, tmp_path: Path) -> None:
    import tensorflow as tf

    path = resnet.classifier.export(tmp_path / "1")
    served = tf.saved_model.load(str(path)).signatures["serving_default"]
    pictures = [path.read_bytes() for path in resnet.data.test.paths[:4]]
    answers = served(image_bytes=tf.constant(pictures))
    wanted = resnet.classifier.predict(pictures).probabilities
    assert close(answers["probabilities"].numpy(), wanted)


def test_onnx_file_gives_the_same_answers(flown: Flow, tmp_path: Path) -> None:
    import onnxruntime

    path = converters.keras_to_onnx(flown.behind_the_front(), tmp_path / "tuned.onnx")
    session = onnxruntime.InferenceSession(path)
    found = session.run(None, {session.get_inputs()[0].name: flown.normalised()})[0]
    assert close(found, flown.answers())


def test_state_dict_goes_home_with_the_same_answers(flown: Flow, tmp_path: Path) -> None:
    classes = len(flown.classifier.class_names)
    module = flown.make(classes)
    path = converters.keras_to_torch(
        flown.behind_the_front(), tmp_path / "tuned.pth", module=module
    )
    state = torch.load(path, weights_only=True)
    module.load_state_dict(state, strict=True)
    pixels = torch.from_numpy(flown.normalised().transpose(0, 3, 1, 2).copy())
    with torch.no_grad():
        embedding = module.eval().embed(pixels).numpy()
        answers = module(pixels).softmax(-1).numpy()
    model = flown.classifier.model
    wanted = keras.Model(model.input, model.get_layer("embedding").output)(flown.pixels)
    assert close(embedding, np.asarray(wanted))
    assert close(answers, flown.answers())
    for name, before in flown.network.state_dict().items():
        layer = name.rpartition(".")[0].replace(".", "_")
        if not name.startswith("fc") and "num_batches" not in name:
            unfrozen = any(other in (layer, f"{layer}_2") for other in flown.tuned.unfrozen)
            assert torch.equal(state[name], before) is not unfrozen, name


def test_blocks_work_on_an_imported_network(small: Flow) -> None:
    imported = converters.torch_to_keras(small.network, torch.zeros(2, 3, 32, 32))
    model = tl.adapt(imported, classes=3)
    names = [layer.name for layer in model.layers]
    assert "fc" not in names
    assert names[-2:] == ["logits", "probabilities"]
    tl.freeze(model)
    tl.unfreeze(model, last=2)
    model.compile("sgd", "sparse_categorical_crossentropy")
    before = {w.path: w.numpy().copy() for w in model.weights}
    model.fit(small.normalised(), np.array([0, 1, 2, 0, 1]), epochs=2, verbose=0)
    moved = {w.path for w in model.weights if not np.array_equal(w.numpy(), before[w.path])}
    assert moved == {w.path for w in model.trainable_weights}
    assert {path.split("/")[0] for path in moved} >= {"logits"}
    assert imported.get_layer("fc") is not None  # the import itself is as it was


def test_wrong_preprocessing_is_warned_about_with_figures(
    small: Flow, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    imported = converters.torch_to_keras(small.network, torch.zeros(2, 3, 32, 32))
    clf = tl.ImageClassifier(imported, preprocessing="none", recipe=small.classifier.recipe)
    clf.fit(small.data)
    wrong = [line for line in clf.decisions if "'torch' fits far better" in line]
    assert len(wrong) == 1
    assert "say preprocessing='torch'" in wrong[0]
    assert wrong[0] in caplog.text


def test_mean_and_deviation_survive_the_run_folder(small: Flow, tmp_path: Path) -> None:
    imported = converters.torch_to_keras(small.network, torch.zeros(2, 3, 32, 32))
    clf = tl.ImageClassifier(imported, preprocessing=(tuple(MEAN + 9), 50.0)).fit(small.data)
    again = tl.ImageClassifier.load(clf.save(tmp_path / "run"))
    assert again._fitted.spec.preprocessing == clf._fitted.spec.preprocessing
    assert again.source.known == again._fitted.spec
    paths = small.data.test.paths
    assert close(again.predict(paths).probabilities, clf.predict(paths).probabilities)
    again.fit(small.data)  # from what the run folder has
    assert again._fitted.spec.preprocessing == clf._fitted.spec.preprocessing


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "least"),
    [
        ("tfjs/teachable_machine_mnv2_035/model.json", 0.88),
        ("tflite/mobilenet_v1_0.25_224_quant.tflite", 0.86),
    ],
)
def test_real_files_bring_their_preprocessing_and_labels(
    file: str, least: float, shared_data: Path
) -> None:
    data = cats_dogs(shared_data, 0)
    clf = tl.ImageClassifier(shared_data / "weights" / file).fit(data)
    assert clf._fitted.spec.preprocessing == "tf"
    assert clf._fitted.spec.labels
    assert clf.evaluate(data.test).accuracy >= least
