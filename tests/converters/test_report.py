"""The certificate reads as text, HTML and JSON, and is found again by its model."""

import gc
import json
import weakref
from pathlib import Path

import keras
import pytest

import converters
from converters.errors import ConversionError, ReadError
from converters.parity import Divergence, OutputParity, Parity
from converters.report import Counts, ImportReport, LayerRow, WeightRow, record

GOOD = OutputParity("logits", (2, 10), 1.5e-6, 4.0, 3.75e-7, True, (1, 3))
BAD = OutputParity("<script>", (3, 10), 0.5, 4.0, 0.125, False, (2, 0), False)


def full(*outputs: OutputParity) -> ImportReport:
    """A report with something in every field."""
    first = None if GOOD in outputs else Divergence("n", "Conv", "v", "c", (2, 3), 0.5, 0.1, "u")
    return ImportReport(
        "net.onnx",
        "ONNX",
        Parity(outputs, 1e-5, "ONNX Runtime 1", first),
        Counts(20, 19, 1000, 990, 4, 12, 2, 1, ("Gate",)),
        without_gradient=("gate/kernel",),
        layers=(LayerRow("conv1", "Conv", "/conv1", ("v",), ("conv1.weight",), ((0, 2, 3, 1),)),),
        weights=(
            WeightRow("conv1.weight", "conv1/kernel", (4, 3, 1, 1), (("transpose", (2, 3, 1, 0)),)),
        ),
        input_orders={"x": (0, 2, 3, 1)},
        output_orders={"logits": (0, 1)},
        preprocessing={"mean": "0.5"},
        labels=("cat", "dog", "<b>", "cow"),
        metadata={"author": "A & B"},
        versions={"onnx": "1"},
        warnings=("the batch is & stays",),
        fixed_batch=4,
    )


def test_text_has_every_fact_in_aligned_columns() -> None:
    text = str(full(GOOD))
    for part in ("net.onnx", "19 of 20 trainable", "gate/kernel", "Gate", "fixed at 4", "mean 0.5",
                 "4: cat, dog, <b>, …", "3.8e-07", "the batch is & stays"):  # fmt: skip
        assert part in text, part
    assert "DIFFERS" not in text
    assert "DIFFERS" in str(full(BAD))
    assert "first divergence: Conv 'n'" in str(full(BAD))
    assert all(line == line.rstrip() for line in text.splitlines())


def test_repr_is_one_line_however_large_the_report() -> None:
    report = full(GOOD)
    assert repr(report) == (
        "ImportReport(ONNX net.onnx: agrees with its source, but not every weight can be trained; "
        "19 of 20 weights trainable)"
    )
    assert repr(report.parity) == (
        "Parity(agrees: max rel 3.8e-07, tolerance 1e-05, against ONNX Runtime 1)"
    )
    assert repr(full(BAD).parity).startswith("Parity(DIFFERS: max rel 0.12,")


def test_a_report_without_comparison_says_so() -> None:
    report = ImportReport("net.onnx", "ONNX")
    assert not report.passed
    assert "not compared" in str(report)
    assert "not checked" in str(report)
    assert report._repr_html_().startswith("<div")


def test_parity_in_a_notebook_has_its_verdict_and_its_table() -> None:
    fine = Parity((GOOD,), 1e-5, "A & B")._repr_html_()
    assert "Agrees with A &amp; B" in fine
    assert "<td>3.8e-07</td>" in fine
    bad = Parity((BAD,), 1e-5, "r", full(BAD).parity.first_divergence)._repr_html_()
    assert "DIFFERS from r" in bad
    assert "<script>" not in bad
    assert "First divergence: Conv" in bad


def test_passed_needs_agreement_and_gradients() -> None:
    assert not full(GOOD).passed
    assert ImportReport("a", "b", Parity((GOOD,), 1e-5, "r"), without_gradient=()).passed
    assert not ImportReport("a", "b", Parity((BAD,), 1e-5, "r"), without_gradient=()).passed
    assert not Parity((), 1e-5, "r").passed


@pytest.mark.parametrize("outputs", [(GOOD,), (BAD,), ()])
def test_json_gives_the_same_report_back(outputs: tuple[OutputParity], tmp_path: Path) -> None:
    report = full(*outputs)
    path = report.to_json(tmp_path / "report.json")
    assert ImportReport.from_json(path) == report
    assert json.loads(path.read_text())["passed"] is False
    bare = ImportReport("a", "b")
    assert ImportReport.from_json(bare.to_json(path)) == bare
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.json"]


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": 9}', '{"format": 1}'])
def test_other_json_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(ReadError, match="to_json"):
        ImportReport.from_json(tmp_path / "a.json")


def test_html_is_one_file_that_runs_and_fetches_nothing(tmp_path: Path) -> None:
    page = full(GOOD, BAD).to_html(tmp_path / "r.html").read_text("utf-8")
    assert page.startswith("<!doctype html>")
    assert "<script" not in page
    assert "http://" not in page
    assert "https://" not in page
    for part in ("&lt;script&gt;", "conv1.weight", "transpose [2, 3, 1, 0]", "is &amp; stays"):
        assert part in page, part


def test_report_is_found_by_its_model_and_does_not_keep_it() -> None:
    image = keras.Input((2,))
    model = keras.Model(image, keras.layers.Dense(1)(image))
    with pytest.raises(ConversionError, match="from_json") as caught:
        converters.import_report(model)
    assert isinstance(caught.value, KeyError)
    assert not str(caught.value).startswith(("'", '"'))
    with pytest.raises(ConversionError):
        converters.import_report(None)  # type: ignore[arg-type]
    record(model, full(GOOD))
    assert converters.import_report(model).source == "net.onnx"
    seen = weakref.ref(model)
    del model, image, caught
    keras.backend.clear_session()
    gc.collect()
    assert seen() is None
