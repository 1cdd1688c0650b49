"""Callbacks of WeChat and WeCom: signed with SHA-1, and (WeCom; WeChat in safe mode) encrypted with AES-256-CBC."""

import base64
import binascii
import hashlib
import hmac

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

RANDOM, LENGTH, BLOCK = 16, 4, 32
"""Bytes: noise at the beginning, the length after it, and what the whole is padded to (not AES's 16)."""


class Unsafe(ValueError):
    """Not signed or encrypted by whom it should be."""


def callback_signature(token: str, timestamp: str, nonce: str, *encrypted: str) -> str:
    """What a callback is signed with: SHA-1 over the sorted parts."""
    return hashlib.sha1("".join(sorted((token, timestamp, nonce, *encrypted))).encode()).hexdigest()  # noqa: S324


def check_signature(signature: str, token: str, timestamp: str, nonce: str, *encrypted: str) -> None:
    """Raises Unsafe."""
    expected = callback_signature(token, timestamp, nonce, *encrypted)
    if not hmac.compare_digest(signature.encode(), expected.encode()):
        raise Unsafe("signature")


def decrypt(aes_key: str, receive_id: str, encrypted: str) -> bytes:
    """The message that was encrypted with the account's EncodingAESKey (43 characters) for `receive_id`.

    Raises Unsafe."""
    try:
        key = base64.b64decode(aes_key + "=")
        sealed = base64.b64decode(encrypted, validate=True)
        decryptor = Cipher(AES(key), CBC(key[:16])).decryptor()
        padded = decryptor.update(sealed) + decryptor.finalize()
    except (ValueError, binascii.Error):
        raise Unsafe("encryption") from None
    padding = padded[-1] if padded else 0
    if not 1 <= padding <= BLOCK or padded[-padding:] != bytes([padding]) * padding:
        raise Unsafe("padding")
    plain = padded[RANDOM:-padding]
    end = LENGTH + int.from_bytes(plain[:LENGTH], "big")
    if not hmac.compare_digest(plain[end:], receive_id.encode()):
        raise Unsafe("receive id")
    return plain[LENGTH:end]
