"""For any correction: what is written is read, and what is taken back is as if it never was."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tlkeras.data.corrections.journal import (
    JOURNAL_NAME,
    Correction,
    append,
    drop_last,
    read_journal,
)

# File and class names as systems allow them: any text, bytes that are no UTF-8 among it.
TEXT = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0")
    | st.sampled_from("\udc80\udcff,;\t\"'\n\r"),
    max_size=12,
)
NAMES = TEXT.filter(lambda name: bool(name) and not name.startswith("./"))
CORRECTIONS = st.builds(
    Correction,
    time=st.just("2026-01-31T09:15:00Z"),
    path=NAMES,
    label=st.none() | NAMES,
    was=st.none() | NAMES,
    reason=TEXT,
)


@given(st.lists(CORRECTIONS, min_size=1, max_size=6))
def test_what_is_written_is_read(tmp_path: Path, corrections: list[Correction]) -> None:
    (tmp_path / JOURNAL_NAME).unlink(missing_ok=True)
    append(tmp_path, corrections)
    found = read_journal(tmp_path)
    assert list(found.corrections) == corrections
    assert not found.broken
    assert not found.foreign


@given(st.lists(CORRECTIONS, min_size=1, max_size=4), st.lists(CORRECTIONS, min_size=1, max_size=3))
def test_what_is_taken_back_is_as_if_it_never_was(
    tmp_path: Path, kept: list[Correction], undone: list[Correction]
) -> None:
    (tmp_path / JOURNAL_NAME).unlink(missing_ok=True)
    append(tmp_path, kept)
    before = (tmp_path / JOURNAL_NAME).read_bytes()
    append(tmp_path, undone)
    drop_last(tmp_path, len(undone))
    assert (tmp_path / JOURNAL_NAME).read_bytes() == before


@given(st.binary(max_size=300))
def test_any_bytes_are_a_journal_or_somebody_elses_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / JOURNAL_NAME).write_bytes(content)
    found = read_journal(tmp_path)
    assert found.foreign or found.corrections or found.broken or content.count(b"\n") <= 300
