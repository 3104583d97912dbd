"""NaN and infinity are detected at the first update with them, explained and saved; weights do not change."""

import json

import numpy as np
import pytest
from safetensors.numpy import load_file

from corridor import ALGORITHMS, FROM_REPLAY, SPEC, corridor_for, make_config, run, state_of
from paac_cli.algorithms.agent import make_agent
from paac_cli.errors import LearningError
from paac_cli.timestep import EPISODE_DTYPE, Rollout, TimeStep
from paac_cli.training.bad_batch import check_metrics, check_weights, find_cause

every_algorithm = pytest.mark.parametrize("name", ALGORITHMS)


def configured(name, **options):
    """The config of an algorithm, with several updates per `learn` if it supports them."""
    steps = {
        "dqn": {"steps_per_update": 1, "learning_starts": 4},
        "sac": {"utd_ratio": 1, "learning_starts": 4, "ent_coef": "auto"},
    }.get(name, {"num_steps": 3})
    return make_config(name, **ALGORITHMS[name] | steps | options)


def some_step(slot=3, num_steps=4):
    """A time step of two environments in a rollout of `num_steps` steps; everything is 0."""
    rollout = Rollout(
        np.zeros((num_steps + 1, 2, 5), np.float32),
        np.zeros((num_steps, 2), np.float32),
        np.zeros((num_steps, 2), np.bool_),
        np.zeros((num_steps, 2), np.bool_),
    )
    rows = rollout.obs[slot], rollout.reward[slot - 1], rollout.terminated[slot - 1], rollout.truncated[slot - 1]
    return TimeStep(*rows, np.zeros((2, 5), np.float32), np.empty(0, EPISODE_DTYPE), slot, rollout)


# --- no gradient that is not finite is applied


@every_algorithm
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_reward_that_is_not_finite_changes_neither_weights_nor_optimiser(name, bad):
    config = configured(name)
    agent, corridor = make_agent(config, SPEC), corridor_for(config)
    if name not in FROM_REPLAY:  # its batches are drawn from the whole buffer, which must hold nothing finite
        run(agent, corridor, 12)
    before = state_of(agent)
    corridor._rollout.reward[:] = bad
    metrics = run(agent, corridor, 9)
    assert not np.isfinite(metrics[-1]["train/grad_norm"])
    after = state_of(agent)
    for part in before:
        if part not in ("steps", "recurrent_state") and not part.startswith("replay/"):
            np.testing.assert_array_equal(after[part], before[part], err_msg=part)


def test_one_bad_minibatch_is_reported_by_the_last_metrics(tmp_path):
    """Advantages are not normalised, so only one row of the batch is bad, and good minibatches follow."""
    config = make_config("ppo", num_steps=4, num_minibatches=16, num_epochs=1, normalize_advantage=False)
    agent, corridor = make_agent(config, SPEC), corridor_for(config, length=1, truncates=False)
    corridor._rollout.reward[1, 2] = np.nan  # an episode of its own: one row of the batch
    (metrics,) = run(agent, corridor, 4)
    assert np.isfinite(metrics["train/policy_loss"])
    assert np.isnan(metrics["train/grad_norm"])
    with pytest.raises(LearningError, match=r"^train/grad_norm is nan at step 16. .* reward of environment 2 is nan"):
        check_metrics(metrics, agent, corridor.timestep(), 16, tmp_path)


# --- the cause is named


def test_the_step_of_a_bad_observation_worked_by_hand():
    """After 3 of 4 steps of 2 environments, at step 46: row 0 is from step 40, row 3 from step 46."""
    step = some_step()
    assert find_cause(step, 46, {}) is None
    step.rollout.obs[4, 0, 0] = np.nan  # of the previous rollout
    assert find_cause(step, 46, {}) is None
    step.rollout.obs[3, 1, 2] = np.inf
    assert find_cause(step, 46, {}) == "obs[2] of environment 1 is inf at step 46 (row 3 of its rollout)"
    step.rollout.obs[0, 0, 4] = np.nan
    assert find_cause(step, 46, {}) == "obs[4] of environment 0 is nan at step 40 (row 0 of its rollout)"


