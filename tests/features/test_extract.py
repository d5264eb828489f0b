import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from tlkeras.data.augment import Augmentation
from tlkeras.data.decode import decode
from tlkeras.data.picture import Picture
from tlkeras.errors import BackboneError, DecodeError
from tlkeras.features.extract import Extractor, View

WEIGHTS = np.random.default_rng(3).normal(0, 0.01, (24 * 24 * 3, 6)).astype("float32")


@dataclass
class Matrix:
    """An engine that multiplies the pixels by a matrix, and notes how it was called."""

    name: str = "matrix"
    precision: str = "float32"
    streams: int = 2
    batch: int = 4
    pause_s: float = 0.0
    calls: list[int] = field(default_factory=list)
    threads: set[int] = field(default_factory=set)

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        self.calls.append(len(pixels))
        self.threads.add(threading.get_ident())
        time.sleep(self.pause_s)
        return pixels.reshape(len(pixels), -1) @ WEIGHTS


def extractor(engine: object = None, key: str | None = None) -> Extractor:
    return Extractor(lambda pictures: engine or Matrix(), 24, width=6, key=key)


def pictures_in(folder: Path) -> list[Picture]:
    paths = sorted(folder.rglob("*.*g"), key=lambda path: path.name[::-1])  # the classes mixed
    kinds = sorted({path.parent.name for path in paths})
    return [
        Picture(path, kinds.index(path.parent.name), hashlib.sha256(path.read_bytes()).hexdigest())
        for path in paths
    ]


def refuse(pictures: Sequence[Picture]) -> Matrix:
    raise AssertionError(f"no engine is needed, but was asked for {len(pictures)} pictures")


