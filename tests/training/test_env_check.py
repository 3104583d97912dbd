"""A new run checks its environment, keeps what was found, and says what follows from it."""

import pytest

from minimal_config import load
from paac_cli.config.env import EnvConfig
from paac_cli.config.schema import SamplingConfig
from paac_cli.runs.checkpoint import Checkpoint
from paac_cli.sampling.describe import find_determinism
from paac_cli.spec import Determinism
from paac_cli.training.env_check import approximate_reason, information
from paac_cli.training.loading import load_training
from paac_cli.training.stop import StopRequest
from pools import unexpected
from toy_envs import Counting, config_of

DIFFERS = "a replayed game differs in the reward of step 3"


def loaded_fresh(env, checkpoint=None, setting="auto"):
    """`fresh_per_episode` and what was found, for a run in `env`."""
    config = load(env={"id": env, "fresh_per_episode": setting}, sampling__num_envs=1, network__hidden_sizes=[4])
    with load_training(config, None, None, unexpected, StopRequest(), checkpoint) as training:
        return training.config.env.fresh_per_episode, training.determinism


@pytest.mark.parametrize(
    ("env", "is_fresh", "verdict"),
    [
        ("CartPole-v1", False, "exact"),
        ("odd_envs:Carrying-v0", True, "carries state"),
        ("odd_envs:Random-v0", False, "random"),
        ("odd_envs:Failing-v0", False, "unknown"),
    ],
)
def test_a_new_run_checks_its_environment_and_stores_whether_it_makes_new_ones(env, is_fresh, verdict):
    fresh, found = loaded_fresh(env)
    assert (fresh, found.verdict) == (is_fresh, verdict)


@pytest.mark.parametrize("setting", [True, False])
def test_a_setting_that_is_not_auto_is_not_checked(setting):
    assert loaded_fresh("odd_envs:Carrying-v0", setting=setting) == (setting, None)


@pytest.mark.parametrize("stored", [True, False])
def test_a_resumed_run_keeps_what_was_stored(stored):
    run = load(env={"id": "odd_envs:Carrying-v0", "fresh_per_episode": stored})
    checkpoint = Checkpoint(run, *[None] * 2, policy=None, learner={}, sampling={}, progress={}, runtime=None)
    assert loaded_fresh("odd_envs:Carrying-v0", checkpoint) == (stored, None)


@pytest.mark.parametrize("fault", ["SIGKILL", "SIGSEGV"])
def test_an_environment_that_crashes_in_the_check_does_not_end_the_run(fault):
    config = config_of(Counting, fault_in="step", fault=fault)
    found = find_determinism(config, SamplingConfig())
    assert found.verdict == "unknown"
    assert found.detail.startswith(f"the check failed: killed by {fault}")


def test_an_environment_that_hangs_in_the_check_does_not_end_the_run():
    config = config_of(Counting, fault_in="step", fault="spin")
    found = find_determinism(config, SamplingConfig(worker_timeout=1.0))
    assert found.verdict == "unknown"


def test_an_environment_that_exits_in_the_check_does_not_end_the_run():
    config = config_of(Counting, raises_at_step=1, exception="SystemExit", message="bye")
    found = find_determinism(config, SamplingConfig())
    assert found.verdict == "unknown"
    assert found.detail.startswith("the check failed: ")


def test_atari_games_are_not_checked():
    assert find_determinism(EnvConfig(id="ALE/Pong-v5"), SamplingConfig()) == Determinism("exact")


@pytest.mark.parametrize(
    ("found", "reason", "text"),
    [
        (Determinism("exact"), None, None),
        (
            Determinism("carries state"),
            None,
            "Maze-v0 carries state from one game to the next: every game gets a new environment "
            "(env.fresh_per_episode)",
        ),
        (
            Determinism("carries state", "the reward of step 3"),
            None,
            f"Maze-v0 carries state from one game to the next ({DIFFERS}): every game gets a new environment "
            "(env.fresh_per_episode)",
        ),
        (
            Determinism("random", "the reward of step 3"),
            f"games of Maze-v0 are not functions of their seeds and actions ({DIFFERS}), probably because reset() "
            "does not call super().reset(seed=seed), or not all random numbers come from self.np_random",
            None,
        ),
        (
            Determinism("ignores its seed", "the reward of step 3"),
            f"Maze-v0 carries state from one game to the next ({DIFFERS}), and new environments would make all games "
            "the same, because it draws no random numbers from self.np_random",
            None,
        ),
        (
            Determinism("exact", "only 7 steps of a game, because it is slow"),
            None,
            "Whether Maze-v0 carries state from one game to the next was checked in only 7 steps of a game, because it "
            "is slow. So that the answer does not depend on the speed of the machine, set env.fresh_per_episode to "
            "false if games are independent of each other, otherwise to true, which is slower",
        ),
        (Determinism("unknown"), None, None),
        (
            Determinism("unknown", "the check failed with ValueError"),
            None,
            "Whether Maze-v0 carries state from one game to the next is unknown: the check failed with ValueError",
        ),
    ],
    ids=lambda value: value.verdict if isinstance(value, Determinism) else "",
)
def test_what_was_found_is_said_and_what_cannot_be_promised_is_a_reason(found, reason, text):
    assert approximate_reason("Maze-v0", found) == reason
    assert information("Maze-v0", found) == text
