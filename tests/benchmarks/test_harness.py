"""The benchmarks' harness: what a run cost is what it says, and nothing is lost."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.harness import Command, Sample, interleaved, medians, published, ratios, run, table
from benchmarks.harness.machine import described, processor
from benchmarks.harness.peak import best, rate
from benchmarks.harness.pictures import files_of, put_together, split_apart
from benchmarks.harness.plot import drawn

SPIN = "import time\nend = time.process_time() + {0}\nwhile time.process_time() < end: pass\n"


def python(name: str, code: str, **more: object) -> Command:
    return Command(name, [sys.executable, "-c", code], **more)  # type: ignore[arg-type]


def silent(text: str) -> None:
    assert text


def test_cpu_counts_and_sleep_does_not() -> None:
    busy = run(python("busy", SPIN.format(0.5)))
    idle = run(python("idle", "import time; time.sleep(0.6)"))
    assert busy.cpu_s > 0.45
    assert idle.cpu_s < 0.3
    assert idle.wall_s > 0.55


def test_cpu_of_children_counts() -> None:
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {SPIN.format(0.4)!r}])"
    assert run(python("parent", code)).cpu_s > 0.38


def test_peak_memory_is_the_most_it_ever_had() -> None:
    # A child begins with the peak of the process it is cloned from: the tests' own is too large.
    code = """
import sys
from benchmarks.harness.processes import Command, run
for program in ("x = bytearray(150 * 2**20); del x", "pass"):
    print(run(Command("measured", [sys.executable, "-c", program])).peak_mb)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    large, small = map(float, done.stdout.split())
    assert 150 < large < 220
    assert small < large - 40


def test_the_last_json_object_is_what_was_reported() -> None:
    code = "print('{\"a\": 1}')\nprint('epoch 3')\nprint('{\"a\": 2, \"b\": [3]}')\nprint('done')"
    assert run(python("talks", code)).reported == {"a": 2, "b": [3]}
    assert run(python("long", "import json; print(json.dumps({'x': 1}, indent=2))")).reported == {
        "x": 1
    }


def test_a_failure_says_why() -> None:
    sample = run(python("broken", "raise ValueError('no such picture')"))
    assert "exit status 1" in sample.failure
    assert "no such picture" in sample.failure
    assert medians([sample]) == {}


def test_one_that_takes_too_long_is_ended_with_its_children() -> None:
    child = "import time; time.sleep(60)"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    sample = run(python("slow", code), timeout_s=0.7)
    assert sample.failure
    assert sample.wall_s < 10


def test_one_that_cannot_be_prepared_is_a_failed_run() -> None:
    def prepare() -> None:
        raise RuntimeError("no cache to start from")

    sample = run(python("unprepared", "pass", prepare=prepare))
    assert sample.failure == "not prepared: no cache to start from"


def test_rounds_take_turns_and_begin_with_another(tmp_path: Path) -> None:
    log = tmp_path / "log"

    def logs(name: str) -> str:
        return f"open({str(log)!r}, 'a').write({name!r})"

    commands = [python(name, logs(name)) for name in "abc"]
    samples = interleaved(commands, 3, say=silent)
    assert log.read_text() == "abcbcacab"
    assert [len(rows) for rows in samples.values()] == [3, 3, 3]


def test_warm_up_and_preparation_do_not_count(tmp_path: Path) -> None:
    prepared: list[int] = []

    def prepare() -> dict[str, str]:
        prepared.append(1)
        return {"COLOUR": "green"}

    code = "import os, json; print(json.dumps({'colour': os.environ['COLOUR']}))"
    warm = (sys.executable, "-c", f"open({str(tmp_path / 'warm')!r}, 'w')")
    command = python("one", code, prepare=prepare, warm_up=warm)
    (rows,) = interleaved([command], 2, say=silent).values()
    assert [row.reported for row in rows] == [{"colour": "green"}] * 2
    assert (tmp_path / "warm").exists()
    assert len(prepared) == 3


def test_the_callers_caches_are_not_the_childs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TLKERAS_CACHE", "/somewhere")
    code = "import os, json; print(json.dumps({'cache': os.environ.get('TLKERAS_CACHE')}))"
    assert run(python("child", code)).reported == {"cache": None}


def test_one_that_fails_twice_takes_no_further_part() -> None:
    seen: list[int] = []
    samples = interleaved(
        [python("broken", "raise SystemExit(3)"), python("fine", "pass")],
        4,
        say=silent,
        after_round=lambda found: seen.append(len(found["fine"])),
    )
    assert len(samples["broken"]) == 2
    assert seen == [1, 2, 3, 4]


