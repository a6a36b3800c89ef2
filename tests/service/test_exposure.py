"""Who may reach a service that asks for no key."""

import pytest

from service.errors import UnavailableError
from service.exposure import refuse_open_network
from service.settings import Settings


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_loopback_is_fine(host: str) -> None:
    refuse_open_network(Settings(host=host))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org", ""])  # noqa: S104
def test_anything_else_is_refused_unless_chosen(host: str, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(UnavailableError, match="no key"):
        refuse_open_network(Settings(host=host))
    refuse_open_network(Settings(host=host, allow_unauthenticated_network=True))
    assert "NO KEY" in caplog.text
