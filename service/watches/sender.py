"""One message to one receiver, once."""

import asyncio
import contextlib
import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

import service
from service.errors import OverloadedError
from service.watches.addresses import Destinations, RefusedAddressError
from service.watches.signing import signed_headers

_MOST_READ: Final = 1024
"""Bytes of an answer; what a receiver says is not looked at, only whether it took the message."""
_READ_TIMEOUT_S: Final = 1.0
_TRIALS_AT_ONCE: Final = 16
_TRIALS_OF_EACH: Final = 2
_GONE: Final = 410


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an attempt.

    Attributes:
        status: What the receiver answered; None where it did not.
        error: Why the message does not count as received, in a sentence; None where it does.
        retry_after_s: How long the receiver wants to be left alone; None where it did not say.
    """

    status: int | None = None
    error: str | None = None
    retry_after_s: float | None = None

    @property
    def delivered(self) -> bool:
        """Whether the receiver has the message."""
        return self.error is None

    @property
    def final(self) -> bool:
        """Whether the receiver says that it wants none of this ever again."""
        return self.status == _GONE


class WebhookSender:
    """Sends signed messages. Redirects are not followed, connections are not kept.

    A kept connection is told apart by the address only, and two hosts of one address are not the same receiver. It is
    the transport that is used, not a client: a client writes each URL into the log, and some hold a secret.

    Args:
        destinations: Where messages may go.
        connect_timeout_s: How long looking up and connecting may take, each.
        timeout_s: How long all of an attempt may take.
    """

    def __init__(self, destinations: Destinations, connect_timeout_s: float, timeout_s: float) -> None:
        self._destinations = destinations
        self._connect_timeout_s = connect_timeout_s
        self.timeout_s = timeout_s
        self._tried_out: Counter[str] = Counter()
        self._transport = httpx.AsyncHTTPTransport(
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
            trust_env=False,  # a proxy would look the host up again, for itself
        )

    async def close(self) -> None:
        """Let go of connections."""
        await self._transport.aclose()
        self._destinations.close()

    async def send(self, url: str, webhook_id: str, message: Mapping[str, Any], secrets: Sequence[str]) -> Outcome:
        """Send a message.

        Args:
            url: The receiver.
            webhook_id: Identity of the message, the same in every attempt.
            message: What to say, as JSON.
            secrets: Secrets to sign with.
        """
        body = json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()
        headers = {
            "Host": urlsplit(url).netloc,
            "Content-Type": "application/json",
            "User-Agent": f"clip-senet-service/{service.__version__}",
            **signed_headers(webhook_id, int(time.time()), body, secrets),
        }
        try:
            async with asyncio.timeout(self.timeout_s):
                return await self._post(url, await self._addresses(url), headers, body)
        except RefusedAddressError as error:
            return Outcome(error=str(error))
        except (httpx.ConnectError, httpx.ConnectTimeout):
            return Outcome(error="The receiver cannot be reached.")
        except (TimeoutError, httpx.TimeoutException):
            return Outcome(error=f"The receiver did not answer within {self.timeout_s:g} s.")
        except (httpx.HTTPError, httpx.InvalidURL):
            return Outcome(error="The receiver broke the connection off, or what it answered is no HTTP.")

    async def try_out(
        self, url: str, webhook_id: str, message: Mapping[str, Any], secrets: Sequence[str], *, collection: str
    ) -> Outcome:
        """As `send`, for somebody who waits.

        Args:
            url: The receiver.
            webhook_id: Identity of the message.
            message: What to say, as JSON.
            secrets: Secrets to sign with.
            collection: Whose webhook it is: receivers of one that hang take no room from those of another.

        Raises:
            OverloadedError: Others wait already.
        """
        if self._tried_out[collection] >= _TRIALS_OF_EACH or self._tried_out.total() >= _TRIALS_AT_ONCE:
            raise OverloadedError("Other webhooks are being tried out; try again in a moment.", retry_after_s=1)
        self._tried_out[collection] += 1
        try:
            return await self.send(url, webhook_id, message, secrets)
        finally:
            self._tried_out[collection] -= 1
            self._tried_out += Counter()  # forgets those of which there are none

    async def _addresses(self, url: str) -> list[str]:
        try:
            async with asyncio.timeout(self._connect_timeout_s):
                return await self._destinations.resolve(url)
        except TimeoutError:
            raise RefusedAddressError("The address of the receiver was not found in time.") from None

    async def _post(self, url: str, addresses: Sequence[str], headers: Mapping[str, str], body: bytes) -> Outcome:
        """Try the addresses in turn until one is there."""
        for address in addresses[:-1]:
            try:
                return await self._post_to(url, address, headers, body)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                continue
        return await self._post_to(url, addresses[-1], headers, body)

    async def _post_to(self, url: str, address: str, headers: Mapping[str, str], body: bytes) -> Outcome:
        timeout = httpx.Timeout(self.timeout_s, connect=self._connect_timeout_s).as_dict()
        request = httpx.Request(
            "POST",
            httpx.URL(url).copy_with(host=address),
            headers=headers,
            content=body,
            # the certificate must be for the name, whatever the address
            extensions={"timeout": timeout, "sni_hostname": urlsplit(url).hostname},
        )
        answer = await self._transport.handle_async_request(request)
        try:
            await _read_a_little(answer)
        finally:
            await answer.aclose()
        return _outcome(answer)


async def _read_a_little(answer: httpx.Response) -> None:
    """Read the answer if it is small and there, so that its sender sees an orderly end; what it says is ignored."""
    with contextlib.suppress(TimeoutError, httpx.HTTPError):
        async with asyncio.timeout(_READ_TIMEOUT_S):
            async for _ in answer.aiter_raw(_MOST_READ):
                break


def _outcome(answer: httpx.Response) -> Outcome:
    status = answer.status_code
    if answer.is_success:
        return Outcome(status)
    said = "; redirects are not followed" if answer.is_redirect else ""
    return Outcome(status, f"The receiver answered {status}{said}.", _retry_after(answer))


def _retry_after(answer: httpx.Response) -> float | None:
    """Seconds of Retry-After; a date there is not looked at."""
    text = answer.headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdigit() and len(text) < 10 else None  # noqa: PLR2004
