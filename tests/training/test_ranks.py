"""Several ranks train the run of one process, apart from the rounding of sums."""

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from chaos.session import wait_for
from paac_cli.errors import ClusterError, ConfigError
from paac_cli.runs.checkpoint import load_checkpoint
from paac_cli.runs.checkpoint_names import list_checkpoints
from paac_cli.training import processes
from paac_cli.training.cluster import Cluster, find_cluster, wait_for_all
from paac_cli.training.launch import Ended, can_be_repeated, describe_failures, exit_code
from paac_cli.training.slurm import slurm_cluster
from short_runs import final_state, logged_steps, metrics_rows

UPDATES, NUM_ENVS, NUM_STEPS = 50, 5, 8
#: An optimiser that does not amplify rounding: its steps are nearly proportional to the gradient.
OPTIMIZER = "algorithm.optimizer={name: rmsprop, epsilon: 1.0}"
RUN = [
    *("--env", "CartPole-v1", "--num-envs", str(NUM_ENVS), "--total-steps", str(UPDATES * NUM_ENVS * NUM_STEPS)),
    *("--set", f"algorithm.num_steps={NUM_STEPS}", "--set", OPTIMIZER, "--set", "training.stop_when=null"),
    *("--set", "algorithm.learning_rate=0.01", "--set", "network.normalize_obs=true"),
    *("--set", "training.log_every=40", "--set", "algorithm.normalize_reward=true", "--set", "training.device=cpu"),
    *("--set", "env.fresh_per_episode=false"),
]
#: Algorithm -> further settings. Minibatches are drawn from the experience of all ranks.
ALGORITHMS = {
    "paac": ["--set", "algorithm.normalize_advantage=true"],
    "ppo": ["--set", "algorithm.num_epochs=2", "--set", "algorithm.num_minibatches=4"],
    "nstep_q": ["--set", "algorithm.num_epochs=2", "--set", "algorithm.num_minibatches=4"],
    "ppo+gru": [
        *("--set", "algorithm.num_epochs=2", "--set", "algorithm.num_minibatches=5"),
        *("--set", "network.recurrent={cell: gru, size: 8}"),
    ],
}


def start(run_dir, *arguments, launcher=()):
    """Start `paac LAUNCHER train`."""
    return run_paac(*launcher, "train", "--preset", "cartpole", "--run-dir", run_dir, *arguments)


