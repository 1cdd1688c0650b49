"""Everything secret, derived from one master key of 32 bytes. Keys never enter SQL.

HKDF-SHA-256 gives one key per use (RFC 5869), so that a leaked use opens no other. A person's fields are sealed
with AES-256-GCM under that person's own key, which is itself wrapped by the master: deleting the wrapped key erases
the person everywhere at once.
"""

import hmac
import os
import secrets
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

TRACK_ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"  # nothing that looks like something else
TRACK_LENGTH = 10
NONCE = 12


class Keys:
    """The keys of one deployment."""

    def __init__(self, master: bytes) -> None:
        if len(master) != 32:
            raise ValueError("the master key must have 32 bytes")
        self._master = master
        self._wrap = AESGCM(self._derive("wrap"))
        self._phone = self._derive("phone-index")
        self._track = self._derive("track")
        self._digest = self._derive("digest")
        self.token_secret = self._derive("token")

    @classmethod
    def from_hex(cls, text: str) -> "Keys":
        """Raises ValueError for anything but 64 hex digits."""
        return cls(bytes.fromhex(text.strip()))

    @classmethod
    def from_directory(cls, directory: Path, *, create: bool = False) -> "Keys":
        """The keys of an embedded deployment, kept in `DIR/secrets/master.key` (0600)."""
        path = directory / "secrets" / "master.key"
        if create and not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_hex(32))
                file.flush()
                os.fsync(file.fileno())
        return cls.from_hex(path.read_text())

    def _derive(self, use: str) -> bytes:
        return HKDF(SHA256(), 32, salt=None, info=f"chuishao/{use}".encode()).derive(self._master)

    # -- persons ------------------------------------------------------------------------------------
    def phone_index(self, e164: str) -> bytes:
        """Blind index of a phone in E.164 form: equal phones give equal bytes, and nothing else can be read off."""
        return hmac.digest(self._phone, e164.encode(), "sha256")

    def new_person_key(self) -> tuple[bytes, bytes]:
        """A new person's key, and the same key wrapped for storage."""
        key = AESGCM.generate_key(256)
        return key, self.wrap(key)

    def wrap(self, key: bytes) -> bytes:
        nonce = os.urandom(NONCE)
        return nonce + self._wrap.encrypt(nonce, key, None)

    def unwrap(self, wrapped: bytes) -> bytes:
        """Raises cryptography.exceptions.InvalidTag under another master key."""
        return self._wrap.decrypt(wrapped[:NONCE], wrapped[NONCE:], None)

    @staticmethod
    def seal(person_key: bytes, data: dict[str, Any]) -> bytes:
        nonce = os.urandom(NONCE)
        return nonce + AESGCM(person_key).encrypt(nonce, orjson.dumps(data), None)

    @staticmethod
    def open(person_key: bytes, sealed: bytes) -> dict[str, Any]:
        """Raises cryptography.exceptions.InvalidTag when the key is not the person's."""
        data: dict[str, Any] = orjson.loads(AESGCM(person_key).decrypt(sealed[:NONCE], sealed[NONCE:], None))
        return data

    # -- issues -------------------------------------------------------------------------------------
    def track_code(self, issue: UUID) -> str:
        """The code that opens an issue to whoever has it; made from the id, so that nobody stores it."""
        number = int.from_bytes(hmac.digest(self._track, issue.bytes, "sha256"), "big")
        code = ""
        for _ in range(TRACK_LENGTH):
            number, letter = divmod(number, len(TRACK_ALPHABET))
            code += TRACK_ALPHABET[letter]
        return code

    def check_track(self, issue: UUID, code: str) -> bool:
        return hmac.compare_digest(self.track_code(issue).encode(), code.strip().upper().encode())

    # -- the rest -----------------------------------------------------------------------------------
    def digest(self, label: str, data: bytes) -> bytes:
        """Keyed hash, for comparing what may hold personal data without keeping it."""
        return hmac.digest(self._digest, label.encode() + b"\0" + data, "sha256")

    def role_password(self, role: str) -> str:
        """Password of a database role; derived, so that nobody has to hand them out."""
        return self._derive(f"role/{role}").hex()

    def secret(self, use: str) -> str:
        """A secret of this deployment for `use` (a callback's path, the sandbox's credentials), 32 hex digits."""
        return self._derive(f"secret/{use}").hex()[:32]
