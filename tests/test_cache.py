from pathlib import Path

from tlkeras.cache import cache_folder


def test_environment_variable_is_followed(monkeypatch, tmp_path):
    monkeypatch.setenv("TLKERAS_CACHE", str(tmp_path / "here"))
    assert cache_folder() == tmp_path / "here"


def test_folder_is_named_but_not_made(monkeypatch, tmp_path):
    monkeypatch.setenv("TLKERAS_CACHE", str(tmp_path / "here"))
    assert not cache_folder().exists()


def test_linux_follows_xdg(monkeypatch, tmp_path):
    monkeypatch.delenv("TLKERAS_CACHE", raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "tlkeras"
    monkeypatch.setenv("XDG_CACHE_HOME", "not/absolute")
    assert cache_folder() == Path.home() / ".cache" / "tlkeras"


def test_mac_and_windows_have_their_own_places(monkeypatch, tmp_path):
    monkeypatch.delenv("TLKERAS_CACHE", raising=False)
    monkeypatch.setattr("sys.platform", "darwin")
    assert cache_folder() == Path.home() / "Library" / "Caches" / "tlkeras"
    monkeypatch.setattr("sys.platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    assert cache_folder() == tmp_path / "tlkeras"
