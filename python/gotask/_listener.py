"""The sockets that the broker listens on: made, guarded against a second broker, and removed."""

from __future__ import annotations

import errno
import fcntl
import os
import socket

from ._address import Address, UnixAddress

BACKLOG = 1024


class AddressUnusable(Exception):
    """The text says which address, why, and what to do."""


class Listener:
    """One listening socket. A Unix one has a lock beside it, held as long as the broker lives, and goes with it."""

    def __init__(self, address: Address, mode: int, group: int | None = None) -> None:
        self.address = address
        self._lock = -1
        self._made_directory = False
        self._inode: tuple[int, int] | None = None
        try:
            if isinstance(address, UnixAddress):
                self.socket = self._listen_unix(address, mode, group)
            else:
                self.socket = self._listen_tcp()
        except AddressUnusable:
            self.close()
            raise
        except OSError as error:
            self.close()
            raise AddressUnusable(self._explain(error)) from error

    def close(self) -> None:
        """Takes no more connections and removes what was made: socket, lock, and the directory if it is empty."""
        if hasattr(self, "socket"):
            self.socket.close()
        if not isinstance(self.address, UnixAddress):
            return
        path = self.address.path
        if self._inode is not None and _inode(path) == self._inode:
            _remove(path)
        if self._lock >= 0:
            _remove(f"{path}.lock")
            os.close(self._lock)
            self._lock = -1
        if self._made_directory:
            try:
                os.rmdir(os.path.dirname(path))
            except OSError:
                pass  # somebody else keeps something there

    def _listen_unix(self, address: UnixAddress, mode: int, group: int | None) -> socket.socket:
        path = address.path
        if group is not None:
            mode |= 0o060
        directory = os.path.dirname(path)
        if not os.path.isdir(directory):
            os.makedirs(os.path.dirname(directory), exist_ok=True)
            try:
                os.mkdir(directory, 0o700)
                self._made_directory = True
            except FileExistsError:
                pass
        if mode & 0o077 and self._is_own_directory(directory):
            # Whom the socket is open to must be able to come to it, and to see nothing else.
            if group is not None:
                self._give_to(directory, group)
            os.chmod(directory, 0o700 | (0o010 if mode & 0o070 else 0) | (0o001 if mode & 0o007 else 0))
        self._take_lock(path)
        self._remove_stale(path)
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        mask = os.umask(0o177)
        try:
            listening.bind(path)
        finally:
            os.umask(mask)
        self._inode = _inode(path)
        if group is not None:
            self._give_to(path, group)
        os.chmod(path, mode)
        listening.listen(BACKLOG)
        listening.setblocking(False)
        return listening

    def _listen_tcp(self) -> socket.socket:
        assert not isinstance(self.address, UnixAddress)
        family = socket.AF_INET6 if ":" in self.address.host else socket.AF_INET
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((self.address.host, self.address.port))
        listening.listen(BACKLOG)
        listening.setblocking(False)
        return listening

    def _is_own_directory(self, directory: str) -> bool:
        """Whether it is there for the socket alone, and closed to others. A supervisor may have made it, for its status."""
        assert isinstance(self.address, UnixAddress)
        status = os.stat(directory)
        name = os.path.basename(self.address.path)
        return (
            status.st_uid == os.geteuid()
            and status.st_mode & 0o7777 == 0o700
            and all(entry.startswith(name) for entry in os.listdir(directory))
        )

    def _give_to(self, path: str, group: int) -> None:
        """Raises AddressUnusable."""
        try:
            os.chown(path, -1, group)
        except PermissionError:
            raise AddressUnusable(
                f"{path} can't be given to the group {group}: this user has to be a member of it, or root"
            ) from None

    def _take_lock(self, path: str) -> None:
        while True:
            lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = os.read(lock, 32).decode("ascii", "replace").strip()
                os.close(lock)
                raise AddressUnusable(
                    f"another broker{f' (process {holder})' if holder else ''} serves {self.address}:"
                    " end that one, or use another address"
                ) from None
            if _inode(f"{path}.lock") == (os.fstat(lock).st_dev, os.fstat(lock).st_ino):
                break
            os.close(lock)  # its last holder removed it in between
        os.ftruncate(lock, 0)
        os.write(lock, str(os.getpid()).encode())
        self._lock = lock

    def _remove_stale(self, path: str) -> None:
        """Removes the socket of a broker that was killed; never one that somebody listens on, nor another kind of file."""
        try:
            kind = os.lstat(path).st_mode
        except FileNotFoundError:
            return
        if kind & 0o170000 != 0o140000:
            raise AddressUnusable(f"{path} exists and is no socket: remove it, or use another address")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(1.0)
            try:
                probe.connect(path)
            except (ConnectionRefusedError, FileNotFoundError):
                _remove(path)
                return
            except OSError:
                pass
        raise AddressUnusable(f"another program listens on {path}: end that one, or use another address")

    def _explain(self, error: OSError) -> str:
        reason = os.strerror(error.errno) if isinstance(error.errno, int) and error.errno > 0 else str(error)
        advice = {
            errno.EADDRINUSE: "another program listens there: end that one, or use another port",
            errno.EACCES: "give this user the right to write to its directory, or use another address",
            errno.EROFS: "its file system is read-only: use another address",
            errno.ENOTDIR: "its directory is a file: use another address",
        }.get(error.errno or 0, "use another address")
        return f"{self.address} can't be used: {reason}; {advice}"


def _inode(path: str) -> tuple[int, int] | None:
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass
