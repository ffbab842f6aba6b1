"""How files of the disk cache are encrypted, and named so that names tell nothing.

One key belongs to the folder. Each file has a key of its own, derived with a random salt, under which the parts of the
file are sealed with AES-256-GCM and a counter as nonce: no pair of key and nonce is ever used twice, and no part can be
changed, left out, moved or taken from another file.
"""

import hashlib
import hmac
import os
from collections.abc import Iterator
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from modules.backends.kv.disk.folder import KEY_BYTES

SALT_BYTES: Final = 32
TAG_BYTES: Final = 16
# Sealing so much takes a tenth of a millisecond: other threads of the process wait no longer.
PART_BYTES: Final = 2**18
_NONCE_BYTES: Final = 12
_NAME_CHARACTERS: Final = 32


class Damaged(Exception):
    """A file is not what was written under its name."""


class Cipher:
    """Seals and opens with the `key` of a folder."""

    def __init__(self, key: bytes) -> None:
        self.key = key
        self._name_key = _derived(key, b"", b"names")

    def name(self, *parts: bytes) -> str:
        """The same for the same parts and the same key; without the key it tells nothing of them."""
        digest = hmac.new(self._name_key, digestmod=hashlib.sha256)
        for part in parts:
            digest.update(len(part).to_bytes(8, "little") + part)
        return digest.hexdigest()[:_NAME_CHARACTERS]

    def begin(self, name: str, salt: bytes | None = None) -> "FileCipher":
        """For the file of that name: a new one, or the one with that `salt`."""
        salt = os.urandom(SALT_BYTES) if salt is None else salt
        return FileCipher(AESGCM(_derived(self.key, salt, b"file")), salt, name.encode())


class FileCipher:
    """Seals or opens the parts of one file, each by its number; part 0 is its head."""

    def __init__(self, sealing: AESGCM, salt: bytes, name: bytes) -> None:
        self._sealing = sealing
        self._name = name
        self.salt = salt

    def seal(self, number: int, data: bytes | memoryview) -> bytes:
        return self._sealing.encrypt(_nonce(number), data, self._name)

    def open(self, number: int, sealed: bytes | memoryview) -> bytes:
        """Raises Damaged."""
        try:
            return self._sealing.decrypt(_nonce(number), sealed, self._name)
        except InvalidTag:
            raise Damaged from None


def parts_of(size: int) -> Iterator[tuple[int, int, int]]:
    """The number of each part of `size` bytes, and where it begins and ends."""
    for number, start in enumerate(range(0, size, PART_BYTES), 1):
        yield number, start, min(start + PART_BYTES, size)


def _nonce(number: int) -> bytes:
    return number.to_bytes(_NONCE_BYTES, "big")


def _derived(key: bytes, salt: bytes, use: bytes) -> bytes:
    return HKDF(SHA256(), KEY_BYTES, salt, b"prefix cache: " + use).derive(key)
