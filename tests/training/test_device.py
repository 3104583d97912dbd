"""The runtime that a session records."""

import os

import pytest

from paac_cli.machine import available_cores
from paac_cli.runs.runtime import approximate_reasons
from paac_cli.training.device import runtime


def test_the_runtime_names_everything_that_results_depend_on(monkeypatch):
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "3")
    here = runtime(deterministic=False)
    assert here.cores == available_cores()
    assert here.tensorflow_threads == "3"
    assert here.device == "CPU"
    assert here.deterministic  # a CPU always is, whatever the config says
    assert here.processor
    assert here.xla_flags == "by default"
    monkeypatch.setenv("TF_XLA_FLAGS", "--tf_xla_auto_jit=2")
    assert runtime(deterministic=False).xla_flags == "--tf_xla_auto_jit=2"
    assert {"paac", "tensorflow", "numpy", "gymnasium", "ale-py"} < here.versions.keys()
    assert all(isinstance(version, str) for version in here.versions.values())


@pytest.mark.skipif(available_cores() < 2, reason="needs a second core to take away")
def test_fewer_cores_make_a_resumed_run_approximate():
    cores = os.sched_getaffinity(0)
    before = runtime(deterministic=True)
    try:
        os.sched_setaffinity(0, {min(cores)})
        now = runtime(deterministic=True)
    finally:
        os.sched_setaffinity(0, cores)
    assert approximate_reasons(now, before) == (f"cores was {len(cores)} and is 1",)
