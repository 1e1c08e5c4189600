"""The shared key: what it takes to have one, and the proofs that the PHP side has to agree with."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path
from typing import Any

import pytest

from gotask.wire.handshake import BROKER, CALLER, Key, find_key, parse_nonce, read_key

VECTORS: list[dict[str, str]] = json.loads(
    (Path(__file__).parents[2] / "tests" / "vectors" / "handshake.json").read_text("utf-8")
)
KEY = "0123456789abcdef" * 2


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: str(vector["name"]))
def test_proofs_are_those_of_the_vectors(vector: dict[str, str]) -> None:
    key = Key(bytes.fromhex(vector["key_hex"]))
    nonces = [parse_nonce(vector[name]) for name in ("caller_nonce", "broker_nonce")]
    assert nonces[0] is not None and nonces[1] is not None
    assert key.proof(CALLER, nonces[0], nonces[1]) == vector["caller_proof"]
    assert key.proof(BROKER, nonces[0], nonces[1]) == vector["broker_proof"]
    assert key.verify(vector["broker_proof"], BROKER, nonces[0], nonces[1])
    assert not key.verify(vector["caller_proof"], BROKER, nonces[0], nonces[1]), "one's own proof sent back"


@pytest.mark.parametrize("proof", [None, 1, "", "é" * 64, b"x", [], "0" * 64, "0" * 63])
def test_what_is_no_proof_is_refused(proof: Any) -> None:
    assert not Key(KEY).verify(proof, CALLER, bytes(32), bytes(32))


@pytest.mark.parametrize("nonce", [None, 1, "", "00", "0" * 63, "zz" * 32, "é" * 64, " 0" * 32, "00" * 33])
def test_what_is_no_nonce_is_refused(nonce: Any) -> None:
    assert parse_nonce(nonce) is None


@pytest.mark.parametrize("key", ["", "x" * 15, "x" * 4097])
def test_a_key_that_can_be_guessed_or_is_none_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="16 to 4096"):
        Key(key)


def test_a_key_does_not_show_itself() -> None:
    key = Key(KEY)
    assert KEY not in f"{key!r} {key} {vars(type(key))}"
    with pytest.raises(TypeError):
        pickle.dumps(key)
    with pytest.raises(ValueError) as caught:
        Key("short secret")
    assert "short secret" not in str(caught.value)


@pytest.mark.parametrize("key", [KEY + "\n", KEY + "\r\n", (KEY + "\n").encode()])
def test_a_key_that_was_read_from_a_file_fits_with_its_line_break(key: str | bytes) -> None:
    assert Key(key).proof(CALLER, bytes(32), bytes(32)) == Key(KEY).proof(CALLER, bytes(32), bytes(32))


def test_a_file_is_read_without_its_line_break(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.touch(0o600)
    path.write_text(KEY + "\n")
    proof = Key(KEY).proof(CALLER, bytes(32), bytes(32))
    assert read_key(str(path)).proof(CALLER, bytes(32), bytes(32)) == proof
    found = find_key(None, {"GOTASK_KEY": KEY})
    assert found is not None and found.proof(CALLER, bytes(32), bytes(32)) == proof
    assert find_key(None, {}) is None
    with pytest.raises(ValueError, match="leave one"):
        find_key(str(path), {"GOTASK_KEY": KEY})


@pytest.mark.parametrize(("mode", "fits"), [(0o600, True), (0o440, True), (0o604, False), (0o602, False)])
def test_a_file_that_everybody_can_read_is_refused(tmp_path: Path, mode: int, fits: bool) -> None:
    path = tmp_path / "key"
    path.write_text(KEY)
    os.chmod(path, mode)
    if fits:
        read_key(str(path))
    else:
        with pytest.raises(ValueError, match="chmod o= "):
            read_key(str(path))


def test_a_file_that_is_not_there_or_is_a_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nowhere can't be read: No such file"):
        read_key(str(tmp_path / "nowhere"))
    tmp_path.chmod(0o700)
    with pytest.raises(ValueError, match="can't be read: Is a directory"):
        read_key(str(tmp_path))
