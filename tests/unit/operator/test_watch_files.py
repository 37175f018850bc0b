"""A folder's changes are noticed: at once where the kernel tells of them, and by comparison where it does not."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge_operator import watch_files
from bridge_operator.watch_files import FileWatcher, picture_of
from support.stack import wait_until

NEVER = 1000.0
SOON = 0.1


class Watched:
    """A folder with a file in it, and a watcher that counts its changes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.folder.mkdir()
        (self.folder / "orders.yaml").write_text("one")
        self.changes = 0
        self._stopping = threading.Event()
        self._watcher = FileWatcher(folder, self._count)
        self._thread = threading.Thread(target=self._watcher.run, args=(self._stopping,))

    def _count(self) -> None:
        self.changes += 1

    def start(self) -> None:
        """Returns once it listens: a change that is made before then could be in its first picture."""
        self._thread.start()
        wait_until("it listens", lambda: vars(self._watcher)["_observer"] is not None, 5, 0.01)

    def watches(self) -> bool:
        """Whether it listens to the folder that has the name now."""
        return bool(vars(self._watcher)["_watchedInode"] == self.folder.stat().st_ino)

    def end(self) -> None:
        self._stopping.set()
        self._watcher.wake()
        self._thread.join(5)

    def expect(self, changes: int) -> None:
        wait_until(f"{changes} changes were noticed", lambda: self.changes >= changes, 5, 0.02)
        threading.Event().wait(watch_files.SETTLE_SECONDS)
        assert self.changes == changes


@pytest.fixture(name="watched")
def watched_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    monkeypatch.setattr(watch_files, "COMPARE_SECONDS", NEVER)
    monkeypatch.setattr(watch_files, "SETTLE_SECONDS", 0.05)
    watched = Watched(tmp_path / "manifests")
    yield watched
    watched.end()


def test_the_kernel_tells_at_once(watched: Watched) -> None:
    watched.start()
    (watched.folder / "team").mkdir()
    (watched.folder / "team" / "bills.yaml").write_text("new")
    watched.expect(1)
    (watched.folder / "orders.yaml").write_text("changed")
    watched.expect(2)
    (watched.folder / "orders.yaml").unlink()
    watched.expect(3)


def test_an_editor_that_saves_makes_one_change(watched: Watched) -> None:
    watched.start()
    for number in range(20):
        (watched.folder / ".orders.yaml.swp").write_text(str(number))
        (watched.folder / "orders.yaml.new").write_text(f"version {number}")
        (watched.folder / "orders.yaml.new").rename(watched.folder / "orders.yaml")
    watched.expect(1)


def test_reading_is_no_change(watched: Watched) -> None:
    watched.start()
    (watched.folder / "orders.yaml").read_text()
    (watched.folder / "orders.yaml").write_text("one more")
    watched.expect(1)


@pytest.mark.parametrize("change", ["edited", "replaced"])
def test_a_change_behind_a_link_is_noticed_by_comparison(
    watched: Watched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    monkeypatch.setattr(watch_files, "COMPARE_SECONDS", SOON)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "bills.yaml").write_text("before")
    (watched.folder / "team").symlink_to(elsewhere)
    watched.start()
    if change == "replaced":
        elsewhere.rename(tmp_path / "former")
        elsewhere.mkdir()
    (elsewhere / "bills.yaml").write_text("after it")
    wait_until("it was noticed", lambda: watched.changes, 5, 0.02)


def test_a_folder_that_takes_its_place_is_watched_instead(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_files, "COMPARE_SECONDS", SOON)
    watched.start()
    watched.folder.rename(watched.folder.with_name("former"))
    wait_until("it is missed", lambda: watched.changes, 5, 0.02)
    watched.folder.mkdir()
    monkeypatch.setattr(watch_files, "COMPARE_SECONDS", NEVER)
    wait_until("the new one is watched", watched.watches, 5, 0.02)
    seen = watched.changes
    (watched.folder / "orders.yaml").write_text("anew")
    wait_until("its change is noticed", lambda: watched.changes > seen, 5, 0.02)


def test_a_circle_of_links_is_one_picture(tmp_path: Path) -> None:
    (tmp_path / "orders.yaml").write_text("one")
    (tmp_path / "again").symlink_to(tmp_path)
    assert [Path(path).name for path in picture_of(tmp_path)] == ["orders.yaml"]


def test_a_folder_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert picture_of(tmp_path / "none") == {}
