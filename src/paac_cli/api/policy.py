"""Plays with a trained policy, one action at a time."""

import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from paac_cli.config.schema import RunConfig
from paac_cli.config.trust import ANY_CODE, add_cwd_to_path
from paac_cli.envs.action_mask import MaskWriter
from paac_cli.envs.as_gymnasium import as_gymnasium
from paac_cli.envs.checks import make_check
from paac_cli.envs.make import describe_env
from paac_cli.envs.spaces import ActionTranslator, ObservationTranslator
from paac_cli.errors import EnvOutputError
from paac_cli.import_tensorflow import import_tensorflow
from paac_cli.runs.checkpoint import TrainedPolicy
from paac_cli.runs.find import find_policy

if TYPE_CHECKING:
    import gymnasium


def load_policy(
    path: str | os.PathLike[str], *, last: bool = False, seed: int = 0, trust_code: bool = False
) -> "Policy":
    """The policy at `path`: a run directory, whose best policy is taken, or a single checkpoint.

    last:       take the newest checkpoint of a run instead of its best policy.
    seed:       of the noise with which actions are sampled.
    trust_code: import code of your own that the run names, such as its environment, also from the current directory.
                Do not trust runs of others without a look at that code.

    Raises PaacError: CheckpointError if there is no valid checkpoint, TrustError if the run names code and `trust_code`
    is not set, EnvironmentSpecError if its environment cannot be made. Warns of damaged checkpoints and skips them.
    TensorFlow plays on the CPU, and sees no GPU any more in this process.
    """
    if trust_code:
        add_cwd_to_path()
    skipped: list[str] = []
    _, trained = find_policy(Path(path), last=last, warn=skipped.append, trusted=ANY_CODE if trust_code else ())
    for text in skipped:
        warnings.warn(text, stacklevel=2)
    return Policy(trained, seed)


class Choice(NamedTuple):
    """The action of a policy for an observation, and its estimates."""

    action: Any  #: as in the action space
    #: Estimate of the discounted return, of rewards as learning gets them: clipped or normalised. Of `sac` it is that
    #: of `action`, with the rewards for entropy.
    value: float
    #: [A], of each action if the action space is Discrete, in its order, whatever its `start`; otherwise [0]. Of
    #: algorithms with a policy it is that of sampling; of `dqn` and `nstep_q` it depends on `greedy`.
    probability: NDArray[np.float32]


class Policy:
    """A trained policy: observations of its environment in, actions for it out."""

    def __init__(self, trained: TrainedPolicy, seed: int = 0) -> None:
        """seed: of the noise with which actions are sampled."""
        self.config: RunConfig = trained.config  #: of the training
        self.steps = trained.counters.steps  #: agent steps of the training until this policy
        env_config = self.config.env
        self._spec = describe_env(env_config)
        env = self.make_env()
        self._check = make_check(env.observation_space, ())
        stacked = 1 if env_config.is_atari else env_config.frame_stack  # Atari's frames are on the last axis already
        self._observations = ObservationTranslator(env.observation_space, stacked, env_config.id)
        self._actions = ActionTranslator(env.action_space, env_config.id)
        env.close()
        self._mask = MaskWriter(self._spec.without_mask(), env_config.id) if self._spec.has_mask else None
        import_tensorflow()
        from paac_cli.training.trained_agent import load_agent

        self._agent = load_agent(self.config, self._spec, trained.policy)
        self._seed, self._acts, self._steps_of_game = seed, 0, 0
        self._state: NDArray | None = None  # of the recurrent cell

    def make_env(self, render_mode: str | None = None) -> "gymnasium.Env[Any, Any]":
        """The environment of the training, prepared as it was: Atari's rule set, wrappers, conversion of images.

        Rewards are raw, and an Atari game is played until its end. One environment plays all games: with
        `env.fresh_per_episode`, make a new one for each. render_mode: None or "rgb_array". Raises EnvironmentSpecError.
        """
        return as_gymnasium(self.config.env, render_mode)

    def reset(self) -> None:
        """Begin a new game. Call it before each: a recurrent policy forgets the one before."""
        self._state, self._steps_of_game = None, 0

    def act(self, obs: Any, info: dict[str, Any] | None = None, *, greedy: bool = False) -> Any:
        """The action for `obs`, both as in the spaces of `make_env()`.

        info:   as from `reset` or `step`; needed only if the environment reports action masks (`env.action_mask`), or
                for a recurrent policy in an Atari game, which forgets what was before a lost life, as in training.
        greedy: choose the most probable action; otherwise sample from the policy.

        The sampled actions depend on `seed` and on how many actions were chosen before. Raises EnvOutputError if `obs`
        does not fit the observation space, or the mask is missing or invalid.
        """
        return self.choose(obs, info, greedy=greedy).action

    def choose(self, obs: Any, info: dict[str, Any] | None = None, *, greedy: bool = False) -> Choice:
        """The action that `act` returns for the same arguments, with the estimates of the policy."""
        if problem := self._check(obs):
            raise EnvOutputError(problem)
        rows = np.zeros((1, *self._spec.obs_shape), self._spec.obs_dtype)
        if self._mask is None:
            self._observations.write(obs, rows[0])
        elif info is None:
            raise EnvOutputError("this policy needs the action mask: act(obs, info), with the info of reset or step")
        else:
            self._observations.write(obs, self._mask.split(rows[0]))
            self._mask.write(info, rows[0], self._steps_of_game)
        if info is not None and info.get("episode_ended"):
            self._state = None
        played = self._agent.predict(rows, seed=self._seed, step=self._acts, greedy=greedy, state=self._state)
        self._state, self._acts, self._steps_of_game = played.state, self._acts + 1, self._steps_of_game + 1
        return Choice(self._actions.translate(played.action[0]), float(played.value[0]), played.probability[0])
