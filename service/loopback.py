"""Which names mean this machine and nobody else."""

import ipaddress


def is_loopback(host: str) -> bool:
    """Whether a host name or address, without port and brackets, is the loopback."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