def test_the_step_of_a_bad_reward_worked_by_hand():
    """Row 0 of the rewards is from step 42."""
    step = some_step()
    step.rollout.reward[3, 0] = np.nan  # of the previous rollout
    assert find_cause(step, 46, {}) is None
    step.rollout.reward[2, 0] = -np.inf
    assert find_cause(step, 46, {}) == "reward of environment 0 is -inf at step 46 (row 2 of its rollout)"
    step.rollout.reward[0, 1] = np.nan
    assert find_cause(step, 46, {}) == "reward of environment 1 is nan at step 42 (row 0 of its rollout)"


def test_the_rollout_is_searched_before_the_last_batch():
    batch = {"action": np.zeros((4, 2), np.int32), "final_value": np.float32([[0, 0], [0, np.inf]])}
    step = some_step()
    assert find_cause(step, 46, batch) == "final_value[1, 1] is inf"
    step.rollout.reward[0, 1] = np.nan
    assert find_cause(step, 46, batch).startswith("reward")


# --- the batch is saved


@every_algorithm
def test_the_batch_is_saved(name, tmp_path):
    config = configured(name)
    agent, corridor = make_agent(config, SPEC), corridor_for(config)
    run(agent, corridor, 12)
    step = corridor.timestep()
    with pytest.raises(LearningError) as caught:
        check_metrics({"train/loss": 1.0, "train/q": np.nan}, agent, step, 1234, tmp_path)
    path = tmp_path / "bad_batch_step_000001234.safetensors"
    assert str(caught.value) == (
        "train/q is nan at step 1,234. A lower algorithm.learning_rate or algorithm.max_grad_norm may help. "
        f"Nothing after the last checkpoint is saved; the checkpoints remain valid. The batch is saved in {path}"
    )
    saved = json.loads(path.with_suffix(".json").read_text())
    assert saved["metrics"] == {"train/loss": 1.0, "train/q": "nan"}
    assert saved["error"] in str(caught.value)
    arrays = load_file(path)
    expected = {**step.rollout._asdict(), "final_obs": step.final_obs} | agent.memory.last_batch()
    assert arrays.keys() == expected.keys()
    assert {"obs", "reward", "terminated", "truncated", "final_obs"} < arrays.keys()
    for field, array in expected.items():
        np.testing.assert_array_equal(arrays[field], array)
    if name in FROM_REPLAY:
        assert len(arrays["replayed/reward"]) == 4 * config.algorithm.batch_size  # four updates a step


class AgentWithoutBatch:
    """Its latest update learned from the rollout alone."""

    class memory:  # noqa: N801
        @staticmethod
        def last_batch():
            return {}


def test_an_agent_without_a_batch_of_its_own_has_the_rollout_saved(tmp_path):
    with pytest.raises(LearningError, match="obs\\[2\\] of environment 1 is nan at step 46"):
        step = some_step()
        step.rollout.obs[3, 1, 2] = np.nan
        check_metrics({"loss": np.inf}, AgentWithoutBatch(), step, 46, tmp_path)
    assert load_file(tmp_path / "bad_batch_step_000000046.safetensors").keys() == {
        *Rollout._fields,
        "final_obs",
    }


def test_a_batch_that_cannot_be_written_does_not_hide_the_error(tmp_path):
    with pytest.raises(LearningError, match=r"^loss is inf at step 46. .* cannot be written: .*No such file"):
        check_metrics({"loss": np.inf}, AgentWithoutBatch(), some_step(), 46, tmp_path / "nowhere")


def test_finite_metrics_write_nothing(tmp_path):
    check_metrics({"loss": 1e30, "norm": 0.0}, AgentWithoutBatch(), some_step(), 46, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_weights_that_are_not_finite_are_refused():
    check_weights({"steps": np.array(3), "kernel": np.zeros((2, 2), np.float32)}, 64)
    with pytest.raises(LearningError, match=r"^kernel\[1, 0\] is -inf at step 64. This checkpoint is not saved"):
        check_weights({"steps": np.array(3), "kernel": np.float32([[0, 0], [-np.inf, 0]])}, 64)
