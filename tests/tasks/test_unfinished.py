"""The folder of a run that is not complete: who may work there, on what, and when it goes."""

import json
from pathlib import Path

import pytest

import tlkeras as tl
from tlkeras.bundle.index import is_run
from tlkeras.errors import BundleError, TrainingError
from tlkeras.tasks.unfinished import LOCK, STATE, Unfinished, asked_of, opened

QUICK = tl.Recipe(batch_size=8)


@pytest.fixture(scope="module")
def data(flower_folder: Path) -> tl.ImageFolder:
    return tl.ImageFolder(flower_folder)


def classifier(recipe: tl.Recipe = QUICK, **how: object) -> tl.ImageClassifier:
    return tl.ImageClassifier("TinyResNet", weights=None, recipe=recipe, **how)


@pytest.fixture(scope="module")
def complete(data: tl.ImageFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run; no test changes it."""
    return classifier().fit(data).save(tmp_path_factory.mktemp("runs") / "flowers")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return tmp_path / "flowers"


@pytest.fixture
def broken_off(run: Path, data: tl.ImageFolder, monkeypatch: pytest.MonkeyPatch) -> Unfinished:
    """What a run leaves that was killed while its head was trained."""
    with monkeypatch.context() as patch:
        patch.setattr(Unfinished, "tidy", lambda self: None)
        with opened(run) as work:
            assert work.begin(asked_of(classifier(), data))
    return work


def test_run_that_is_there_needs_force(run: Path) -> None:
    run.mkdir()
    with pytest.raises(BundleError, match="--force"), opened(run):
        pass
    assert not Unfinished(run).folder.exists()


def test_unfinished_run_needs_a_word_and_stays(run: Path, broken_off: Unfinished) -> None:
    with pytest.raises(BundleError, match=r"--resume.*--force"), opened(run):
        pass
    assert (broken_off.folder / STATE).exists()


def test_both_words_contradict_each_other(run: Path) -> None:
    with pytest.raises(BundleError, match="both"), opened(run, resume=True, force=True):
        pass


def test_nothing_to_go_on_with_is_a_new_run(run: Path, data: tl.ImageFolder) -> None:
    with opened(run, resume=True) as work:
        assert work.begin(asked_of(classifier(), data))


def test_second_one_at_work_is_refused(run: Path) -> None:
    refused = pytest.raises(TrainingError, match="One process at a time")
    with opened(run), refused, opened(run, resume=True):
        pass


def test_same_wishes_go_on(run: Path, data: tl.ImageFolder, broken_off: Unfinished) -> None:
    with opened(run, resume=True) as work:
        assert work.begin(asked_of(classifier(), data))


@pytest.mark.parametrize(
    ("how", "unfreeze", "named"),
    [
        ({"recipe": tl.Recipe(batch_size=9)}, None, r"recipe\.batch_size: 8 then, 9 now"),
        ({"head": "mlp"}, None, "head: 'linear' then, 'mlp' now"),
        ({}, 2, "fine-tuning: False then, True now"),
    ],
)
def test_other_wishes_are_refused_and_named(
    run: Path, data: tl.ImageFolder, broken_off: Unfinished, how: dict, unfreeze: object, named: str
) -> None:
    refused = pytest.raises(BundleError, match=named)
    with refused, opened(run, resume=True) as work:
        work.begin(asked_of(classifier(**how), data, unfreeze))
    assert (broken_off.folder / STATE).exists()


def test_other_pictures_are_refused(run: Path, flower_folder: Path, broken_off: Unfinished) -> None:
    other = tl.ImageFolder(flower_folder, seed=1)
    refused = pytest.raises(BundleError, match="pictures: ")
    with refused, opened(run, resume=True) as work:
        work.begin(asked_of(classifier(), other))


def test_other_weights_under_the_same_name_are_refused(
    run: Path, data: tl.ImageFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "own.weights.h5"
    file.write_bytes(b"one")
    own = tl.ImageClassifier("TinyResNet", weights=file)
    before = asked_of(own, data)
    file.write_bytes(b"other")
    assert asked_of(own, data)["weights' file"] != before["weights' file"]


def test_force_begins_anew(run: Path, data: tl.ImageFolder, broken_off: Unfinished) -> None:
    with opened(run, force=True) as work:
        assert [path.name for path in work.folder.iterdir()] == [LOCK]
        assert work.begin(asked_of(classifier(head="mlp"), data))


def test_complete_run_is_left_alone(complete: Path, data: tl.ImageFolder) -> None:
    before = {path: path.read_bytes() for path in complete.iterdir()}
    with opened(complete, resume=True) as work:
        assert not work.begin(asked_of(classifier(), data))
    assert {path: path.read_bytes() for path in complete.iterdir()} == before
    assert not work.folder.exists()


def test_complete_run_of_other_wishes_is_refused(complete: Path, data: tl.ImageFolder) -> None:
    refused = pytest.raises(BundleError, match=r"recipe\.epochs: 20 then, 3 now")
    with refused, opened(complete, resume=True) as work:
        work.begin(asked_of(classifier(QUICK.replace(epochs=3)), data))


def test_killed_after_it_was_complete_only_the_rest_is_removed(
    run: Path, data: tl.ImageFolder, broken_off: Unfinished
) -> None:
    classifier().fit(data).save(run)
    with opened(run, resume=True) as work:
        assert not work.begin(asked_of(classifier(), data))
    assert is_run(run)
    assert not work.folder.exists()


def test_killed_while_it_was_to_replace_an_older_run_it_goes_on(
    run: Path, data: tl.ImageFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    classifier(QUICK.replace(seed=1)).fit(data).save(run)
    with monkeypatch.context() as patch:
        patch.setattr(Unfinished, "tidy", lambda self: None)
        with opened(run, force=True) as work:
            work.begin(asked_of(classifier(), data))
    with opened(run, resume=True) as work:
        assert work.begin(asked_of(classifier(), data))


def test_folder_with_nothing_worth_keeping_goes(run: Path, data: tl.ImageFolder) -> None:
    with opened(run) as work:
        work.begin(asked_of(classifier(), data))
    assert not work.folder.exists()


def test_folder_of_something_else_is_not_touched(run: Path) -> None:
    other = Unfinished(run).folder
    other.mkdir()
    (other / "thesis.tex").write_text("mine")
    for how in ({}, {"force": True}, {"resume": True}):
        with pytest.raises(BundleError, match="something else"), opened(run, **how):
            pass
    assert [path.name for path in other.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("content", ["{", "[]", '{"format": "other"}', "[" * 5000])
def test_damaged_state_is_told(
    run: Path, data: tl.ImageFolder, broken_off: Unfinished, content: str
) -> None:
    (broken_off.folder / STATE).write_text(content)
    refused = pytest.raises(BundleError, match="--force")
    with refused, opened(run, resume=True) as work:
        work.begin(asked_of(classifier(), data))


def test_another_environment_is_told_and_it_goes_on(
    run: Path, data: tl.ImageFolder, broken_off: Unfinished, caplog: pytest.LogCaptureFixture
) -> None:
    path = broken_off.folder / STATE
    state = json.loads(path.read_text())
    path.write_text(json.dumps({**state, "environment": {**state["environment"], "keras": "3.0"}}))
    with opened(run, resume=True) as work:
        assert work.begin(asked_of(classifier(), data))
    assert "keras: '3.0' then" in caplog.text
