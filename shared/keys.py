"""Everything secret, derived from master keys of 32 bytes. Keys never enter SQL.

Usually there is one. After a rotation there are more, newest first: the newest wraps persons' keys, signs tokens and
gives the database's roles their passwords; the last, with which the deployment began, stays the root of what others
hold or what is found by it: track codes, the index of phones, callbacks' addresses.

HKDF-SHA-256 gives one key per use (RFC 5869), so that a leaked use opens no other. A person's fields are sealed
with AES-256-GCM under that person's own key, which is itself wrapped by the master: deleting the wrapped key erases
the person everywhere at once.
"""

import contextlib
import hmac
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

TRACK_ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"  # nothing that looks like something else
TRACK_LENGTH = 10
NONCE = 12
KEY_FILE = Path("secrets") / "master.key"


class Keys:
    """The keys of one deployment; `masters` newest first."""

    def __init__(self, *masters: bytes) -> None:
        if not masters or any(len(master) != 32 for master in masters):
            raise ValueError("a master key must have 32 bytes")
        self._newest, self._root = masters[0], masters[-1]
        self._wraps = [AESGCM(_derive(master, "wrap")) for master in masters]
        self._phone = _derive(self._root, "phone-index")
        self._track = _derive(self._root, "track")
        self._digest = _derive(self._root, "digest")
        self.token_secret = _derive(self._newest, "token")

    @classmethod
    def from_hex(cls, text: str) -> "Keys":
        """Keys of 64 hex digits with white space between them. Raises ValueError for anything else."""
        return cls(*map(bytes.fromhex, text.split()))

    @classmethod
    def from_directory(cls, directory: Path, *, create: bool = False) -> "Keys":
        """The keys of an embedded deployment, kept in `DIR/secrets/master.key` (0600)."""
        path = directory / KEY_FILE
        if create and not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_hex(32))
                file.flush()
                os.fsync(file.fileno())
        return cls.from_hex(path.read_text())

    @staticmethod
    def keep(directory: Path, masters: Sequence[str]) -> None:
        """Replaces the master keys (hex, newest first) of an embedded deployment, whole or not at all."""
        path = directory / KEY_FILE
        draft = path.with_suffix(".new")
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write("\n".join(masters) + "\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)

    @property
    def rotated(self) -> bool:
        """Whether there is more than the key with which the deployment began."""
        return self._newest != self._root

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
        return nonce + self._wraps[0].encrypt(nonce, key, None)

    def unwrap(self, wrapped: bytes) -> bytes:
        """Raises cryptography.exceptions.InvalidTag when none of our master keys wrapped it."""
        for wrap in self._wraps[:-1]:
            with contextlib.suppress(InvalidTag):
                return wrap.decrypt(wrapped[:NONCE], wrapped[NONCE:], None)
        return self._wraps[-1].decrypt(wrapped[:NONCE], wrapped[NONCE:], None)

    def is_current(self, wrapped: bytes) -> bool:
        """Whether the newest master key wrapped it."""
        try:
            self._wraps[0].decrypt(wrapped[:NONCE], wrapped[NONCE:], None)
        except InvalidTag:
            return False
        return True

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
        return _derive(self._newest, f"role/{role}").hex()

    def secret(self, use: str) -> str:
        """A secret of this deployment for `use` (a callback's path, the sandbox's credentials), 32 hex digits."""
        return _derive(self._root, f"secret/{use}").hex()[:32]


def _derive(master: bytes, use: str) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=f"chuishao/{use}".encode()).derive(master)
