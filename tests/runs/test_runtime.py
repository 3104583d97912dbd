"""When a run is not promised to be bit-for-bit reproducible, and why."""

from checkpoints import RUNTIME, runtime_with
from paac_cli.runs.runtime import approximate_reasons

GPU = runtime_with(device="NVIDIA H200", deterministic=False)
NO_ORDER = "training.deterministic is false, so the GPU adds in no fixed order"


def test_a_new_run_on_a_cpu_is_exact():
    assert approximate_reasons(RUNTIME) == ()


def test_a_run_that_resumes_with_the_same_runtime_is_exact():
    assert approximate_reasons(RUNTIME, RUNTIME) == ()


def test_every_difference_is_a_reason_except_the_version_of_python():
    before = runtime_with(versions=RUNTIME.versions | {"tensorflow": "2.20.0"}, cores=8, python="3.11.7")
    assert approximate_reasons(RUNTIME, before) == ("tensorflow was 2.20.0 and is 2.21.0", "cores was 8 and is 2")


def test_packages_that_only_one_runtime_lists_are_not_compared():
    assert approximate_reasons(RUNTIME, runtime_with(versions={"tensorflow": "2.21.0", "scipy": "1.0"})) == ()


def test_other_xla_flags_onednn_options_and_threads_are_reasons():
    before = runtime_with(xla_flags="--tf_xla_auto_jit=2", onednn="1", tensorflow_threads="3")
    assert approximate_reasons(RUNTIME, before) == (
        "tensorflow threads was 3 and is as cores",
        "xla flags was --tf_xla_auto_jit=2 and is by default",
        "onednn was 1 and is by default",
    )


def test_the_hardware_of_every_rank_is_compared():
    one, slow = runtime_with(others=(RUNTIME,)), runtime_with(processor="an old one")
    assert approximate_reasons(one, one) == ()
    assert approximate_reasons(one, RUNTIME) == ("ranks was 1 and is 2",)
    assert approximate_reasons(one, runtime_with(others=(slow,))) == (
        f"processor of rank 1 was an old one and is {RUNTIME.processor}",
    )


def test_a_gpu_without_determinism_is_a_reason_from_the_start():
    assert approximate_reasons(GPU) == (NO_ORDER,)
    assert approximate_reasons(GPU.model_copy(update={"deterministic": True})) == ()


def test_state_that_is_not_saved_is_a_reason_on_resume_only():
    assert approximate_reasons(RUNTIME, resumes_exactly=False) == ()
    assert approximate_reasons(RUNTIME, RUNTIME, resumes_exactly=False) == (
        "checkpoints do not hold the whole state of the algorithm, e.g. its replay buffer",
    )


def test_a_run_stays_approximate_and_no_reason_is_repeated():
    first = approximate_reasons(GPU)
    assert approximate_reasons(GPU, GPU, first) == first
    on_cpu = approximate_reasons(RUNTIME, GPU, first)
    assert on_cpu == (NO_ORDER, "device was NVIDIA H200 and is CPU")
    assert approximate_reasons(RUNTIME, RUNTIME, on_cpu) == on_cpu
