"""Real signals to this very process; what becomes of a whole run is in tests/cli/test_run_life.py."""

import signal
import time

import pytest

from paac_cli.sampling.worker import STOP_SIGNALS
from paac_cli.training import stop as stop_module
from paac_cli.training.stop import StopRequest


@pytest.fixture(autouse=True)
def nothing_is_ignored():
    """As it is under `nohup`, and below a shell's `&`."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in STOP_SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_run_that_nobody_stops_ends_well():
    with StopRequest() as stop:
        assert not stop
        assert stop.exit_code == 0


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGUSR1, 75)],
)
def test_every_signal_is_a_wish_with_a_code_of_its_own(number, code):
    assert number in STOP_SIGNALS
    with StopRequest() as stop:
        stop.begin()
        signal.raise_signal(number)
        assert stop
        assert stop.exit_code == code


@pytest.mark.parametrize("later", [signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1])
def test_the_first_signal_decides_and_a_later_one_hurries_nobody(later):
    """A batch system warns, and sends SIGTERM when the time is up: the run is still to be queued again."""
    with StopRequest() as stop:
        stop.begin()
        signal.raise_signal(signal.SIGUSR1)
        signal.raise_signal(later)
        assert stop.exit_code == 75


def test_nohup_keeps_a_lost_terminal_away():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with StopRequest() as stop:
            stop.begin()
            signal.raise_signal(signal.SIGHUP)
            assert not stop
            signal.raise_signal(signal.SIGTERM)
            assert stop.exit_code == 143
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_handlers_are_as_before_afterwards():
    before = [signal.getsignal(number) for number in STOP_SIGNALS]
    with StopRequest():
        assert signal.getsignal(signal.SIGUSR1) != before[-1]
    assert [signal.getsignal(number) for number in STOP_SIGNALS] == before


def test_after_a_while_it_is_urgent(monkeypatch):
    monkeypatch.setattr(stop_module, "_PATIENCE", 0.05)
    with StopRequest() as stop:
        stop.begin()
        time.sleep(0.1)
        assert not stop.is_urgent
        signal.raise_signal(signal.SIGTERM)
        assert not stop.is_urgent
        time.sleep(0.1)
        signal.raise_signal(signal.SIGHUP)  # the first counts
        assert stop.is_urgent


def test_before_anything_has_begun_the_first_signal_leaves_at_once():
    with StopRequest() as stop:
        signal.raise_signal(signal.SIGUSR1)
        pytest.fail("it went on")
    assert stop.exit_code == 75
