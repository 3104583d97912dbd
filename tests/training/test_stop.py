"""Real signals to this process. tests/cli has the tests with whole runs."""

import os
import signal
import subprocess
import sys
import time

import pytest

from paac_cli.sampling.child import STOP_SIGNALS
from paac_cli.training import stop as stop_module
from paac_cli.training.stop import StopRequest


@pytest.fixture(autouse=True)
def default_handlers():
    """`nohup` and a shell's `&` ignore some signals in all their children."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in STOP_SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_without_a_signal_the_exit_code_is_0():
    with StopRequest() as stop:
        assert not stop
        assert stop.exit_code == 0


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGUSR1, 75)],
)
def test_every_signal_requests_a_stop_with_its_own_exit_code(number, code):
    assert number in STOP_SIGNALS
    with StopRequest() as stop:
        stop.begin()
        signal.raise_signal(number)
        assert stop
        assert stop.exit_code == code


@pytest.mark.parametrize("later", [signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1])
def test_the_first_signal_decides_the_exit_code(later):
    """A batch system first warns and later sends SIGTERM; the run must still be requeued."""
    with StopRequest() as stop:
        stop.begin()
        signal.raise_signal(signal.SIGUSR1)
        signal.raise_signal(later)
        assert stop.exit_code == 75


def test_under_nohup_sighup_is_ignored():
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


def test_the_previous_handlers_are_restored():
    before = [signal.getsignal(number) for number in STOP_SIGNALS]
    with StopRequest():
        assert signal.getsignal(signal.SIGUSR1) != before[-1]
    assert [signal.getsignal(number) for number in STOP_SIGNALS] == before


def test_a_second_ctrl_c_ends_the_process_at_once_and_says_what_that_means(tmp_path):
    program = (
        "import signal, time\n"
        "from paac_cli.training.stop import StopRequest\n"
        "with StopRequest(has_begun=True, at_once=lambda: 'all is deleted'):\n"
        "    signal.raise_signal(signal.SIGINT)\n"
        "    time.sleep(0.4)\n"
        "    signal.raise_signal(signal.SIGINT)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (130, "Stopped at once: all is deleted\n")


def test_a_stop_becomes_urgent_after_a_while(monkeypatch):
    monkeypatch.setattr(stop_module, "_URGENT_AFTER", 0.05)
    with StopRequest() as stop:
        stop.begin()
        time.sleep(0.1)
        assert not stop.is_urgent
        signal.raise_signal(signal.SIGTERM)
        assert not stop.is_urgent
        time.sleep(0.1)
        signal.raise_signal(signal.SIGHUP)  # the first counts
        assert stop.is_urgent


def test_before_training_has_begun_the_first_signal_leaves_the_block_at_once():
    with StopRequest() as stop:
        signal.raise_signal(signal.SIGUSR1)
        pytest.fail("the block continued")
    assert stop.exit_code == 75


def test_a_signal_that_ranks_agree_on_is_the_same_request_as_the_own_ctrl_c_after_it(monkeypatch):
    monkeypatch.setattr(os, "_exit", lambda code: pytest.fail(f"the process would end at once with {code}"))
    with StopRequest(has_begun=True) as stop:
        stop.adopt(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        assert stop.exit_code == 130
        assert not stop.is_urgent


def test_a_signal_that_ranks_agree_on_does_not_delay_a_stop_that_was_requested_before(monkeypatch):
    monkeypatch.setattr(stop_module, "_URGENT_AFTER", 0.05)
    with StopRequest(has_begun=True) as stop:
        signal.raise_signal(signal.SIGTERM)
        time.sleep(0.1)
        stop.adopt(signal.SIGUSR1)
        assert stop.exit_code == 75
        assert stop.is_urgent