def run_paac(*arguments):
    """Start `paac` with everything that it prints in one pipe."""
    command = [sys.executable, "-m", "paac_cli", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finish(process, code=0):
    """What the process prints until it ends with `code`."""
    output, _ = process.communicate(timeout=200)
    assert process.returncode == code, output
    return output


def launch(ranks, run_dir, *arguments):
    """Train in `ranks` ranks, or for 1 in a process that knows nothing of ranks."""
    finish(start(run_dir, *arguments, launcher=["launch", "--ranks", str(ranks), "--"] if ranks > 1 else []))
    return load_checkpoint(list_checkpoints(run_dir / "checkpoints")[0])


def children(pid):
    """Process ids of the children of `pid`, in the order in which they were started."""
    return sorted(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


@pytest.mark.parametrize(
    "algorithm",
    [pytest.param(name, marks=() if name == "ppo" else pytest.mark.slow) for name in ALGORITHMS],
)
def test_ranks_with_uneven_shares_learn_what_one_process_learns(algorithm, tmp_path):
    arguments = ["--algorithm", algorithm.partition("+")[0], *RUN, *ALGORITHMS[algorithm]]
    one, two = (launch(ranks, tmp_path / str(ranks), *arguments) for ranks in (1, 2))
    assert one.counters.updates == two.counters.updates > 0
    assert one.counters.episodes == two.counters.episodes > 0
    for name, array in one.sampling.items():
        np.testing.assert_array_equal(two.sampling[name], array, err_msg=name)
    for name in ("scores", "lengths"):
        np.testing.assert_array_equal(two.progress[name], one.progress[name])
    for part in ("policy", "learner"):
        for name, array in getattr(one, part).items():
            np.testing.assert_allclose(getattr(two, part)[name], array, rtol=1e-5, atol=1e-6, err_msg=name)
    rows = [metrics_rows(tmp_path / name) for name in ("1", "2")]
    for first, second in zip(*rows, strict=True):
        for name in ("steps", "rollout/episodes", "rollout/ep_rew_mean"):
            assert first[name] == second[name]
        for name in ("train/grad_norm", "train/value_loss"):
            assert float(first[name]) == pytest.approx(float(second[name]), rel=1e-3)


def test_if_learning_diverges_all_ranks_end_and_the_batch_of_all_is_saved(tmp_path):
    arguments = [*RUN, "--set", "algorithm.learning_rate=1e30"]
    batches = []
    for ranks in (1, 2):
        run_dir = tmp_path / str(ranks)
        launcher = ["launch", "--ranks", str(ranks), "--"] if ranks > 1 else []
        output = finish(start(run_dir, *arguments, launcher=launcher), code=1)
        assert output.count("Nothing after the last checkpoint is saved") == ranks
        assert "does not answer" not in output
        (path,) = run_dir.glob("bad_batch_*.safetensors")
        assert f"The batch is saved in {path}" in output
        batches.append(load_file(path))
    one, two = batches
    assert one["obs"].shape == (NUM_STEPS + 1, NUM_ENVS, 4)
    assert one.keys() == two.keys()
    for name in one.keys() - {"final_value"}:
        np.testing.assert_array_equal(two[name], one[name], err_msg=name)


LONG = [
    *("--num-envs", "4", "--total-steps", "12800", "--set", "training.stop_when=null"),
    *("--set", "training.checkpoint_every=1280", "--set", "training.log_every=1280", "--set", "training.device=cpu"),
    *("--set", "env.fresh_per_episode=false"),
]


LAUNCHER = ["launch", "--ranks", "2", "--"]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """A run of two ranks."""
    run_dir = tmp_path_factory.mktemp("ranks") / "run"
    launch(2, run_dir, *LONG)
    return run_dir


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(signal.SIGKILL, id="killed"),
        pytest.param(signal.SIGSTOP, id="stopped", marks=pytest.mark.slow),  # is noticed after 10 s
    ],
)
@pytest.mark.parametrize("rank", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_if_a_rank_fails_all_start_again_and_the_result_is_the_same(rank, number, undisturbed, tmp_path):
    process = start(tmp_path / "run", *LONG, launcher=["launch", "--ranks", "2", "--"])
    assert wait_for(lambda: list((tmp_path / "run" / "checkpoints").glob("step_*")), 60)
    os.kill(children(process.pid)[rank], number)
    output = finish(process)
    assert f"because rank {rank} does not answer any more" in output
    how = "was killed by SIGKILL" if number == signal.SIGKILL else "was stopped"
    assert f"Warning: rank {rank} {how}. All ranks start again from the last checkpoint; 2 restarts left" in output
    assert final_state(tmp_path / "run") == final_state(undisturbed)


def test_an_environment_that_fails_in_one_rank_ends_all_for_good(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]), prepend=os.pathsep)
    pids, run_dir = tmp_path / "pids", tmp_path / "run"
    env = ["--env", "rude_envs:NeedsSimulator-v0", "--set", f"env.kwargs={{pids: '{pids}-{{env_index}}'}}"]
    quick = [*LONG, "--total-steps", "1000000", "--set", "env.fresh_per_episode=false"]
    process = start(run_dir, *env, *quick, launcher=["launch", "--ranks", "2", "--"])
    assert wait_for(lambda: (run_dir / "metrics.csv").exists(), 60)
    os.kill(int(Path(f"{pids}-3").read_text().split()[-1]), signal.SIGKILL)
    output = finish(process, code=1)
    assert "rank 1: Error: worker 2 (environments 2-3) failed in step" in output
    assert "ConnectionError: the simulator has ended" in output
    assert "Error: rank 0 ends, because rank 1 does not answer any more" in output
    assert "start again" not in output


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), pytest.param(signal.SIGUSR1, 75, marks=pytest.mark.slow)]
)
def test_a_signal_to_one_rank_stops_all_with_a_checkpoint_that_any_number_of_ranks_resumes(number, code, tmp_path):
    run_dir = tmp_path / "run"
    process = start(run_dir, *LONG, launcher=["launch", "--ranks", "2", "--"])
    assert wait_for(lambda: (run_dir / "metrics.csv").exists() and len(metrics_rows(run_dir)) > 0, 60)
    os.kill(children(process.pid)[1], number)
    assert "saving a checkpoint" in finish(process, code)
    saved = load_checkpoint(list_checkpoints(run_dir / "checkpoints")[0])
    assert 0 < saved.counters.steps < 12_800
    output = finish(start(run_dir, *LONG))
    assert f"Resuming at step {saved.counters.steps:,}" in output
    assert "ranks was 2 and is 1" in output
    assert load_checkpoint(list_checkpoints(run_dir / "checkpoints")[0]).counters.steps >= 12_800


