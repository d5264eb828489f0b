"""Which engine embeds: tried, remembered, asked for, or the only one that is left."""

import shutil
from pathlib import Path

import numpy as np
import pytest

import tlkeras as tl
from tests.conftest import write_flowers
from tlkeras.cache import cache_folder
from tlkeras.data.picture import Picture
from tlkeras.errors import BackboneError, TlkerasError
from tlkeras.features.engines.hardware import has_bfloat16
from tlkeras.features.features import Features
from tlkeras.tasks import fitted as fitting
from tlkeras.tasks.network import embedding as module
from tlkeras.tasks.network.agreement import Agreement, compare
from tlkeras.tasks.network.assembly import BackboneSource
from tlkeras.tasks.network.embedding import Embedding
from tlkeras.tasks.network.frozen import FrozenBackbone


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> tl.ImageFolder:
    folder = write_flowers(tmp_path_factory.mktemp("many") / "flowers", per_class=30, seed=5)
    return tl.ImageFolder(folder)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TLKERAS_CACHE", str(tmp_path / "cache"))


def everything(data: tl.ImageFolder) -> list[Picture]:
    return [*data.train.pictures, *data.validation.pictures, *data.test.pictures]


def tiny() -> FrozenBackbone:
    return BackboneSource("TinyResNet", "builtin").frozen()


