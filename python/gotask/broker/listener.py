"""The sockets that the broker listens on: made, guarded against a second broker, made again where somebody removed them.

A Unix socket is a file in a folder. The folder is opened once, and what is in it is reached through that descriptor and never
through a symbolic link: so nobody else can make the broker touch another file.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat

from ..wire.address import Address, UnixAddress

BACKLOG = 1024

# A lock that its last holder removed is taken anew; who removes it so often is no broker.
_ATTEMPTS = 100

# To hold a folder, or a file, without opening it; where the system has no such thing, a folder is opened to be read.
_PATH = getattr(os, "O_PATH", os.O_RDONLY)


class AddressUnusable(Exception):
    """The text says which address, why, and what to do."""


class Listener:
    """One listening socket. A Unix one has a lock beside it, held as long as the broker lives, and goes with it."""

    def __init__(
        self,
        address: Address,
        mode: int,
        group: int | None = None,
        kind: socket.SocketKind = socket.SOCK_STREAM,
    ) -> None:
        self.address = address
        self._kind = kind
        self._mode = mode if group is None else mode | 0o060
        self._group = group
        self._directory = -1
        self._lock = -1
        self._made_directory = False
        self._inode: tuple[int, int] | None = None
        try:
            self._listen()
        except AddressUnusable:
            self.close()
            raise

    def is_there(self) -> bool:
        """Whether callers find it: nobody has removed or replaced the file, or a folder above it."""
        if not isinstance(self.address, UnixAddress):
            return True
        return self._inode is not None and _inode(self.address.path) == self._inode

    def listen_again(self) -> None:
        """Makes the file anew, and `socket` another one; the former one is the caller's to close. AddressUnusable: it can't be,
        or another broker serves there by now."""
        self._listen()

    def close(self) -> None:
        """Takes no more connections and removes what was made: socket, lock, and the directory if it is empty."""
        if hasattr(self, "socket"):
            self.socket.close()
        if isinstance(self.address, UnixAddress) and self._directory >= 0:
            directory = os.path.dirname(self.address.path)
            is_same = _inode(directory, follow=True) == _identity(self._directory)
            self._leave_directory()
            if self._made_directory and is_same:
                try:
                    os.rmdir(directory)
                except OSError:
                    pass  # somebody else keeps something there

    def _listen(self) -> None:
        try:
            if isinstance(self.address, UnixAddress):
                self.socket = self._listen_unix(self.address.path)
            else:
                self.socket = self._listen_tcp()
        except OSError as error:
            raise AddressUnusable(self._explain(error)) from error

    def _listen_unix(self, path: str) -> socket.socket:
        directory = self._open_directory(os.path.dirname(path))
        try:
            lock = self._take_lock(directory)
        except BaseException:
            os.close(directory)
            raise
        if lock == self._lock:
            self._lock = -1  # it stays
        self._leave_directory()
        self._directory, self._lock = directory, lock
        self._open_to_callers(directory)
        self._remove_stale(path)
        listening = socket.socket(socket.AF_UNIX, self._kind)
        # Made with its mode, so that there is no moment in which it has another.
        mask = os.umask(0o177 if self._group is not None else 0o777 & ~self._mode)
        try:
            listening.bind(path)
            self._check_bound(path)
            listening.listen(BACKLOG)
            listening.setblocking(False)
        except BaseException:
            listening.close()
            raise
        finally:
            os.umask(mask)
        return listening

    def _open_directory(self, directory: str) -> int:
        """The folder's descriptor. It is made if it is not there; it must be one that nobody else can change."""
        if not os.path.isdir(directory):
            mask = os.umask(0o077)
            os.umask(mask | 0o022)
            try:
                os.makedirs(os.path.dirname(directory), exist_ok=True)
                os.mkdir(directory, 0o700)
                self._made_directory = True
            except FileExistsError:
                pass
            finally:
                os.umask(mask)
        opened = os.open(directory, _PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        status = os.fstat(opened)
        reason = ""
        if os.lstat(directory).st_uid not in (0, os.geteuid()) or status.st_uid not in (0, os.geteuid()):
            reason = "belongs to another user, who could replace the socket"
        elif status.st_mode & stat.S_IWOTH and not status.st_mode & stat.S_ISVTX:
            reason = "can be written to by everybody, who could replace the socket"
        if reason:
            os.close(opened)
            raise AddressUnusable(
                f"{self.address} can't be used: its directory {reason}; use one that is this user's ({os.geteuid()}) own:"
                f" chown {os.geteuid()} {directory} && chmod go-w {directory}, or another address"
            )
        return opened

    def _open_to_callers(self, directory: int) -> None:
        """Whom the socket is open to must be able to come to it, and to see nothing else. Only a directory that is there for
        the socket alone, and closed to others, is changed; a supervisor may have made it, for its status."""
        assert isinstance(self.address, UnixAddress)
        status = os.fstat(directory)
        if not self._mode & 0o077 or status.st_uid != os.geteuid() or status.st_mode & 0o7777 != 0o700:
            return
        name = os.path.basename(self.address.path)
        opened = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=directory)
        try:
            if not all(entry.startswith(name) for entry in os.listdir(opened)):
                return
            if self._group is not None:
                self._give_to(opened, self._group)
            mode = 0o700 | (0o010 if self._mode & 0o070 else 0) | (0o001 if self._mode & 0o007 else 0)
            os.chmod(opened, mode)
        finally:
            os.close(opened)

    def _check_bound(self, path: str) -> None:
        """Makes sure that what was bound is in the folder that we hold, and gives it its group."""
        name = os.path.basename(path)
        status = os.stat(name, dir_fd=self._directory, follow_symlinks=False)
        identity = status.st_dev, status.st_ino
        if not stat.S_ISSOCK(status.st_mode) or status.st_uid != os.geteuid() or _inode(path) != identity:
            raise AddressUnusable(f"{self.address} can't be used: its directory was replaced meanwhile")
        self._inode = identity
        if self._group is not None:
            if not hasattr(os, "O_PATH"):
                self._give_to(name, self._group, self._directory)
                os.chmod(name, self._mode, dir_fd=self._directory, follow_symlinks=False)
                return
            held = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._directory)
            try:
                if _identity(held) != identity:
                    raise AddressUnusable(f"{self.address} can't be used: it was replaced meanwhile")
                self._give_to(f"/proc/self/fd/{held}", self._group)
                os.chmod(f"/proc/self/fd/{held}", self._mode)
            finally:
                os.close(held)

    def _listen_tcp(self) -> socket.socket:
        assert not isinstance(self.address, UnixAddress)
        family = socket.AF_INET6 if ":" in self.address.host else socket.AF_INET
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((self.address.host, self.address.port))
        listening.listen(BACKLOG)
        listening.setblocking(False)
        return listening

    def _give_to(self, file: str | int, group: int, directory: int | None = None) -> None:
        """Raises AddressUnusable."""
        try:
            if directory is None:
                os.chown(file, -1, group)
            else:
                os.chown(file, -1, group, dir_fd=directory, follow_symlinks=False)
        except PermissionError:
            raise AddressUnusable(
                f"{self.address} can't be given to the group {group}: this user has to be a member of it, or root"
            ) from None

    def _take_lock(self, directory: int) -> int:
        """The lock's descriptor; the one that is held already, if it is that file."""
        assert isinstance(self.address, UnixAddress)
        file = f"{self.address.path}.lock"
        name = os.path.basename(file)
        for _ in range(_ATTEMPTS):
            if self._lock >= 0 and _inode(name, directory) == _identity(self._lock):
                return self._lock
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
            try:
                lock = os.open(name, flags, 0o600, dir_fd=directory)
            except OSError:
                if _inode(name, directory) is None:
                    raise
                raise self._no_lock(file) from None
            status = os.fstat(lock)
            if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1 or status.st_uid != os.geteuid():
                os.close(lock)
                raise self._no_lock(file)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = os.read(lock, 32).decode("ascii", "replace").strip()
                os.close(lock)
                raise AddressUnusable(
                    f"another broker{f' (process {holder})' if holder.isdigit() else ''} serves {self.address}:"
                    " end that one, or use another address"
                ) from None
            if _inode(name, directory) == _identity(lock):
                os.ftruncate(lock, 0)
                os.write(lock, str(os.getpid()).encode())
                return lock
            os.close(lock)  # its last holder removed it in between
        raise AddressUnusable(f"{file} is removed again and again by somebody: use another address")

    def _no_lock(self, file: str) -> AddressUnusable:
        return AddressUnusable(
            f"{file} is there and is no lock that this user ({os.geteuid()}) has made: remove it, or use another address"
        )

    def _remove_stale(self, path: str) -> None:
        """Removes the socket of a broker that was killed; never one that somebody listens on, nor another kind of file."""
        name = os.path.basename(path)
        try:
            kind = os.stat(name, dir_fd=self._directory, follow_symlinks=False).st_mode
        except FileNotFoundError:
            return
        if not stat.S_ISSOCK(kind):
            raise AddressUnusable(f"{path} exists and is no socket: remove it, or use another address")
        with socket.socket(socket.AF_UNIX, self._kind) as probe:
            probe.settimeout(1.0)
            try:
                probe.connect(path)
            except (ConnectionRefusedError, FileNotFoundError):
                os.unlink(name, dir_fd=self._directory)
                return
            except OSError:
                pass
        raise AddressUnusable(f"another program listens on {path}: end that one, or use another address")

    def _leave_directory(self) -> None:
        """Removes what is ours in the folder that is held, and lets go of it."""
        if self._directory < 0 or not isinstance(self.address, UnixAddress):
            return
        name = os.path.basename(self.address.path)
        if self._inode is not None and _inode(name, self._directory) == self._inode:
            _remove(name, self._directory)
        self._inode = None
        if self._lock >= 0:
            if _inode(f"{name}.lock", self._directory) == _identity(self._lock):
                _remove(f"{name}.lock", self._directory)
            os.close(self._lock)
        os.close(self._directory)
        self._directory = self._lock = -1

    def _explain(self, error: OSError) -> str:
        reason = os.strerror(error.errno) if isinstance(error.errno, int) and error.errno > 0 else str(error)
        advice = {
            errno.EADDRINUSE: "another program listens there: end that one, or use another port",
            errno.EACCES: "give this user the right to write to its directory, or use another address",
            errno.EROFS: "its file system is read-only: use another address",
            errno.ENOTDIR: "its directory is a file: use another address",
        }.get(error.errno or 0, "use another address")
        return f"{self.address} can't be used: {reason}; {advice}"


def _inode(path: str, directory: int | None = None, follow: bool = False) -> tuple[int, int] | None:
    try:
        status = os.stat(path, dir_fd=directory, follow_symlinks=follow)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _identity(descriptor: int) -> tuple[int, int]:
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino


def _remove(name: str, directory: int) -> None:
    try:
        os.unlink(name, dir_fd=directory)
    except OSError:
        pass
