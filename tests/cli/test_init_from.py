"""`--init-from`: where policies are found, and runs that begin with them."""

import shutil

import pytest

from checkpoints import checkpoint_of
from paac_cli.config.load import load_config, read_config
from paac_cli.config.schema import InitFrom
from paac_cli.errors import CheckpointError, ConfigError
from paac_cli.runs.checkpoint import load_policy_arrays, save_checkpoint
from paac_cli.runs.checkpoint_names import list_checkpoints
from paac_cli.runs.find import find_policy_arrays
from paac_cli.training.warm_start import find_initial_policy
from run_paac import paac_here
from short_runs import QUICK, final_state

CARTPOLE = {"env": {"id": "CartPole-v1"}, "network": {"torso": "mlp"}, "training": {"total_steps": 1000}}
RELU = {"network": {"torso": "mlp", "activation": "relu"}}
BINS = {"algorithm": {"name": "nstep_q", "hl_gauss": {}}}
OTHER_BINS = {"algorithm": {"name": "nstep_q", "hl_gauss": {"v_max": 99.0}}}


def test_a_policy_is_found_in_a_run_directory_and_in_a_checkpoint(trained):
    best, *others = find_policy_arrays(trained, print)
    assert best.sha256 == load_policy_arrays(next((trained / "checkpoints").glob("best_*"))).sha256
    newest = list_checkpoints(trained / "checkpoints")[0]
    (found,) = find_policy_arrays(newest, print)
    assert found.sha256 in {one.sha256 for one in others}


def test_the_policy_with_the_digest_of_the_config_is_found_or_its_absence_an_error(trained, tmp_path):
    def find(path, sha256=None):
        init_from = InitFrom(path=str(path), sha256=sha256)
        return find_initial_policy(
            read_config(trained / "config.yaml").model_copy(update={"init_from": init_from}), print
        )

    for one in find_policy_arrays(trained, print):
        assert find(trained, one.sha256).sha256 == one.sha256
    with pytest.raises(ConfigError, match="holds no policy with SHA-256 aaaa"):
        find(trained, "a" * 64)
    with pytest.raises(CheckpointError, match="is neither a run directory nor a checkpoint"):
        find(tmp_path)


@pytest.mark.parametrize(
    ("trained_with", "now", "message"),
    [
        ({}, RELU, "network.activation = tanh, and its weights mean something else with relu"),
        (BINS, OTHER_BINS, "algorithm.hl_gauss.v_max = 10.0, and its weights mean something else with 99.0"),
        ({}, {"network": {"torso": "mlp", "activation": "tanh"}}, None),  # which null stands for
        ({}, BINS, None),  # has no such weights
    ],
)
def test_weights_that_mean_something_else_are_refused_although_their_shapes_fit(trained_with, now, message, tmp_path):
    path = save_checkpoint(tmp_path, checkpoint_of(100, load_config(CARTPOLE | trained_with, "test")), keep=1)
    run = load_config(CARTPOLE | now, "test").model_copy(update={"init_from": InitFrom(path=str(path))})
    if message is None:
        assert find_initial_policy(run, print).sha256 == load_policy_arrays(path).sha256
    else:
        with pytest.raises(ConfigError, match=message):
            find_initial_policy(run, print)


def test_a_damaged_policy_is_not_taken(trained, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(trained, copy)
    (best,) = (copy / "checkpoints").glob("best_*")
    with (best / "policy.safetensors").open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\xff")
    warnings = []
    assert len(find_policy_arrays(copy, warnings.append)) == len(find_policy_arrays(trained, print)) - 1
    assert "skipped a checkpoint" in warnings[0]
    with pytest.raises(CheckpointError, match="damaged"):
        find_policy_arrays(best, print)


def test_a_run_begins_with_a_policy_resumes_and_is_verified(trained, tmp_path):
    source, run_dir = tmp_path / "source", tmp_path / "run"
    shutil.copytree(trained, source)
    command = ["train", *QUICK, "--run-dir", run_dir, "--init-from", source]
    assert f"Beginning with 8 arrays of the policy in {source}" in paac_here(*command, "--total-steps", "640").output
    digest = find_policy_arrays(source, print)[0].sha256
    assert read_config(run_dir / "config.yaml").init_from == InitFrom(path=str(source), sha256=digest)
    (best,) = (source / "checkpoints").glob("best_*")
    (source / "checkpoints" / best.name.replace("best", "step")).rename(tmp_path / "the same policy")
    best.rename(tmp_path / "best")  # now another one is the best
    output = paac_here(*command, "--total-steps", "1280").output
    assert "Resuming at step 640" in output
    assert "Beginning with" not in output
    paac_here("train", *QUICK, "--run-dir", tmp_path / "cold", "--total-steps", "1280")
    assert final_state(run_dir) != final_state(tmp_path / "cold")
    refused = paac_here("verify", run_dir, "--from-start", code=2)
    assert f"holds no policy with SHA-256 {digest} any more" in refused.stderr
    (tmp_path / "best").rename(best)
    assert "Identical, bit for bit." in paac_here("verify", run_dir, "--from-start").stdout


def test_another_policy_is_another_run(trained, tmp_path):
    command = ["train", *QUICK, "--run-dir", tmp_path / "run", "--total-steps", "64"]
    paac_here(*command)
    result = paac_here(*command, "--init-from", trained, code=2)
    assert f"init_from.path: None in the run, '{trained}' now" in result.stderr
    assert "init_from: " not in result.stderr


def test_a_directory_without_a_run_is_an_error(tmp_path):
    result = paac_here("train", *QUICK, "--run-dir", tmp_path / "run", "--init-from", tmp_path, code=2)
    assert f"{tmp_path} is neither a run directory nor a checkpoint" in result.stderr
    assert not (tmp_path / "run").exists()


def test_a_run_that_was_killed_before_its_first_checkpoint_begins_with_the_same_policy_again(trained, tmp_path):
    source, run_dir = tmp_path / "source", tmp_path / "run"
    shutil.copytree(trained, source)
    command = ["train", *QUICK, "--run-dir", run_dir, "--set", f"init_from.path={source}", "--total-steps", "640"]
    paac_here(*command)
    expected = final_state(run_dir)
    shutil.rmtree(run_dir / "checkpoints")
    (best,) = (source / "checkpoints").glob("best_*")
    shutil.rmtree(best)  # only other policies and the same one in a checkpoint are left
    paac_here(*command)
    assert final_state(run_dir) == expected
