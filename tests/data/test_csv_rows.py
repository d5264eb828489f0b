"""Tables as people save them: other encodings, other separators, columns with nothing to do."""

import logging
from pathlib import Path

import numpy as np
import pytest

from tlkeras.data.columns.csv_rows import csv_rows
from tlkeras.data.labelled import list_csv
from tlkeras.errors import DataError

TABLE = "path,label\ncafé/1.jpg,rosé\n2.jpg,blanc\n"


def written(folder: Path, content: bytes) -> Path:
    table = folder / "t.csv"
    table.write_bytes(content)
    return table


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_any_line_end_and_byte_order_mark_is_read(tmp_path, ends, mark):
    table = written(tmp_path, (mark + TABLE).replace("\n", ends).encode())
    assert [row["label"] for _, row in csv_rows(table)] == ["rosé", "blanc"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "latin-1", "cp1252"])
def test_other_encoding_is_refused_with_advice(tmp_path, encoding):
    with pytest.raises(DataError, match=r"(save it as CSV UTF-8|Name them in the first line)"):
        list_csv(written(tmp_path, TABLE.encode(encoding)))


@pytest.mark.parametrize("content", [b"", b"\n", b"\0\0\0", b"\xff\xfe\0", b'path,label\n"a,b'])
def test_no_table_is_refused_in_words(tmp_path, content):
    with pytest.raises(DataError, match=r"t\.csv"):
        list_csv(written(tmp_path, content))


def test_file_name_with_newline_comma_and_quote_is_read(tmp_path):
    table = written(tmp_path, b'path,label\n"a\n,""1"".jpg",cat\nb.jpg,dog\n')
    assert list_csv(table).pictures[0].path == tmp_path / 'a\n,"1".jpg'


def test_unknown_column_is_told_with_what_it_may_be_meant_for(tmp_path, caplog):
    table = written(tmp_path, b"path,label,splits,weather\n1.jpg,cat,train,rain\n2.jpg,dog,test,\n")
    with caplog.at_level(logging.WARNING):
        assert len(list_csv(table)) == 2
    assert "column splits" in caplog.text
    assert "meant for split?" in caplog.text
    assert "column weather" in caplog.text


def test_column_named_twice_is_refused(tmp_path):
    with pytest.raises(DataError, match="got label more than once"):
        list_csv(written(tmp_path, b"path,label,Label\n1.jpg,cat,dog\n"))


def test_short_and_long_rows_are_told_or_read(tmp_path):
    table = written(tmp_path, b"path,label\n1.jpg\n2.jpg,dog,more,and more\n")
    with pytest.raises(DataError, match="line 2: no label"):
        list_csv(table)


def test_spoilt_tables_are_read_or_refused_and_nothing_else(tmp_path):
    rng = np.random.default_rng(3)
    whole = b"path,label,split\n" + b"".join(
        b'"a %d.jpg",%s,train\n' % (row, b"cat" if row % 2 else b"dog") for row in range(20)
    )
    refused = 0
    for _ in range(300):
        content = bytearray(whole)
        for _ in range(int(rng.integers(1, 8))):
            content[int(rng.integers(len(content)))] = int(rng.integers(256))
        try:
            list_csv(written(tmp_path, bytes(content[: int(rng.integers(len(content)))])))
        except DataError:
            refused += 1
    assert 30 < refused < 300
