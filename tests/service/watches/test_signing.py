"""Signatures, held to an example of the specification and to what a receiver computes."""

import base64
import hashlib
import hmac

from service.watches.signing import new_secret, signed_headers


def test_a_signature_that_was_computed_elsewhere() -> None:
    # printf 'msg_1.1674087231.{"a":1}' | openssl dgst -sha256 -hmac secret -binary | base64
    headers = signed_headers("msg_1", 1674087231, b'{"a":1}', ["whsec_c2VjcmV0"])
    assert headers == {
        "webhook-id": "msg_1",
        "webhook-timestamp": "1674087231",
        "webhook-signature": "v1,OBlYevwduLYW/vhkVoJAR+kNlBCCUbAWBvwkD8lGhUo=",
    }


def test_each_secret_signs() -> None:
    both = signed_headers("id", 1, b"{}", ["whsec_b25l", "whsec_dHdv"])["webhook-signature"].split(" ")
    alone = [signed_headers("id", 1, b"{}", [key])["webhook-signature"] for key in ("whsec_b25l", "whsec_dHdv")]
    assert both == alone
    assert both[0] != both[1]


def test_the_signature_covers_id_time_and_body() -> None:
    given = ("id", 1, b"{}")
    changed = [("di", 1, b"{}"), ("id", 2, b"{}"), ("id", 1, b"[]"), ("id.1", 1, b"{}")]
    signatures = {signed_headers(*one, ["whsec_b25l"])["webhook-signature"] for one in (given, *changed)}
    assert len(signatures) == 1 + len(changed)


def test_secrets_are_random_and_long_enough() -> None:
    secrets = {new_secret() for _ in range(100)}
    assert len(secrets) == 100
    for secret in secrets:
        assert secret.startswith("whsec_")
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        assert len(key) == 32  # the specification wants 24 to 64
        digest = hmac.new(key, b"id.1.{}", hashlib.sha256).digest()
        assert (
            signed_headers("id", 1, b"{}", [secret])["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"
        )