def test_sigusr1_while_ranks_start_has_the_exit_code_for_a_requeue(tmp_path):
    """They do not handle it yet, and end by it."""
    process = start(tmp_path / "run", *LONG, launcher=["launch", "--ranks", "2", "--"])
    assert wait_for(lambda: len(children(process.pid)) == 2, 60)
    process.send_signal(signal.SIGUSR1)
    finish(process, 75)


def test_rank_0_evaluates_while_the_others_wait_and_a_signal_to_one_of_them_interrupts_it(undisturbed, tmp_path):
    run_dir = tmp_path / "run"
    evaluate = ["--set", "training.evaluate_every=6000", "--set"]
    process = start(run_dir, *LONG, *evaluate, "training.evaluate_episodes=5000", launcher=LAUNCHER)
    assert wait_for(lambda: (run_dir / "metrics.csv").exists() and 5120 in logged_steps(run_dir), 60)
    assert not wait_for(lambda: 6400 in logged_steps(run_dir), 3), "no evaluation has begun"
    os.kill(children(process.pid)[1], signal.SIGTERM)
    finish(process, 143)
    saved = load_checkpoint(list_checkpoints(run_dir / "checkpoints")[0])
    assert (saved.counters.steps, saved.evaluation_due) == (6016, True)
    output = finish(start(run_dir, *LONG, *evaluate, "training.evaluate_episodes=10", launcher=LAUNCHER))
    assert output.count("Evaluating every 6,000 steps") == 1
    rows = metrics_rows(run_dir)
    assert [row["steps"] for row in rows if row["eval/ep_rew_mean"]] == ["6016", "12032"]
    assert final_state(run_dir) == final_state(undisturbed)


def test_a_run_of_two_ranks_is_verified_in_two_ranks(undisturbed):
    output = finish(run_paac("verify", undisturbed))
    assert "in each of 2 ranks" in output
    assert "Restarted worker 0 (environments 0-1)" in output
    assert "rank 1: Restarted worker 2 (environments 2-3)" in output
    assert output.endswith("Identical, bit for bit.\n")


def test_ranks_begin_with_the_policy_that_rank_0_finds(undisturbed, tmp_path):
    arguments = [*LONG, "--total-steps", "640", "--init-from", undisturbed]
    output = finish(start(tmp_path / "run", *arguments, launcher=["launch", "--ranks", "2", "--"]))
    assert output.count("Beginning with 8 arrays of the policy") == 1
    output = finish(run_paac("verify", tmp_path / "run", "--from-start"))
    assert output.endswith("Identical, bit for bit.\n")


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def test_ranks_with_other_settings_are_refused_in_every_rank(tmp_path):
    addresses = ",".join(f"127.0.0.1:{free_port()}" for _ in range(2))
    ranks = [
        start(tmp_path / "run", *LONG, "--seed", str(rank), "--cluster", addresses, "--rank", str(rank))
        for rank in range(2)
    ]
    for process in ranks:
        assert "the same settings and the same seed; different from rank 0: 1" in finish(process, code=1)
    assert not (tmp_path / "run" / "config.yaml").exists()


def set_slurm_task(monkeypatch, node, local_id, task, *, nodes, counts, job=7, step=0):
    """Set the variables that Slurm sets for a task of a step: task `local_id` on `node`.

    task: its SLURM_PROCID. counts: number of tasks on each of `nodes`.
    """
    variables = {
        **{"SLURMD_NODENAME": node, "SLURM_LOCALID": local_id, "SLURM_PROCID": task},
        **{"SLURM_JOB_ID": job, "SLURM_STEP_ID": step, "SLURM_STEP_NUM_TASKS": sum(counts)},
        **{"SLURM_STEP_NODELIST": nodes, "SLURM_STEP_TASKS_PER_NODE": ",".join(map(str, counts))},
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, str(value))