def test_rounds_of_a_slow_one_can_be_fewer() -> None:
    samples = interleaved([python("a", "pass", rounds=1), python("b", "pass")], 3, say=silent)
    assert [len(rows) for rows in samples.values()] == [1, 3]


THREE = {
    "theirs": [Sample(9.0, 20.0, 1000.0), Sample(12.0, 26.0, 1200.0), Sample(30.0, 90.0, 1100.0)],
    "ours": [Sample(2.0, 3.0, 220.0), Sample(3.0, 2.0, 200.0), Sample(1.0, 9.0, 500.0)],
    "broken": [Sample(0.1, 0.1, 5.0, failure="exit status 1: it\nbroke")],
}


def test_ratios_are_medians_divided() -> None:
    found = ratios(THREE, "theirs")
    assert found["ours"] == pytest.approx({"wall_s": 6.0, "cpu_s": 26 / 3, "peak_mb": 5.0})
    assert "broken" not in found
    assert ratios(THREE, "nobody") == {}


def test_the_table_has_a_row_for_each_and_tells_failures() -> None:
    page = table(THREE, "theirs")
    assert "| ours | 2.00 | 1.00 … 3.00 | 3.00 | 220 | 6.0 | 8.7 | 5.0 | 3 |" in page
    assert "| broken | failed: broke" in page


def test_a_result_is_written_whole_with_its_plot(tmp_path: Path) -> None:
    path = published("trial", THREE, reference="theirs", folder=tmp_path, machine={"cores": 2})
    found = json.loads(path.read_text(encoding="utf-8"))
    assert [row["name"] for row in found["rows"]] == ["theirs", "ours", "broken"]
    assert found["rows"][1]["median"]["wall_s"] == 2.0
    assert len(found["rows"][0]["samples"]) == 3
    assert found["machine"] == {"cores": 2}
    assert not list(tmp_path.glob("*.tmp"))
    pytest.importorskip("matplotlib")
    assert (tmp_path / "trial.png").read_bytes().startswith(b"\x89PNG")


def test_bars_of_a_document_are_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    path = tmp_path / "bars.json"
    path.write_text(json.dumps({"bars": {"a": 1.0, "b": 200.0}, "unit": "times"}))
    picture = drawn(path)
    assert picture is not None
    assert picture.stat().st_size > 2000
    path.write_text(json.dumps({"rows": []}))
    assert drawn(path) is None


def test_the_machine_is_described() -> None:
    found = described({"peer": sys.executable}, peak=False)
    assert found["versions"]["peer"]["python"].startswith("3.")  # type: ignore[index]
    assert found["versions"]["tlkeras"]["numpy"]  # type: ignore[index]
    assert json.loads(json.dumps(found)) == found
    assert processor()["processor"]


def test_the_rate_is_that_of_the_quickest_product() -> None:
    import time

    def product() -> None:
        time.sleep(0.01)

    assert 200 < rate(product, 0.1) < 2 * 2048**3 / 0.01 / 1e9 + 1
    rates = {"float32 numpy": 150.0, "float32 torch": 190.0, "bfloat16 torch": 900.0}
    assert best(rates, "float32") == 190.0
    assert best({}, "float32") is None


def test_pictures_of_both_sets_are_put_together_once_each(
    tmp_path: Path, shared_data: Path
) -> None:
    assert put_together(shared_data, tmp_path / "many", 1000) == 1000
    files = sorted((tmp_path / "many").rglob("*.jpg"))
    assert len(files) == 1000
    assert len({path.parent.name for path in files}) == 12
    assert len({path.read_bytes() for path in files}) >= 995  # the sets hold a few copies


def test_parts_share_no_picture_and_follow_the_seed(tmp_path: Path, shared_data: Path) -> None:
    for seed in (0, 0, 1):
        split_apart(shared_data, "cats_dogs", tmp_path / f"{seed}", seed, most=20)
    parts = {
        part: {p.name for p in (tmp_path / "0" / part).rglob("*.jpg")}
        for part in ("train", "val", "test")
    }
    assert [len(names) for names in parts.values()] == [24, 8, 8]
    assert len(set.union(*parts.values())) == 40
    other = {p.name for p in (tmp_path / "1" / "train").rglob("*.jpg")}
    assert other != parts["train"]


def test_a_missing_set_is_told(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="--data"):
        files_of(tmp_path, "cats_dogs")
