"""When the same bits are not promised, and why."""

import os

import pytest

from paac_cli.machine import available_cores
from paac_cli.runs.exactness import APPROXIMATE, compared
from paac_cli.training.device import surroundings

NOW = {"tensorflow": "2.21.0", "python": "3.12.1", "cores": "2", "device": "CPU", "deterministic": "yes"}
GPU = NOW | {"device": "NVIDIA H200", "deterministic": "no"}
UNORDERED = "without training.deterministic a GPU adds in any order"


def test_a_new_run_on_a_processor_is_exact():
    assert compared(NOW, {}) == NOW


def test_a_run_that_goes_on_where_it_was_is_exact():
    assert compared(NOW, NOW) == NOW


def test_every_difference_is_named_but_that_of_python():
    before = NOW | {"tensorflow": "2.20.0", "cores": "8", "python": "3.11.7"}
    assert compared(NOW, before) == NOW | {
        APPROXIMATE: "tensorflow was 2.20.0 and is 2.21.0; cores was 8 and is 2",
    }


def test_of_what_an_old_checkpoint_does_not_say_nothing_is_said():
    assert compared(NOW, {"tensorflow": "2.21.0", "scipy": "1.0"}) == NOW


def test_a_gpu_that_adds_in_any_order_is_named_from_the_start():
    assert compared(GPU, {}) == GPU | {APPROXIMATE: UNORDERED}
    assert compared(GPU | {"deterministic": "yes"}, {}) == GPU | {"deterministic": "yes"}


def test_what_has_once_been_approximate_stays_so_and_nothing_is_said_twice():
    first = compared(GPU, {})
    assert compared(GPU, first) == first
    back = compared(NOW, first)
    assert back[APPROXIMATE] == f"{UNORDERED}; device was NVIDIA H200 and is CPU"
    assert compared(NOW, back) == back


def test_what_decides_on_the_bits_here(monkeypatch):
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "3")
    here = surroundings(deterministic=False)
    assert here["cores"] == str(available_cores())
    assert here["tensorflow threads"] == "3"
    assert here["device"] == "CPU"
    assert here["deterministic"] == "yes"  # of a CPU, whatever the config says
    assert here["processor"]
    assert here["xla"] == "by default"
    monkeypatch.setenv("TF_XLA_FLAGS", "--tf_xla_auto_jit=2")
    assert surroundings(deterministic=False)["xla"] == "--tf_xla_auto_jit=2"
    assert {"paac", "tensorflow", "numpy", "gymnasium", "ale-py"} < here.keys()
    assert all(isinstance(value, str) for value in here.values())


@pytest.mark.skipif(available_cores() < 2, reason="needs two cores to leave one")
def test_fewer_cores_are_noticed():
    cores = os.sched_getaffinity(0)
    before = surroundings(deterministic=True)
    try:
        os.sched_setaffinity(0, {min(cores)})
        now = surroundings(deterministic=True)
    finally:
        os.sched_setaffinity(0, cores)
    assert compared(now, before)[APPROXIMATE] == f"cores was {len(cores)} and is 1"
