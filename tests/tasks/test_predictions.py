import numpy as np

from tlkeras.tasks.predictions import Predictions

TABLE = Predictions(
    ("a.jpg", "b.jpg"),
    np.array([[0.1, 0.9], [np.nan, np.nan]], "float32"),
    ("cat", "dog"),
    {1: "empty file"},
)


def test_rows_carry_path_label_score_and_reason() -> None:
    first, second = TABLE
    assert (first.path, first.label, round(first.score, 3)) == ("a.jpg", "dog", 0.9)
    assert (second.path, second.label, second.reason) == ("b.jpg", None, "empty file")


def test_text_shows_unreadable_rows_in_words() -> None:
    assert str(TABLE).splitlines() == ["a.jpg  dog  0.900", "b.jpg  not readable: empty file"]


def test_plain_form_has_no_nan() -> None:
    assert TABLE.to_dict()[1] == {"path": "b.jpg", "label": None, "reason": "empty file"}


def test_notebook_shows_a_table_with_escaped_names() -> None:
    odd = Predictions(("<b>.jpg",), np.array([[0.1, 0.9]], "float32"), ("cat", "d&g"), {})
    page = odd._repr_html_()
    assert "&lt;b&gt;.jpg" in page
    assert "d&amp;g" in page
    assert repr(TABLE) == "Predictions(2 pictures, 1 not readable)"
    assert "not readable: empty file" in TABLE._repr_html_()
