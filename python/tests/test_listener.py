"""The file of a Unix socket, its lock and its folder: whose they must be, and what happens when somebody removes them."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from gotask.broker.listener import AddressUnusable, Listener
from gotask.wire.address import UnixAddress

from .peer import APPS, PACKAGE, BrokerProcess, Peer

NOBODY = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to another user")


def listen(path: Path, mode: int = 0o600, group: int | None = None) -> Listener:
    return Listener(UnixAddress(str(path)), mode, group)


def connects(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as caller:
        try:
            caller.connect(str(path))
        except OSError:
            return False
    return True


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    folder.mkdir(0o700)
    return folder / "b.sock"


@as_root
def test_a_folder_of_another_user_is_refused(path: Path) -> None:
    os.chown(path.parent, NOBODY, NOBODY)
    with pytest.raises(AddressUnusable, match="belongs to another user.*chown"):
        listen(path, 0o666)
    assert list(path.parent.iterdir()) == [] and stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@as_root
def test_a_folder_that_another_user_has_put_a_link_for_is_refused(path: Path) -> None:
    link = path.parents[1] / "link"
    link.symlink_to(path.parent)
    listen(link / path.name).close()
    os.lchown(link, NOBODY, NOBODY)
    with pytest.raises(AddressUnusable, match="belongs to another user"):
        listen(link / path.name, 0o666)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize(("mode", "is_fit"), [(0o777, False), (0o1777, True), (0o775, True), (0o755, True)])
def test_a_folder_that_everybody_can_write_to_is_refused(path: Path, mode: int, is_fit: bool) -> None:
    path.parent.chmod(mode)
    if is_fit:
        listen(path).close()
        return
    with pytest.raises(AddressUnusable, match="can be written to by everybody.*chmod go-w"):
        listen(path)
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize("kind", ["symlink", "dangling", "hard link", "folder", "fifo", "other user's"])
def test_a_lock_that_is_no_file_of_our_own_is_refused_and_not_touched(
    path: Path, tmp_path: Path, kind: str
) -> None:
    lock, victim = Path(f"{path}.lock"), tmp_path / "victim"
    if kind != "dangling":
        victim.write_text("precious")
    if kind in ("symlink", "dangling"):
        lock.symlink_to(victim)
    elif kind == "hard link":
        lock.hardlink_to(victim)
    elif kind == "folder":
        lock.mkdir()
    elif kind == "fifo":
        os.mkfifo(lock)
    else:
        if os.geteuid() != 0:
            pytest.skip("only root can give files to another user")
        lock.touch()
        os.chown(lock, NOBODY, NOBODY)
    with pytest.raises(AddressUnusable, match="no lock that this user.*remove it"):
        listen(path)
    assert victim.exists() is (kind != "dangling")
    assert kind == "dangling" or victim.read_text() == "precious"
    assert not path.exists()


@pytest.mark.parametrize("mode", [0o600, 0o660, 0o666, 0o640])
def test_the_socket_has_its_mode_whatever_the_umask(path: Path, mode: int) -> None:
    before = os.umask(0o777)
    try:
        listener = listen(path, mode)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == mode
    listener.close()


def test_folders_that_are_made_are_not_open_to_others_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        listener = listen(tmp_path / "a" / "b" / "c.sock")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o755
    assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o700
    listener.close()
    assert not (tmp_path / "a" / "b").exists()


def test_nothing_is_removed_that_another_program_has_put_there(path: Path) -> None:
    listener = listen(path)
    path.unlink()
    other = socket.socket(socket.AF_UNIX)
    other.bind(str(path))
    Path(f"{path}.lock").unlink()
    Path(f"{path}.lock").write_text("another's")
    listener.close()
    assert path.exists() and Path(f"{path}.lock").read_text() == "another's"
    other.close()


# -- removed while it serves --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gone", ["socket", "lock", "both", "folder", "folder above"])
def test_what_was_removed_is_made_again(tmp_path: Path, gone: str) -> None:
    path = tmp_path / "runtime" / "gotask" / "b.sock"
    listener = listen(path, 0o660)
    assert listener.is_there()
    if gone.startswith("folder"):
        shutil.rmtree(path.parent if gone == "folder" else path.parents[1])
    if gone in ("socket", "both"):
        path.unlink()
    if gone in ("lock", "both"):
        Path(f"{path}.lock").unlink()
    assert listener.is_there() is (gone == "lock")
    if gone == "lock":
        path.unlink()
    before = listener.socket
    listener.listen_again()
    before.close()
    assert listener.is_there() and connects(path) and stat.S_IMODE(path.stat().st_mode) == 0o660
    with pytest.raises(AddressUnusable, match=f"another broker .process {os.getpid()}. serves"):
        listen(path)
    assert connects(path)
    listener.close()
    assert not path.exists() and not Path(f"{path}.lock").exists()


def test_the_path_of_another_broker_is_not_taken_back(path: Path) -> None:
    first = listen(path)
    shutil.rmtree(path.parent)
    second = listen(path)
    assert not first.is_there()
    for _ in range(2):
        with pytest.raises(AddressUnusable, match="another broker"):
            first.listen_again()
        assert not first.is_there()
    first.close()
    assert second.is_there() and connects(path)
    second.close()
    assert not path.parent.exists()


def test_what_can_not_be_made_again_now_is_made_later(tmp_path: Path) -> None:
    path = tmp_path / "runtime" / "b.sock"
    listener = listen(path)
    shutil.rmtree(path.parent)
    path.parent.touch()
    with pytest.raises(AddressUnusable, match="its directory is a file"):
        listener.listen_again()
    path.parent.unlink()
    path.parent.mkdir(0o700)
    path.touch()
    with pytest.raises(AddressUnusable, match="is no socket"):
        listener.listen_again()
    assert not listener.is_there()
    path.unlink()
    before = listener.socket
    listener.listen_again()
    before.close()
    assert listener.is_there() and connects(path)
    listener.close()


def test_a_broker_whose_folder_is_removed_is_reachable_again(tmp_path: Path) -> None:
    folder = tmp_path / "runtime"
    address = f"unix://{folder}/gotask/b.sock"
    broker = BrokerProcess(APPS / "calls.py", address=address)
    try:
        broker.wait_for("ready")
        before = Peer(address)
        shutil.rmtree(folder)
        broker.logged("was removed by somebody")
        assert Peer(address).call("App.hi", "again") == {"hello": "again"}
        assert before.call("App.hi", "still") == {"hello": "still"}
    finally:
        assert broker.end() == 0
    assert not (folder / "gotask").exists()


@as_root
def test_a_user_number_above_two_to_the_31_is_one() -> None:
    uid = 3_000_000_000
    program = (
        "import os, socket\nfrom gotask.broker import access\n"
        f"os.setgroups([]); os.setgid({uid}); os.setuid({uid})\n"
        "found = access.credentials_of(socket.socketpair()[0])\n"
        "print(found.uid, access.Access(uids=access.allowed_uids(None, 0o600, None)).admits(found))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=PACKAGE, capture_output=True, text=True, timeout=60
    )
    assert ended.stdout == f"{uid} True\n", ended.stderr
