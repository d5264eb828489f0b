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


STRANGE = Predictions(
    ("a.jpg", "b.jpg", "c.jpg"),
    np.array([[0.1, 0.9], [0.2, 0.8], [np.nan, np.nan]], "float32"),
    ("cat", "dog"),
    {2: "empty file"},
    np.array([0.5, 1.25, np.nan], "float32"),
)


def test_rows_say_which_pictures_are_unlike_the_training_pictures() -> None:
    assert STRANGE.unknown.tolist() == [False, True, False]
    assert [row.unknown for row in STRANGE] == [False, True, False]
    assert [row.unknown_score for row in STRANGE] == [0.5, 1.25, None]
    lines = str(STRANGE).splitlines()
    assert lines[0] == "a.jpg  dog  0.900"
    note = "unlike the training pictures (unknown score 1.25)"
    assert lines[1] == f"b.jpg  dog  0.800  {note}"
    assert STRANGE._repr_html_().count(note) == 1


def test_plain_form_has_the_unknown_score_where_there_is_one() -> None:
    first, second, third = STRANGE.to_dict()
    assert (first["unknown_score"], first["unknown"]) == (0.5, False)
    assert second["unknown"] is True
    assert "unknown" not in third
    assert "unknown" not in TABLE.to_dict()[0]


def test_classifier_without_a_score_knows_nothing_of_the_unknown() -> None:
    assert np.isnan(TABLE.unknown_scores).all()
    assert TABLE.unknown.tolist() == [False, False]
    assert TABLE[0].unknown_score is None


def test_notebook_shows_a_table_with_escaped_names() -> None:
    odd = Predictions(("<b>.jpg",), np.array([[0.1, 0.9]], "float32"), ("cat", "d&g"), {})
    page = odd._repr_html_()
    assert "&lt;b&gt;.jpg" in page
    assert "d&amp;g" in page
    assert repr(TABLE) == "Predictions(2 pictures, 1 not readable)"
    assert "not readable: empty file" in TABLE._repr_html_()