@pytest.mark.parametrize("distribution", ["block", "cyclic"])
def test_each_task_of_a_slurm_step_finds_its_own_rank(distribution, monkeypatch):
    tasks = [("node8", 0), ("node8", 1), ("node9", 0), ("node10", 0), ("node10", 1), ("node11", 0)]
    if distribution == "cyclic":
        tasks.sort(key=lambda task: task[1])
    clusters = {}
    for index, (node, local_id) in enumerate(tasks):
        set_slurm_task(monkeypatch, node, local_id, index, nodes="node[8-11]", counts=[2, 1, 2, 1])
        clusters[node, local_id] = slurm_cluster()
    (addresses,) = {cluster.addresses for cluster in clusters.values()}
    first_port = int(addresses[0].rpartition(":")[2])
    assert {task: addresses[cluster.rank] for task, cluster in clusters.items()} == {
        (node, local_id): f"{node}:{first_port + local_id}" for node, local_id in tasks
    }
    assert clusters["node10", 0].rank == 0


def test_steps_that_run_at_the_same_time_have_ports_of_their_own(monkeypatch):
    addresses = []
    for job, step in [(7, 0), (7, 1), (8, 0), (8, 1)]:
        set_slurm_task(monkeypatch, "a", 0, 0, nodes="a", counts=[4], job=job, step=step)
        addresses += slurm_cluster().addresses
    assert len(set(addresses)) == 16


@pytest.mark.parametrize(("gpus_per_task", "expected"), [(None, [0, 1]), ("1", [0, 0])])
def test_a_task_to_which_slurm_shows_only_its_own_gpu_uses_that(gpus_per_task, expected, monkeypatch):
    if gpus_per_task is not None:
        monkeypatch.setenv("SLURM_GPUS_PER_TASK", gpus_per_task)
    found = []
    for local_id in range(2):
        set_slurm_task(monkeypatch, "a", local_id, local_id, nodes="a", counts=[2])
        found.append(slurm_cluster().local_rank)
    assert found == expected


def test_a_task_that_is_not_in_the_list_of_its_step_is_an_error(monkeypatch):
    set_slurm_task(monkeypatch, "other", 0, 0, nodes="node[1-2]", counts=[1, 1])
    with pytest.raises(ClusterError, match=r"this task is at other:\d+, and its step at node1:\d+, node2:\d+"):
        slurm_cluster()


def test_the_tasks_of_a_slurm_step_are_ranks(tmp_path, monkeypatch):
    arguments = [*LONG, "--total-steps", "640"]
    ranks = []
    for rank in range(2):
        set_slurm_task(monkeypatch, "localhost", rank, rank, nodes="localhost", counts=[2], job=os.getpid())
        ranks.append(start(tmp_path / "run", *arguments))
    assert "4 environments on 1 worker in each of 2 ranks" in finish(ranks[0])
    assert finish(ranks[1]) == ""


def test_a_rank_that_never_comes_and_a_port_in_use_are_errors():
    own, other = (f"127.0.0.1:{free_port()}" for _ in range(2))
    with pytest.raises(ClusterError, match=f"rank 1 got no answer within 0.2 s from rank 0 at {other}"):
        wait_for_all(Cluster((other, own), 1), timeout=0.2)
    with socket.create_server(("", 0)) as server:
        busy = f"127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(ClusterError, match=f"rank 0 cannot listen at {busy}: Address already in use"):
            wait_for_all(Cluster((busy, own), 0), timeout=0.2)


def test_a_connection_that_takes_too_long_ends_the_process_with_one_error():
    waiting = (
        "from paac_cli.training.connection import _at_most; import time\nwith _at_most(0.2, 'too late'): time.sleep(60)"
    )
    ended = subprocess.run([sys.executable, "-c", waiting], capture_output=True, text=True, timeout=50, check=False)
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1] == "Error: too late"
    assert "Traceback" not in ended.stderr


def test_cores_are_shared_among_ranks_as_far_as_a_quota_allows(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))
    monkeypatch.setattr(processes, "available_cores", lambda: 8)
    assert processes.split_cores(3) == [{0, 1}, {2, 3, 4}, {5, 6, 7}]
    monkeypatch.setattr(processes, "available_cores", lambda: 4)
    assert processes.split_cores(2) == [{0, 1}, {4, 5}]
    assert processes.split_cores(9)[7:] == [{7}, {0}]


