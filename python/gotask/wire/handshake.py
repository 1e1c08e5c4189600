"""The shared key of broker and callers, and the proofs by which each shows the other that it has the key.

Each side chooses a nonce; a proof is the HMAC-SHA256, with the key, of the prover's role and both nonces. So a proof is worth
nothing on another connection, and one side's can't be sent back to it. The key itself never travels.
tests/vectors/handshake.json holds golden vectors for this module and for its PHP twin.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping

# Bytes. 16 random ones can't be guessed; `openssl rand -hex 32` makes 64 characters of 32.
MIN_SIZE = 16
MAX_SIZE = 4096

NONCE_SIZE = 32

# The role, which stands before the nonces. It holds the protocol's version, so proofs of a later version differ.
CALLER = b"GoTask.Authenticate 1 caller\n"
BROKER = b"GoTask.Authenticate 1 broker\n"

_MAKE_ONE = "make one with: openssl rand -hex 32"


class Key:
    """Not shown by repr(), not picklable. Line breaks at its end do not count. ValueError: it is too short or too long."""

    __slots__ = ("_bytes",)

    def __init__(self, key: str | bytes, where: str = "the key") -> None:
        given = key.encode("utf-8", "surrogateescape") if isinstance(key, str) else bytes(key)
        given = given.rstrip(b"\r\n")
        if not MIN_SIZE <= len(given) <= MAX_SIZE:
            raise ValueError(
                f"{where} has {len(given)} bytes, and a key has {MIN_SIZE} to {MAX_SIZE}: {_MAKE_ONE}"
            )
        self._bytes = given

    def __repr__(self) -> str:
        return "<Key>"

    def __reduce__(self) -> str:
        raise TypeError("a key is not to be written anywhere")

    def matches(self, given: str) -> bool:
        """Whether that is the key, for peers that can't prove that they have it. All wrong ones take the same time."""
        import hmac

        return hmac.compare_digest(self._bytes, given.encode("utf-8", "surrogateescape"))

    def reveal(self) -> str:
        """The key itself, for a process of ours that is to have it, by a pipe."""
        return self._bytes.decode("utf-8", "surrogateescape")

    def proof(self, role: bytes, caller_nonce: bytes, broker_nonce: bytes) -> str:
        """In hexadecimal. The nonces have NONCE_SIZE bytes each."""
        import hmac

        return hmac.digest(self._bytes, role + caller_nonce + broker_nonce, "sha256").hex()

    def verify(self, proof: object, role: bytes, caller_nonce: bytes, broker_nonce: bytes) -> bool:
        """Whether `proof`, as it came over the wire, is right. All wrong ones take the same time."""
        import hmac

        if not isinstance(proof, str) or not proof.isascii():
            return False
        return hmac.compare_digest(proof, self.proof(role, caller_nonce, broker_nonce))


def parse_nonce(value: object) -> bytes | None:
    """The nonce that came over the wire; None: it is malformed."""
    if (
        not isinstance(value, str)
        or len(value) != 2 * NONCE_SIZE
        or not value.isascii()
        or not value.isalnum()
    ):
        return None
    try:
        return bytes.fromhex(value)
    except ValueError:
        return None


def read_key(path: str) -> Key:
    """The key in a file. ValueError says what is wrong with it."""
    try:
        with open(path, "rb", buffering=0) as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(MAX_SIZE + 3)
    except OSError as error:
        raise ValueError(f"the key file {path} can't be read: {error.strerror}") from None
    if stat.S_IMODE(mode) & 0o007:
        raise ValueError(f"the key file {path} is open to everybody on this machine: chmod o= {path}")
    return Key(content, f"the key in {path}")


def find_key(path: str | None, environment: Mapping[str, str]) -> Key | None:
    """The key in the file, or in the variable GOTASK_KEY; None: neither is given. ValueError says what is wrong."""
    given = environment.get("GOTASK_KEY", "")
    if path and given:
        raise ValueError("a key file and GOTASK_KEY are given: leave one of them out")
    if path:
        return read_key(path)
    return Key(given, "GOTASK_KEY") if given else None
