"""Who may reach a service that asks for no key."""

import ipaddress
import logging

from service.errors import UnavailableError
from service.settings import Settings

logger = logging.getLogger(__name__)


def refuse_open_network(settings: Settings) -> None:
    """Refuse to answer a network without asking for a key, unless that was chosen; say loudly where nothing is asked.

    Raises:
        UnavailableError: `host` is not loopback and `allow_unauthenticated_network` is off.
    """
    if _is_loopback(settings.host):
        logger.warning("No key is asked for: every user of this machine may use the service on %s.", settings.host)
        return
    if not settings.allow_unauthenticated_network:
        raise UnavailableError(
            f"{settings.host} is no loopback address, and the service asks for no key: anyone who reaches it could "
            "read and change the gallery. Listen on 127.0.0.1 behind a proxy that asks who is there, or set "
            "CLIP_SENET_ALLOW_UNAUTHENTICATED_NETWORK=true if the network is yours alone."
        )
    logger.warning("NO KEY IS ASKED FOR: anyone who reaches %s may read and change the gallery.", settings.host)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
