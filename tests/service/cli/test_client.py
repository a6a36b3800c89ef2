import socket
from types import SimpleNamespace

import pytest

from service.cli.client import ServiceProblem, connect, send

OK = (200, {}, {"fine": True})
BUSY = (429, {"Retry-After": "7"}, {"title": "Overloaded", "detail": "The queue is full.", "code": "overloaded"})
DOWN = (
    503,
    {},
    {"title": "A part of the service is down", "detail": "The database does not answer.", "code": "unavailable"},
)


class TestSend:
    def test_waits_as_long_as_the_service_asks_and_sends_the_same_again(self, script: SimpleNamespace) -> None:
        script.answers = [BUSY, BUSY, OK]
        waits: list[float] = []
        with connect(script.address) as client:
            answer = send(client, "POST", "gallery", patience_s=60, wait=waits.append, data={"a": "b"})
        assert answer.json() == {"fine": True}
        assert waits == [7, 7]
        assert script.bodies == [b"a=b"] * 3

    def test_waits_longer_each_time_where_no_time_is_told(self, script: SimpleNamespace) -> None:
        script.answers = [DOWN, DOWN, DOWN, OK]
        waits: list[float] = []
        with connect(script.address) as client:
            send(client, "GET", "cameras", patience_s=60, wait=waits.append)
        assert waits == [1, 2, 4]

    def test_gives_up_rather_than_wait_beyond_its_patience(self, script: SimpleNamespace) -> None:
        script.answers = [BUSY]
        with connect(script.address) as client, pytest.raises(ServiceProblem, match="queue is full") as problem:
            send(client, "GET", "cameras", patience_s=6, wait=lambda _: pytest.fail("waited"))
        assert problem.value.status == 429

    def test_does_not_repeat_what_the_service_refuses_for_good(self, script: SimpleNamespace) -> None:
        script.answers = [
            (
                422,
                {},
                {
                    "title": "Invalid value",
                    "detail": "k: too large",
                    "code": "invalid_value",
                    "errors": [
                        {"code": "invalid_value", "detail": "k: too large"},
                        {"code": "x", "detail": "from: no time"},
                    ],
                    "request_id": "r-1",
                },
            )
        ]
        with connect(script.address) as client, pytest.raises(ServiceProblem) as problem:
            send(client, "POST", "search", patience_s=60)
        assert len(script.bodies) == 1
        assert str(problem.value) == "Invalid value. k: too large from: no time (request r-1)"

    def test_reaches_this_machine_whatever_proxy_the_environment_names(
        self, script: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, "http://127.0.0.1:9")
        script.answers = [OK]
        with connect(script.address) as client:
            assert send(client, "GET", "readyz").json() == {"fine": True}

    def test_shows_its_key_with_every_request(self, script: SimpleNamespace) -> None:
        script.answers = [BUSY, OK]
        with connect(script.address, "csk_test") as client:
            send(client, "GET", "cameras", patience_s=60, wait=lambda _: None)
        assert [headers["X-API-Key"] for headers in script.headers] == ["csk_test"] * 2

    @pytest.mark.parametrize("key", ["csk\n_x: y", "schlüssel", "a\0b"])
    def test_says_that_something_is_no_key_without_repeating_it(self, key: str) -> None:
        with pytest.raises(ServiceProblem, match="no API key") as problem:
            connect("http://127.0.0.1:8000", key)
        assert key not in str(problem.value)

    def test_says_how_to_start_a_service_where_none_listens(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        with connect(f"http://127.0.0.1:{port}") as client, pytest.raises(ServiceProblem, match="clip-senet serve"):
            send(client, "GET", "healthz")

    def test_says_where_another_program_answers(self, script: SimpleNamespace) -> None:
        script.answers = [(404, {}, "<html>")]
        with connect(script.address) as client, pytest.raises(ServiceProblem, match="is the address right"):
            send(client, "GET", "cameras")