@pytest.fixture
def pictures(
    flower_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Sequence[Picture]:
    monkeypatch.setenv("TLKERAS_CACHE", str(tmp_path / "cache"))
    return pictures_in(flower_folder)


def test_rows_are_what_the_model_gives_for_each_picture(
    tiny_backbone: Callable, pictures: Sequence[Picture]
) -> None:
    @dataclass
    class Keras(Matrix):
        def __call__(self, pixels: np.ndarray) -> np.ndarray:
            return tiny_backbone(pixels).numpy()

    features = extractor(Keras())(pictures)
    assert features.vectors.shape == (len(pictures), 6)
    assert features.vectors.std(axis=0).max() > 1e-3
    for row in (0, 5, len(pictures) - 1):
        alone = tiny_backbone(decode(pictures[row].path)[None].astype("float32"))
        np.testing.assert_allclose(features.vectors[row], alone[0], atol=1e-5)
        assert features.labels[row] == pictures[row].label
        assert features.ids[row] == pictures[row].sha256


@pytest.mark.parametrize(("streams", "batch"), [(1, 8), (1, 100), (2, 4), (3, 1), (4, 5)])
def test_streams_and_batch_change_nothing(
    streams: int, batch: int, pictures: Sequence[Picture]
) -> None:
    engine = Matrix(streams=streams, batch=batch)
    features = extractor(engine)(pictures)
    expected = extractor()(pictures)
    np.testing.assert_allclose(features.vectors, expected.vectors, atol=1e-3)
    assert sum(engine.calls) == len(pictures)
    assert max(engine.calls) <= batch


def test_each_stream_is_a_thread_and_one_stream_is_the_callers(
    pictures: Sequence[Picture],
) -> None:
    several, single = Matrix(streams=3, batch=2, pause_s=0.01), Matrix(streams=1)
    extractor(several)(pictures)
    extractor(single)(pictures)
    assert len(several.threads) == 3
    assert single.threads == {threading.get_ident()}


def test_last_pictures_are_shared_among_the_streams(pictures: Sequence[Picture]) -> None:
    engine = Matrix(streams=2, batch=7)
    extractor(engine)(pictures[:20])
    assert sorted(engine.calls) == [3, 3, 7, 7]


def test_known_pictures_need_no_engine(pictures: Sequence[Picture]) -> None:
    first = extractor(key="net")
    before = first(pictures)
    second = Extractor(refuse, 24, width=6, key="net")
    after = second(list(reversed(pictures)))
    assert (first.passes, second.passes) == (len(pictures), 0)
    np.testing.assert_array_equal(after.vectors, before.vectors[::-1])
    assert after.labels.tolist() == before.labels[::-1].tolist()


def test_engine_is_chosen_once_with_the_pictures_that_are_missing(
    pictures: Sequence[Picture],
) -> None:
    asked: list[list[Picture]] = []

    def choose(missing: Sequence[Picture]) -> Matrix:
        asked.append([*missing[:2], missing[-1]])
        assert len(missing) == len(pictures) - 3
        return Matrix()

    extractor(key="net")(pictures[1:4])
    extract = Extractor(choose, 24, width=6, key="net")
    extract(pictures)
    extract(pictures, View(Augmentation(), number=0, seed=0))
    assert asked == [[pictures[0], pictures[4], pictures[-1]]]


def test_another_key_or_size_shares_nothing(pictures: Sequence[Picture]) -> None:
    extractor(key="net")(pictures)
    other = extractor(key="net-bfloat16")
    other(pictures)
    assert other.passes == len(pictures)
    with pytest.raises(AssertionError, match="no engine"):
        Extractor(refuse, 32, width=6, key="net")(pictures)


def test_without_a_key_every_call_computes(pictures: Sequence[Picture], tmp_path: Path) -> None:
    extract = extractor()
    extract(pictures)
    extract(pictures)
    assert extract.passes == 2 * len(pictures)
    assert not list(tmp_path.glob("cache/features/*"))


def test_picture_given_twice_has_two_equal_rows(pictures: Sequence[Picture]) -> None:
    twice = [pictures[0], pictures[1], pictures[0]]
    for _ in range(2):
        features = extractor(key="net")(twice)
        np.testing.assert_allclose(features.vectors[0], features.vectors[2], atol=1e-3)
        assert not np.allclose(features.vectors[0], features.vectors[1])


def test_no_pictures_are_features_of_no_rows() -> None:
    features = Extractor(refuse, 24, width=6, key=None)([])
    assert features.vectors.shape == (0, 6)
    assert len(features.ids) == 0


def test_progress_counts_what_passes_the_backbone(pictures: Sequence[Picture]) -> None:
    extractor(key="net")(pictures[:5])
    told: list[tuple[object, ...]] = []
    extractor(key="net")(pictures, progress=lambda *step: told.append(step))
    missing = len(pictures) - 5
    assert told[-1] == ("embedding", missing, missing)
    assert [step[1] for step in told] == sorted(step[1] for step in told)


def test_view_is_another_look_and_the_same_one_each_time(pictures: Sequence[Picture]) -> None:
    view = View(Augmentation(), number=1, seed=0)
    extract = extractor(key="net")
    plain, look = extract(pictures), extract(pictures, view)
    other = extract(pictures, View(Augmentation(), number=2, seed=0))
    again = extractor(Matrix(streams=1, batch=5))(pictures, view)
    assert not np.allclose(plain.vectors, look.vectors)
    assert not np.allclose(other.vectors, look.vectors)
    np.testing.assert_allclose(again.vectors, look.vectors, atol=1e-3)


def test_view_of_a_picture_does_not_depend_on_its_neighbours(pictures: Sequence[Picture]) -> None:
    view = View(Augmentation(), number=1, seed=0)
    extract = extractor()
    alone = extract(pictures[3:4], view)
    among = extract(pictures, view)
    np.testing.assert_allclose(alone.vectors[0], among.vectors[3], atol=1e-3)


@pytest.mark.parametrize("streams", [1, 2])
def test_picture_that_vanished_is_named_and_those_before_it_are_kept(
    streams: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.conftest import write_flowers

    monkeypatch.setenv("TLKERAS_CACHE", str(tmp_path / "cache"))
    folder = write_flowers(tmp_path / "flowers", per_class=12, seed=5)
    pictures = pictures_in(folder)
    pictures[12].path.unlink()
    with pytest.raises(DecodeError, match=pictures[12].path.name):
        extractor(Matrix(streams=streams), key="net")(pictures)
    assert not [one for one in threading.enumerate() if one.name.startswith("tlkeras-embed")]
    Extractor(refuse, 24, width=6, key="net")(pictures[:12])


def test_engine_of_another_width_is_refused(pictures: Sequence[Picture]) -> None:
    with pytest.raises(BackboneError, match=r"7 values.*matrix.*\(4, 6\)"):
        Extractor(lambda missing: Matrix(), 24, width=7, key=None)(pictures)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_interrupted_extraction_continues_where_it_stopped(how: int, tmp_path: Path) -> None:
    code = """
import signal
from tests.features.test_extract import Matrix, extractor, Generated
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
extractor(Matrix(pause_s=0.04, batch=2), key="net")(
    Generated(200), progress=lambda task, done, total, note="": print(done, flush=True)
)
"""
    environment = {**os.environ, "TLKERAS_CACHE": str(tmp_path), "PYTHONPATH": os.getcwd()}
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as running:
        assert running.stdout is not None
        while int(running.stdout.readline()) < 100:
            pass
        running.send_signal(how)
        running.communicate(timeout=30)
    assert running.returncode != 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TLKERAS_CACHE", str(tmp_path))
        again = extractor(key="net")
        again(Generated(200))
    # 100 pictures are left, and of a killed process's what it did in its last quarter second.
    assert 0 < again.passes <= (104 if how == signal.SIGINT else 140)


def test_extraction_needs_no_tensorflow(pictures: Sequence[Picture], tmp_path: Path) -> None:
    code = """
import sys
sys.modules["tensorflow"] = sys.modules["keras"] = None
from hashlib import sha256
from pathlib import Path
from tests.features.test_extract import Matrix, Picture, extractor
paths = [Path(name) for name in sys.argv[1:]]
pictures = [Picture(path, 0, sha256(path.name.encode()).hexdigest()) for path in paths]
print(extractor(Matrix(), key="net")(pictures).vectors.shape)
"""
    names = [str(picture.path) for picture in pictures[:3]]
    told = subprocess.run([sys.executable, "-c", code, *names], capture_output=True, text=True)
    assert told.stdout == "(3, 6)\n", told.stderr


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak memory of a process in kB")
def test_memory_and_time_per_picture_do_not_grow_with_their_number(tmp_path: Path) -> None:
    code = r"""
import re, sys, time
from pathlib import Path
from tests.features.test_extract import Matrix, extractor, Generated
number = int(sys.argv[1])
extractor(Matrix())(Generated(100))
began = time.process_time()
features = extractor(Matrix(), key="net")(Generated(number))
# Not getrusage: that begins with the peak of the process this one was cloned from.
print(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1])
print((time.process_time() - began) / number)
"""
    figures = []
    for number in (5_000, 50_000):
        environment = {**os.environ, "TLKERAS_CACHE": str(tmp_path / str(number))}
        told = subprocess.run(
            [sys.executable, "-c", code, str(number)],
            capture_output=True,
            text=True,
            env={**environment, "PYTHONPATH": os.getcwd()},
            check=True,
        )
        figures.append([float(line) for line in told.stdout.split()])
    (memory, seconds), (memory_of_ten_times, seconds_of_ten_times) = figures
    assert memory_of_ten_times < 1.2 * memory
    assert seconds_of_ten_times < 1.5 * seconds  # the machine may be busy


@dataclass(frozen=True)
class Generated(Sequence[Picture]):
    """Distinct pictures as arrays (24, 24, 3) uint8, made when asked for."""

    number: int

    def __len__(self) -> int:
        return self.number

    def __getitem__(self, row: int) -> Picture:
        if row >= self.number:
            raise IndexError(row)
        pixels = np.random.default_rng(row).integers(0, 256, (24, 24, 3), np.uint8)
        return Picture(Path(f"{row}"), row % 3, f"{row:064x}", pixels)
