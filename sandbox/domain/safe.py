"""Callbacks as WeCom makes them: encrypted with AES-256-CBC, signed with SHA-1. Written apart from the reader it
tests."""

import hashlib
from base64 import b64decode, b64encode

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC


def encrypt(aes_key: str, receive_id: str, message: bytes, noise: bytes) -> str:
    """16 bytes of noise, the message's length and the message, the receive id, padded to 32."""
    key = b64decode(aes_key + "=")
    plain = noise + len(message).to_bytes(4, "big") + message + receive_id.encode()
    padding = 32 - len(plain) % 32
    encryptor = Cipher(AES(key), CBC(key[:16])).encryptor()
    return b64encode(encryptor.update(plain + bytes([padding]) * padding) + encryptor.finalize()).decode()


def sign(token: str, timestamp: str, nonce: str, encrypted: str) -> str:
    """The query's `msg_signature`."""
    return hashlib.sha1("".join(sorted((token, timestamp, nonce, encrypted))).encode()).hexdigest()  # noqa: S324
