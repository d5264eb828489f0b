import stat
import struct
import zipfile
from pathlib import Path

import pytest

from converters import ReadError, UnsafeFileError
from converters.doors.archives import check_archive


def archive(path: Path, *members: str | zipfile.ZipInfo, packed: bool = False) -> Path:
    method = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "w", method) as file:
        for member in members:
            file.writestr(member, b"content")
    return path


def refused(path: Path) -> str:
    with pytest.raises(UnsafeFileError) as caught:
        check_archive(path, path.name)
    return str(caught.value)


def test_plain_archive_gives_its_members(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", "config.json", "assets/a.txt")
    assert [m.filename for m in check_archive(path, "a")] == ["config.json", "assets/a.txt"]


def test_archive_in_the_large_form_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as file, file.open("one", "w", force_zip64=True) as member:
        member.write(b"content")
    content = path.read_bytes()
    end = content.rindex(b"PK\x05\x06")
    _, _, _, _, count, length, offset, _ = struct.unpack("<4s4H2LH", content[end:])
    whole = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, length, offset)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, end, 1)
    path.write_bytes(content[:end] + whole + locator + content[end:])
    assert [member.filename for member in check_archive(path, "a")] == ["one"]


@pytest.mark.parametrize(
    "name", ["../a", "/etc/a", "a/../../b", "C:/a", "a\\..\\b", "..", "\\\\host\\a"]
)
def test_member_that_leads_outside_is_refused(name: str, tmp_path: Path) -> None:
    member = zipfile.ZipInfo("placeholder")
    member.filename = name
    assert "written or read elsewhere" in refused(archive(tmp_path / "a.zip", member))


def test_symbolic_link_is_refused(tmp_path: Path) -> None:
    member = zipfile.ZipInfo("link")
    member.external_attr = (stat.S_IFLNK | 0o777) << 16
    assert "'link'" in refused(archive(tmp_path / "a.zip", member))


@pytest.mark.parametrize("second", ["config.json", "CONFIG.json"])
def test_one_name_twice_is_refused(second: str, tmp_path: Path) -> None:
    """libtorch takes the first of two, and no notice of case; Python takes the last."""
    path = archive(tmp_path / "a.zip", "config.json")
    with zipfile.ZipFile(path, "a") as file:
        if second == "config.json":
            with pytest.warns(UserWarning, match="Duplicate"):
                file.writestr(second, b"other")
        else:
            file.writestr(second, b"other")
    assert "twice" in refused(path)


@pytest.mark.parametrize("where", ["front", "behind"])
def test_two_files_in_one_are_refused(where: str, tmp_path: Path) -> None:
    """A pickle in front of an archive is a pickle to torch, and an archive to Python."""
    path = archive(tmp_path / "a.zip", "config.json")
    content = path.read_bytes()
    path.write_bytes(b"junk" + content if where == "front" else content + b"junk")
    assert zipfile.is_zipfile(path)
    with pytest.raises(ReadError, match="nothing before or behind it"):
        check_archive(path, "a")


def test_comment_with_a_second_directory_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", "config.json")
    with zipfile.ZipFile(path, "a") as file:
        file.comment = b"PK\x01\x02 another directory"
    with pytest.raises(ReadError, match="nothing before or behind it"):
        check_archive(path, "a")


def test_archive_that_grows_beyond_measure_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a", b"\0" * 3_000_000)
    assert len(check_archive(path, "a")) == 1
    with pytest.raises(UnsafeFileError, match=r"grow from .* to 3,000,000 bytes"):
        check_archive(path, "a", growth=20, free_bytes=1000)


def test_members_over_one_another_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("a", b"content" * 100)
        first = file.infolist()[0]
        twin = zipfile.ZipInfo("b")
        for field in ("CRC", "compress_size", "file_size", "header_offset"):
            setattr(twin, field, getattr(first, field))
        file.filelist.append(twin)
    assert "over one another" in refused(path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"PK\x03\x04" + b"\0" * 60, b"hello"])
def test_no_archive_is_told(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(ReadError, match=r"broken archive a.*download or save it again"):
        check_archive(tmp_path / "a.zip", "a")
