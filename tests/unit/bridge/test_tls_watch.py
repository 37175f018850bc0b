"""Whether certificates on disk are still those that were loaded."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

from kafka_bridge.config import TlsFiles
from kafka_bridge.tls_watch import LOOK_SECONDS, TlsWatch
from support.fake_engine import FakeClock


@pytest.fixture(name="folder")
def certificates(tmp_path: Path) -> Path:
    for name in ("ca.crt", "tls.crt", "tls.key"):
        (tmp_path / name).write_text(f"the first {name}")
    return tmp_path


@pytest.mark.parametrize("name", ["ca.crt", "tls.crt", "tls.key"])
def test_another_file_is_noticed_and_the_old_one_again(folder: Path, name: str) -> None:
    clock = FakeClock()
    watch = TlsWatch([TlsFiles.in_folder(PurePosixPath(folder))], clock)
    clock.advance(LOOK_SECONDS)
    assert not watch.has_changed()
    before = (folder / name).read_text()
    (folder / name).write_text("the second")
    assert not watch.has_changed(), "files are not read at every question"
    clock.advance(LOOK_SECONDS)
    assert watch.has_changed()
    assert watch.has_changed()
    (folder / name).write_text(before)
    clock.advance(LOOK_SECONDS)
    assert not watch.has_changed()


def test_a_file_that_is_away_for_a_moment_tells_nothing(folder: Path) -> None:
    clock = FakeClock()
    watch = TlsWatch([TlsFiles.in_folder(PurePosixPath(folder))], clock)
    (folder / "tls.key").unlink()
    clock.advance(LOOK_SECONDS)
    assert not watch.has_changed()


def test_contents_do_not_move_from_one_file_into_the_next(folder: Path) -> None:
    clock = FakeClock()
    watch = TlsWatch([TlsFiles.in_folder(PurePosixPath(folder))], clock)
    (folder / "tls.crt").write_text("the first tls.crtthe")
    (folder / "tls.key").write_text(" first tls.key")
    clock.advance(LOOK_SECONDS)
    assert watch.has_changed()
