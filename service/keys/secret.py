"""The text of a key: what is random about it, and what of it is kept."""

import hashlib
import re
import secrets
from dataclasses import dataclass

_PREFIX_BYTES = 6
_SECRET_BYTES = 32
_KEY = re.compile(rf"csk_([0-9a-f]{{{2 * _PREFIX_BYTES}}})_[0-9a-f]{{{2 * _SECRET_BYTES}}}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Shown:
    """What is looked at of a key that is shown.

    Attributes:
        prefix: Names the key; no secret.
        digest: SHA-256 of the whole key, 32 bytes. The key has 256 random bits, so there is nothing to guess and a
            slow hash would only slow down each request.
    """

    prefix: str
    digest: bytes


def new_key() -> str:
    """The text of a new key, `csk_<prefix>_<secret>` with 48 and 256 random bits in hexadecimal digits."""
    return f"csk_{secrets.token_hex(_PREFIX_BYTES)}_{secrets.token_hex(_SECRET_BYTES)}"


def read_key(text: str) -> Shown | None:
    """What is to be looked at of a text that is shown as a key; None where it is none."""
    match = _KEY.fullmatch(text)
    return None if match is None else Shown(match[1], hashlib.sha256(text.encode()).digest())
