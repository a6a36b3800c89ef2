import signal
import threading

import pytest

from model.training import interruption
from model.training.interruption import BrokenOff, Interruption


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_and_its_echoes_are_noted_and_nothing_ends(number: signal.Signals) -> None:
    received = Interruption()
    with received.watched():
        assert received.number == 0
        for _ in range(3):
            signal.raise_signal(number)
        assert received.number == number


def test_a_second_signal_acts_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interruption, "ECHO_S", 0.0)
    received = Interruption()
    with received.watched():
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_afterwards_signals_are_whose_they_were() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with Interruption().watched():
        signal.raise_signal(signal.SIGTERM)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_another_thread_leaves_signals_alone() -> None:
    found = []

    def watch() -> None:
        with Interruption().watched():
            found.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=watch)
    thread.start()
    thread.join()
    assert found == [signal.getsignal(signal.SIGINT)]


def test_work_that_reports_is_broken_off() -> None:
    received, done = Interruption(), []
    advance = received.checked(done.append)
    advance(3)
    with received.watched():
        signal.raise_signal(signal.SIGINT)
    with pytest.raises(BrokenOff):
        advance(4)
    assert done == [3]