def test_choice_is_told_and_needs_no_second_trial(
    data: tl.ImageFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = everything(data)
    first = Embedding(tiny(), tl.Recipe())
    vectors = first(pictures).vectors
    assert len(first.lines) == 1
    assert "pictures/s" in first.lines[0]
    assert np.ptp(vectors, axis=0).max() > 1e-2
    monkeypatch.setattr(Embedding, "_tried", lambda *_: pytest.fail("tried again"))
    shutil.rmtree(cache_folder() / "features")
    second = Embedding(tiny(), tl.Recipe())
    assert np.abs(second(pictures).vectors - vectors).max() < 1e-4 * np.abs(vectors).max()
    assert second.lines == first.lines
    assert not second.frozen.is_built or "by tensorflow" in first.lines[0]


@pytest.mark.parametrize(
    ("engine", "package"),
    [
        ("tensorflow", "tensorflow"),
        ("onnxruntime", "onnxruntime"),
        ("openvino", "openvino"),
        ("litert", "ai_edge_litert"),
    ],
)
def test_engine_that_was_asked_for_is_used(data: tl.ImageFolder, engine: str, package: str) -> None:
    pytest.importorskip(package)
    from tlkeras.data.pipeline import load_pixels

    pictures = everything(data)[:9]
    frozen = tiny()
    embed = Embedding(frozen, tl.Recipe().replace(engine=engine))
    found = embed(pictures).vectors
    side = frozen.spec.size_px
    pixels = np.stack([load_pixels(picture.source, (side, side)) for picture in pictures])
    exact = np.asarray(frozen.model(pixels, training=False))
    assert f"by {engine} in float32" in embed.lines[0]
    assert np.abs(found - exact).max() < 1e-4 * np.abs(exact).max()


def test_few_pictures_are_not_worth_a_trial(data: tl.ImageFolder) -> None:
    frozen = tiny()
    assert frozen.model is not None  # TensorFlow is loaded, and nothing was written yet
    embed = Embedding(frozen, tl.Recipe())
    embed(everything(data)[:5])
    assert embed.lines == []
    assert frozen.files is None


def test_network_that_cannot_be_written_is_embedded_by_tensorflow(
    data: tl.ImageFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: FrozenBackbone) -> Path:
        raise TlkerasError("a layer has no writer")

    monkeypatch.setattr(FrozenBackbone, "write_files", refuse)
    embed = Embedding(tiny(), tl.Recipe())
    assert len(embed(everything(data))) == 90
    assert "no writer" in embed.lines[0]
    assert "by tensorflow" in embed.lines[1]


def test_engine_that_no_longer_starts_is_chosen_anew(
    data: tl.ImageFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = tl.Recipe(engine="onnxruntime")
    Embedding(tiny(), recipe)(everything(data)[:4])
    tried: list[int] = []
    make, again = Embedding._make, Embedding._tried

    def broken_once(self: Embedding, name: str) -> object:
        if not tried:
            raise RuntimeError("the library is of another version")
        return make(self, name)

    def note(self: Embedding, pixels: np.ndarray) -> object:
        tried.append(len(pixels))
        return again(self, pixels)

    monkeypatch.setattr(Embedding, "_make", broken_once)
    monkeypatch.setattr(Embedding, "_tried", note)
    assert len(Embedding(tiny(), recipe)(everything(data))) == 90
    assert tried == [module.PICTURES_TO_TRY]


def test_engine_without_the_precision_is_told(data: tl.ImageFolder) -> None:
    recipe = tl.Recipe(engine="onnxruntime", precision="bfloat16")
    with pytest.raises(BackboneError, match="openvino compute in bfloat16"):
        Embedding(tiny(), recipe)(everything(data)[:4])


class Known:
    """Embeddings that are given, and a precision."""

    def __init__(self, vectors: np.ndarray, precision: str) -> None:
        self.vectors, self.precision = vectors, precision

    def __call__(self, pictures: list[Picture]) -> Features:
        rows = np.array([picture.label for picture in pictures])
        return Features(self.vectors[rows], rows, tuple(p.sha256 for p in pictures))


class Argmax:
    """A head whose probabilities are the embedding."""

    before_refit = property(lambda self: self)

    def probabilities(self, vectors: np.ndarray) -> np.ndarray:
        return vectors


@pytest.mark.parametrize("swapped", [False, True])
def test_agreement_counts_labels_that_changed(swapped: bool) -> None:
    pictures = [Picture(Path(f"{n}.png"), n % 3, f"{n:064x}") for n in range(60)]
    low = np.eye(3, dtype="float32")[[0, 2, 1] if swapped else [0, 1, 2]]
    exact = Known(np.eye(3, dtype="float32"), "float32")
    found = compare(Known(low, "bfloat16"), exact, Argmax(), pictures)  # type: ignore[arg-type]
    assert (found.pictures, found.exact) == (60, 1.0)
    assert found.changed == (40 if swapped else 0)
    assert found.holds == (not swapped)
    assert ("float32 is used" in str(found)) == swapped


@pytest.mark.skipif(not has_bfloat16(), reason="this processor does not compute in bfloat16")
@pytest.mark.parametrize("holds", [True, False])
def test_low_precision_is_kept_only_if_the_answers_stay(
    data: tl.ImageFolder, monkeypatch: pytest.MonkeyPatch, holds: bool
) -> None:
    pytest.importorskip("openvino")
    if not holds:
        far = Agreement("bfloat16", 50, 20, 0.5, 0.9)
        monkeypatch.setattr(fitting, "compare", lambda *_: far)
    clf = tl.ImageClassifier("TinyResNet", recipe=tl.Recipe(precision="bfloat16")).fit(data)
    told = "\n".join(clf.decisions)
    assert "by openvino in bfloat16" in told
    assert "bfloat16 embeddings changed" in told
    assert clf._fitted.network.embedding.precision == ("bfloat16" if holds else "float32")
    assert ("float32 is used" in told) == (not holds)
    assert clf.evaluate(data.test).accuracy > 0.8


@pytest.mark.parametrize("engine", ["auto", "openvino", "litert", "tensorflow"])
def test_deterministic_embeddings_are_the_same_bits_in_any_company(
    data: tl.ImageFolder, engine: str
) -> None:
    pictures = everything(data)[:41]
    recipe = tl.Recipe(deterministic=True, engine=engine)
    whole = Embedding(tiny(), recipe)(pictures).vectors
    shutil.rmtree(cache_folder() / "features")
    embed = Embedding(tiny(), recipe)
    for few in (pictures[30:31], pictures[3:10], pictures[::-1]):
        embed(few)
    assert embed.passes == len(pictures)
    np.testing.assert_array_equal(embed(pictures).vectors, whole)


def test_deterministic_run_takes_no_embedding_of_another_engine(data: tl.ImageFolder) -> None:
    pictures = everything(data)[:9]
    Embedding(tiny(), tl.Recipe(engine="tensorflow"))(pictures)
    exact = Embedding(tiny(), tl.Recipe(deterministic=True))
    exact(pictures)
    assert exact.passes == len(pictures)
    assert "by onnxruntime" in exact.lines[0]
    assert "(" not in exact.lines[0]  # no other was tried
