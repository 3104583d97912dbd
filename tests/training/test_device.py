"""The runtime that a session records."""

import os

import pytest
import tensorflow as tf

from paac_cli import import_tensorflow, machine
from paac_cli.config.load import changed_settings, load_run
from paac_cli.config.presets import find_preset
from paac_cli.machine import available_cores
from paac_cli.runs.runtime import approximate_reasons
from paac_cli.training.device import resolve_precision, runtime


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
    assert {"paac", "tensorflow", "numpy", "gymnasium", "ale-py", "box2d"} < here.versions.keys()
    assert all(isinstance(version, str) for version in here.versions.values())


@pytest.mark.parametrize(("extensions", "name"), [(["AVX-512 BF16"], "bfloat16"), (["AVX2", "AVX-512"], "float32")])
def test_precision_auto_depends_on_the_processor_that_computes(monkeypatch, extensions, name):
    monkeypatch.setattr(machine, "vector_extensions", lambda: extensions)
    auto = load_run(find_preset("cartpole"), {"network.precision": "auto"})
    resolved = resolve_precision(auto)
    assert resolved.network.precision == name
    assert auto.resuming(resolved) == resolved
    assert changed_settings(resolved, auto) == {}


@pytest.mark.parametrize(("capability", "name"), [((8, 0), "bfloat16"), ((7, 5), "float32")])
def test_precision_auto_depends_on_the_gpu_where_one_computes(monkeypatch, capability, name):
    config = tf.config
    monkeypatch.setattr(config, "get_visible_devices", lambda kind: ["GPU"] if kind == "GPU" else [])
    monkeypatch.setattr(config.experimental, "get_device_details", lambda _: {"compute_capability": capability})
    monkeypatch.setattr(machine, "vector_extensions", list)
    auto = load_run(find_preset("cartpole"), {"network.precision": "auto"})
    assert resolve_precision(auto).network.precision == name


@pytest.mark.parametrize(("given", "expected"), [(None, "1"), ("0", "0")])
def test_onednn_is_used_unless_the_user_has_decided(monkeypatch, given, expected):
    monkeypatch.setattr(import_tensorflow, "vector_extensions", lambda: ["AVX", "AVX2"])
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
    if given is not None:
        monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", given)
    import_tensorflow.prefer_onednn()
    assert runtime(deterministic=True).onednn == expected


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
