"""The text of a key."""

import hashlib

import pytest

from service.keys.records import KeyRecord
from service.keys.secret import new_key, read_key


def test_a_key_has_256_random_bits_besides_its_prefix() -> None:
    _, prefix, secret = new_key().split("_")
    assert len(bytes.fromhex(secret)) == 32
    assert len(bytes.fromhex(prefix)) == 6


def test_no_two_keys_share_anything() -> None:
    parts = [part for _ in range(1000) for part in new_key().split("_")[1:]]
    assert len(set(parts)) == 2000


def test_what_is_looked_at_is_the_prefix_and_the_digest_of_the_whole() -> None:
    text = new_key()
    shown = read_key(text)
    assert shown is not None
    assert text.startswith(f"csk_{shown.prefix}_")
    assert shown.digest == hashlib.sha256(text.encode()).digest()


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "",
        lambda text: text[:-1],
        lambda text: text + "0",
        lambda text: text.upper(),
        lambda text: f" {text}",
        lambda text: f"{text}\n",
        lambda text: text.replace("csk", "csx"),
        lambda text: text[:-1] + "\N{ARABIC-INDIC DIGIT ONE}",
    ],
)
def test_anything_else_is_no_key(change: object) -> None:
    assert callable(change)
    assert read_key(change(new_key())) is None


def test_no_digest_is_shown_where_a_record_is_printed() -> None:
    digest = bytes(range(32))
    fields = dict.fromkeys(KeyRecord.__dataclass_fields__) | {"secret_sha256": digest}
    assert repr(digest) not in repr(KeyRecord(**fields))