def test_ranks_on_one_host_count_from_zero():
    cluster = Cluster(("a:1", "b:1", "a:2", "b:2", "b:3"), 0)
    assert [cluster._replace(rank=rank).local_rank for rank in range(5)] == [0, 0, 1, 1, 2]


def test_a_cluster_is_described_by_flags_or_by_tf_config():
    expected = Cluster(("a:1", "b:2"), 1)
    assert find_cluster("a:1,b:2", 1, {}) == find_cluster("a:1, b:2 ", 1, {}) == expected
    workers = '{"cluster": {"worker": ["a:1", "b:2"]}, "task": {"type": "worker", "index": 1}}'
    assert find_cluster(None, None, {"TF_CONFIG": workers}) == expected
    with_chief = '{"cluster": {"chief": ["a:1"], "worker": ["b:2"]}, "task": {"type": "worker", "index": 0}}'
    assert find_cluster(None, None, {"TF_CONFIG": with_chief}) == expected
    assert find_cluster(None, None, {}) is None
    assert find_cluster(None, None, {"TF_CONFIG": "{}"}) is None


@pytest.mark.parametrize(
    ("addresses", "rank", "variables", "message"),
    [
        ("a:1", None, {}, "go together"),
        (None, 0, {}, "go together"),
        ("a:1,b", 0, {}, "'b' is not HOST:PORT"),
        ("a:1,b:99999", 0, {}, "is not HOST:PORT"),
        ("a:1,[::1]:2", 0, {}, "'[::1]' is an IPv6 address; give a host name or an IPv4 address"),
        ("a:1,a:1", 0, {}, "names an address twice"),
        ("a:1,b:2", 2, {}, "a rank is 0 to 1, not 2"),
        (None, None, {"TF_CONFIG": "{"}, "TF_CONFIG is not a description of a cluster"),
        (None, None, {"TF_CONFIG": "[]"}, "TF_CONFIG is not a description of a cluster"),
        (None, None, {"TF_CONFIG": '{"cluster": {"ps": ["a:1"], "worker": ["b:2"]}}'}, "has a job 'ps'"),
    ],
)
def test_wrong_descriptions_of_a_cluster_are_config_errors(addresses, rank, variables, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        find_cluster(addresses, rank, variables)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--algorithm", "dqn"], "algorithm dqn trains in one process, not in 2 ranks"),
        (["--num-envs", "1"], "2 ranks need at least as many environments"),
        (["--num-envs", "4", "--set", "sampling.overlap=true"], "sampling.overlap is for one process"),
        (["--set", "training.jit_compile=true"], "training.jit_compile is for one process"),
    ],
)
def test_what_several_ranks_cannot_do_is_refused_at_once(arguments, message, tmp_path):
    cluster = ["--cluster", "127.0.0.1:1,127.0.0.1:2", "--rank", "0"]
    assert message in finish(start(tmp_path / "run", *arguments, *cluster), code=2)


def test_the_exit_code_is_that_of_a_rank_that_failed_by_itself():
    assert exit_code([Ended(0), Ended(0)]) == 0
    assert exit_code([Ended(-9, was_slow=True), Ended(2)]) == 2
    assert exit_code([Ended(143), Ended(-15)]) == 143
    assert exit_code([Ended(-9, was_stopped=True), Ended(1)]) == -9


def test_a_signal_without_a_name_is_described_by_its_number():
    assert describe_failures([Ended(0), Ended(-9), Ended(-35)]) == (
        "rank 1 was killed by SIGKILL and rank 2 was killed by signal 35"
    )


def test_only_ranks_that_were_killed_are_started_again():
    assert can_be_repeated([Ended(1), Ended(-9)])
    assert can_be_repeated([Ended(1), Ended(-9, was_stopped=True)])
    assert not can_be_repeated([Ended(1), Ended(1)])
    assert not can_be_repeated([Ended(1), Ended(-9, was_slow=True)])
    assert not can_be_repeated([Ended(2), Ended(-9)])
    assert not can_be_repeated([Ended(143), Ended(-15)])
    assert not can_be_repeated([Ended(1), Ended(-15)])
