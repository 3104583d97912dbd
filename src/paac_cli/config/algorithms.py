"""One config class per algorithm, selected by `name`.

To add an algorithm:

1. a module in `paac_cli/algorithms/` with a class that satisfies `paac_cli.algorithms.agent.Agent`;
2. its config class here, whose `implementation` names that class;
3. the config class in `BuiltInConfig`, below: the only registry;
4. a preset, tests of its equations, and a line in `tests/corridor.py`, which adds it to the tests of all algorithms.

A third-party algorithm needs no change here: its `name` is `module:Class`, and its config class is `Class.Config`.
"""

import importlib
from typing import Annotated, Any, ClassVar, Literal, Self, get_args

from pydantic import (
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    SerializeAsAny,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)

from paac_cli.config.base import ConfigModel
from paac_cli.config.fields import (
    BatchSize,
    BufferSize,
    Dueling,
    EntAnnealSteps,
    EntCoef,
    EpsilonAnnealSteps,
    EpsilonEnd,
    EpsilonStart,
    GaeLambda,
    Gamma,
    LearningRate,
    LrAnnealSteps,
    MaxGradNorm,
    NamedUnion,
    NormalizeAdvantage,
    NormalizeReward,
    NStep,
    NumEpochs,
    NumMinibatches,
    NumSteps,
    SaveBuffer,
    VfCoef,
)
from paac_cli.config.optimizers import AdamConfig, OptimizerConfig, RmsPropConfig
from paac_cli.config.trust import hidden_file
from paac_cli.errors import AlgorithmError
from paac_cli.import_tensorflow import import_tensorflow


class AlgorithmConfig(ConfigModel):
    """The base of the configs of all algorithms, built-in and third-party."""

    #: `module:Class` of the agent. A third-party algorithm leaves it empty: its `name` is its `module:Class`.
    implementation: ClassVar[str] = ""
    #: Whether `act` also takes the TimeStep of one half of the environments, as `sampling.overlap` needs.
    supports_overlap: ClassVar[bool] = False
    #: Whether the agent takes a `group`: processes that train together, each with a share of the environments.
    supports_ranks: ClassVar[bool] = False
    #: Whether the agent trains policies with a recurrent cell (`network.recurrent`).
    supports_recurrent: ClassVar[bool] = False
    #: Whether the agent has a policy and a value, which may have torsos of their own (`network.separate_value`).
    supports_separate_value: ClassVar[bool] = False

    name: Annotated[
        str, Field(description="`paac`, `ppo`, `nstep_q`, `dqn`, `sac`, or `module:Class` of a third-party algorithm")
    ]

    @property
    def rollout_length(self) -> int:
        """Steps of each environment (T) in a rollout. Metrics and checkpoints are written only between rollouts."""
        raise AlgorithmError(f"{type(self).__name__}, the Config of {self.name!r}, does not define rollout_length")

    @property
    def resumes_exactly(self) -> bool:
        """Whether checkpoints hold the whole state, so that a resumed run equals an uninterrupted one."""
        return True

    def check(self, num_envs: int) -> None:
        """Raise ValueError if the settings contradict each other or do not fit `num_envs` environments."""

    def check_recurrent(self, num_envs: int) -> None:
        """Raise ValueError if the settings do not fit a recurrent policy. Called if `supports_recurrent`."""


class PaacConfig(AlgorithmConfig):
    """PAAC: parallel advantage actor-critic (Clemente, Castejon, Chandra 2017, arXiv 1705.04862)."""

    implementation = "paac_cli.algorithms.paac:Paac"
    supports_overlap = supports_ranks = supports_recurrent = supports_separate_value = True

    name: Annotated[Literal["paac"], Field(description="selects this algorithm")] = "paac"
    num_steps: NumSteps = 5
    gamma: Gamma = 0.99
    gae_lambda: GaeLambda = 1.0
    normalize_advantage: NormalizeAdvantage = False
    normalize_reward: NormalizeReward = False
    learning_rate: LearningRate = 7e-4
    lr_anneal_steps: LrAnnealSteps = 0
    ent_coef: EntCoef = 0.01
    ent_anneal_steps: EntAnnealSteps = 0
    vf_coef: VfCoef = 0.25
    loss_scale: Annotated[
        PositiveFloat, Field(description="factor that multiplies the whole loss; > 0 (5 in the authors' code)")
    ] = 1.0
    max_grad_norm: MaxGradNorm = 40.0
    optimizer: OptimizerConfig = RmsPropConfig()

    @property
    def rollout_length(self) -> int:
        return self.num_steps

    def check(self, num_envs: int) -> None:
        if self.normalize_advantage and self.num_steps * num_envs == 1:
            raise ValueError(
                "normalize_advantage makes every advantage 0 in rollouts of one step of one environment; "
                "raise num_steps or sampling.num_envs, or set normalize_advantage to false"
            )


MIN_LEARNING_RATE = 1e-6  #: of PPO with on_kl = adapt, as in rl_games


class PpoConfig(AlgorithmConfig):
    """PPO: proximal policy optimisation with a clipped objective (Schulman et al. 2017, arXiv 1707.06347)."""

    implementation = "paac_cli.algorithms.ppo:Ppo"
    supports_overlap = supports_ranks = supports_recurrent = supports_separate_value = True

    name: Annotated[Literal["ppo"], Field(description="selects this algorithm")] = "ppo"
    num_steps: NumSteps = 128
    num_epochs: NumEpochs = 4
    num_minibatches: NumMinibatches = 4
    gamma: Gamma = 0.99
    gae_lambda: GaeLambda = 0.95
    clip_coef: Annotated[
        PositiveFloat,
        Field(description="clip range (epsilon): the ratio of new to old probability is clipped to 1 +- this; > 0"),
    ] = 0.2
    clip_value: Annotated[
        PositiveFloat | None,
        Field(
            description="clip range of the value loss: moving a value further than this from its old value does not "
            "lower the loss; in units of the return (with `normalize_value`: of the normalised return); > 0, "
            "`null` = no clipping"
        ),
    ] = None
    normalize_advantage: NormalizeAdvantage = True
    normalize_reward: NormalizeReward = False
    normalize_value: Annotated[
        bool,
        Field(description="learn values normalised by the running mean and standard deviation of the returns"),
    ] = False
    target_kl: Annotated[
        PositiveFloat | None,
        Field(
            description="target KL divergence between the policies before and after an update, used as `on_kl` says; "
            "> 0, `null` = no target"
        ),
    ] = None
    on_kl: Annotated[
        Literal["adapt", "stop"],
        Field(
            description="`stop`: end an update after the epoch in which the KL divergence exceeds 1.5 x `target_kl`; "
            "`adapt`: after an update, divide the learning rate by 1.5 if the KL divergence exceeds 2 x `target_kl`, "
            "multiply it by 1.5 below `target_kl` / 2, from 1e-6 to `max_learning_rate`"
        ),
    ] = "stop"
    max_learning_rate: Annotated[
        PositiveFloat, Field(description="upper bound of the learning rate with `on_kl = adapt`; > 0")
    ] = 1e-3
    learning_rate: LearningRate = 2.5e-4
    lr_anneal_steps: LrAnnealSteps = 0
    ent_coef: EntCoef = 0.01
    ent_anneal_steps: EntAnnealSteps = 0
    vf_coef: VfCoef = 0.5
    max_grad_norm: MaxGradNorm = 0.5
    optimizer: OptimizerConfig = AdamConfig(epsilon=1e-5)

    @property
    def rollout_length(self) -> int:
        return self.num_steps

    @property
    def stops_at_kl(self) -> float | None:
        """`target_kl` with on_kl = stop, otherwise None."""
        return self.target_kl if self.on_kl == "stop" else None

    @property
    def adapts_to_kl(self) -> float | None:
        """`target_kl` with on_kl = adapt, otherwise None."""
        return self.target_kl if self.on_kl == "adapt" else None

    def check(self, num_envs: int) -> None:
        _check_minibatches(self.num_steps * num_envs, self.num_minibatches)
        if self.normalize_advantage and self.num_minibatches == self.num_steps * num_envs:
            raise ValueError(
                "normalize_advantage makes every advantage 0 in minibatches of one step; "
                "lower num_minibatches or set normalize_advantage to false"
            )
        if self.on_kl != "adapt":
            return
        if self.target_kl is None:
            raise ValueError("on_kl = adapt needs a target_kl, e.g. 0.01")
        if self.lr_anneal_steps:
            raise ValueError(
                "on_kl = adapt and lr_anneal_steps both change the learning rate; choose one: "
                "lr_anneal_steps = 0 or on_kl = stop"
            )
        if self.learning_rate < MIN_LEARNING_RATE:
            raise ValueError(
                f"on_kl = adapt needs a learning_rate of at least {MIN_LEARNING_RATE:g}, its lower bound, and it is "
                f"{self.learning_rate:g}"
            )
        if self.learning_rate > self.max_learning_rate:
            raise ValueError(
                f"learning_rate ({self.learning_rate}) is above max_learning_rate ({self.max_learning_rate})"
            )
        if self.num_epochs * self.num_minibatches == 1:
            raise ValueError(
                "on_kl = adapt needs more than one gradient step per update, because the KL divergence is 0 before "
                "the first; raise num_epochs or num_minibatches"
            )

    def check_recurrent(self, num_envs: int) -> None:
        _check_whole_environments(num_envs, self.num_minibatches)


class HlGaussConfig(ConfigModel):
    """Values as distributions over bins, learned with HL-Gauss targets (Farebrother et al. 2024, arXiv 2403.03950)."""

    num_bins: Annotated[PositiveInt, Field(ge=2, le=10_001, description="number of bins, 2 to 10,001")] = 51
    v_min: Annotated[float, Field(description="lower end of the range of values")] = -10.0
    v_max: Annotated[float, Field(description="upper end of the range of values; > `v_min`")] = 10.0
    sigma_ratio: Annotated[
        PositiveFloat, Field(description="standard deviation of the Gaussian, in widths of a bin; > 0")
    ] = 0.75

    @model_validator(mode="after")
    def _range_is_not_empty(self) -> Self:
        if self.v_min >= self.v_max:
            raise ValueError(f"v_min ({self.v_min:g}) must be below v_max ({self.v_max:g})")
        return self


class NstepQConfig(AlgorithmConfig):
    """Parallel n-step Q-learning and Sarsa (Mnih et al. 2016, arXiv 1602.01783), in lock-step, with Q(lambda).

    With LayerNorm, epochs and minibatches it is PQN (Gallici et al. 2024, arXiv 2407.04811).
    """

    implementation = "paac_cli.algorithms.nstep_q:NstepQ"
    supports_overlap = supports_ranks = supports_recurrent = True

    name: Annotated[Literal["nstep_q"], Field(description="selects this algorithm")] = "nstep_q"
    rule: Annotated[
        Literal["q_learning", "sarsa"],
        Field(
            description="bootstrap from the largest action value (`q_learning`), or from the value of the action that "
            "was taken (`sarsa`)"
        ),
    ] = "q_learning"
    num_steps: NumSteps = 5
    num_epochs: NumEpochs = 1
    num_minibatches: NumMinibatches = 1
    gamma: Gamma = 0.99
    q_lambda: Annotated[
        float,
        Field(ge=0, le=1, description="lambda of the Q(lambda) returns, in [0, 1]; 0 = one-step, 1 = n-step returns"),
    ] = 1.0
    dueling: Dueling = False
    hl_gauss: Annotated[
        HlGaussConfig | None,
        Field(
            description="learn each value as a distribution over bins, with HL-Gauss targets; `null` = as one number, "
            "by its squared error"
        ),
    ] = None
    normalize_reward: NormalizeReward = False
    epsilon_start: EpsilonStart = 1.0
    epsilon_end: EpsilonEnd = 0.05
    epsilon_anneal_steps: EpsilonAnnealSteps = 1_000_000
    target_update_steps: Annotated[
        NonNegativeInt,
        Field(le=10**15, description="steps between updates of the target network; 0 = no target network"),
    ] = 0
    learning_rate: LearningRate = 7e-4
    lr_anneal_steps: LrAnnealSteps = 0
    max_grad_norm: MaxGradNorm = 10.0
    optimizer: OptimizerConfig = RmsPropConfig()

    @property
    def rollout_length(self) -> int:
        return self.num_steps

    def check(self, num_envs: int) -> None:
        _check_minibatches(self.num_steps * num_envs, self.num_minibatches)

    def check_recurrent(self, num_envs: int) -> None:
        _check_whole_environments(num_envs, self.num_minibatches)
        if self.target_update_steps:
            raise ValueError(
                "network.recurrent does not work with a target network; set algorithm.target_update_steps to 0, or "
                "network.recurrent to null"
            )


class DqnConfig(AlgorithmConfig):
    """DQN: deep Q-learning from replay (Mnih et al. 2015), with n-step returns, double, dueling and prioritised DQN."""

    implementation = "paac_cli.algorithms.dqn:Dqn"

    name: Annotated[Literal["dqn"], Field(description="selects this algorithm")] = "dqn"
    gamma: Gamma = 0.99
    n_step: NStep = 1
    double: Annotated[
        bool,
        Field(
            description="double Q-learning: the online network selects the next action, the target network evaluates it"
        ),
    ] = False
    dueling: Dueling = False
    buffer_size: BufferSize = 1_000_000
    save_buffer: SaveBuffer = True
    learning_starts: Annotated[
        NonNegativeInt,
        Field(
            le=10**15,
            description="steps before the first update, to fill the replay buffer; >= 0. No update is made before "
            "the buffer has `batch_size` transitions",
        ),
    ] = 80_000
    batch_size: BatchSize = 32
    steps_per_update: Annotated[
        PositiveFloat, Field(description="steps per update, summed over all environments; > 0")
    ] = 4.0
    target_update_steps: Annotated[
        PositiveInt, Field(le=10**15, description="steps between updates of the target network; >= 1")
    ] = 40_000
    prioritized_alpha: Annotated[
        float, Field(ge=0, le=1, description="priority exponent (alpha) of prioritised replay, in [0, 1]; 0 = uniform")
    ] = 0.0
    prioritized_beta: Annotated[
        float,
        Field(ge=0, le=1, description="importance-sampling exponent (beta) at the first step, in [0, 1]"),
    ] = 0.4
    prioritized_beta_steps: Annotated[
        NonNegativeInt, Field(le=10**15, description="steps over which beta rises linearly to 1; 0 = constant")
    ] = 0
    epsilon_start: EpsilonStart = 1.0
    epsilon_end: EpsilonEnd = 0.01
    epsilon_anneal_steps: EpsilonAnnealSteps = 1_000_000
    learning_rate: LearningRate = 1e-4
    lr_anneal_steps: LrAnnealSteps = 0
    max_grad_norm: MaxGradNorm = 10.0
    optimizer: OptimizerConfig = AdamConfig()

    @property
    def rollout_length(self) -> int:
        return 1

    @property
    def resumes_exactly(self) -> bool:
        return self.save_buffer

    def check(self, num_envs: int) -> None:
        _check_buffer(self, num_envs)


class SacConfig(AlgorithmConfig):
    """SAC: soft actor-critic from replay (Haarnoja et al. 2018, arXiv 1812.05905; discrete: arXiv 1910.07207)."""

    implementation = "paac_cli.algorithms.sac:Sac"

    name: Annotated[Literal["sac"], Field(description="selects this algorithm")] = "sac"
    gamma: Gamma = 0.99
    n_step: NStep = 1
    buffer_size: BufferSize = 1_000_000
    save_buffer: SaveBuffer = True
    learning_starts: Annotated[
        NonNegativeInt,
        Field(
            le=10**15,
            description="steps before the first update, in which actions are uniformly random; >= 0. No update "
            "is made before the buffer has `batch_size` transitions",
        ),
    ] = 5_000
    batch_size: BatchSize = 256
    utd_ratio: Annotated[
        PositiveFloat,
        Field(le=1000, description="updates per step (update-to-data ratio); > 0, at most 1,000"),
    ] = 1.0
    tau: Annotated[
        float,
        Field(
            gt=0,
            le=1,
            description="part of the way that the target critics move towards the critics in every update, in (0, 1]",
        ),
    ] = 0.005
    ent_coef: Annotated[
        Literal["auto"] | PositiveFloat,
        Field(
            description="entropy coefficient (temperature alpha): weight of the entropy in the value of a state; > 0, "
            "`auto` = learned, so that the entropy comes close to `target_entropy`"
        ),
    ] = "auto"
    initial_ent_coef: Annotated[PositiveFloat, Field(description="with `ent_coef = auto`: its first value; > 0")] = 1.0
    target_entropy: Annotated[
        Literal["auto"] | float,
        Field(
            description="with `ent_coef = auto`: the entropy that it aims at, in nats; `auto` = minus the number of "
            "elements of a continuous action, or 0.98 log A for A discrete actions"
        ),
    ] = "auto"
    critic_layer_norm: Annotated[
        bool, Field(description="layer normalisation in the critics, also without `network.layer_norm`")
    ] = False
    normalize_reward: NormalizeReward = False
    learning_rate: Annotated[
        LearningRate, Field(description="learning rate of policy, critics and temperature at the first step; > 0")
    ] = 3e-4
    lr_anneal_steps: LrAnnealSteps = 0
    max_grad_norm: MaxGradNorm = 1e4
    optimizer: OptimizerConfig = AdamConfig()

    @property
    def rollout_length(self) -> int:
        return 1

    @property
    def resumes_exactly(self) -> bool:
        return self.save_buffer

    def check(self, num_envs: int) -> None:
        _check_buffer(self, num_envs)


def _check_buffer(config: DqnConfig | SacConfig, num_envs: int) -> None:
    smallest = config.batch_size + num_envs * config.n_step
    if config.buffer_size < smallest:
        raise ValueError(
            f"buffer_size ({config.buffer_size}) must hold a batch ({config.batch_size}) and the latest transitions, "
            f"whose returns are incomplete ({num_envs} environments x n_step {config.n_step}); set it >= {smallest}"
        )


def _check_minibatches(size: int, num_minibatches: int) -> None:
    if size % num_minibatches:
        raise ValueError(f"num_minibatches ({num_minibatches}) must divide num_steps x num_envs ({size})")


def _check_whole_environments(num_envs: int, num_minibatches: int) -> None:
    if num_envs % num_minibatches:
        raise ValueError(
            f"with network.recurrent a minibatch consists of whole environments, so num_minibatches "
            f"({num_minibatches}) must divide sampling.num_envs ({num_envs})"
        )


#: The registry of built-in algorithms.
BuiltInConfig = PaacConfig | PpoConfig | NstepQConfig | DqnConfig | SacConfig

#: Name -> config class of the built-in algorithms.
ALGORITHM_CONFIGS: dict[str, type[AlgorithmConfig]] = {
    config.model_fields["name"].default: config for config in get_args(BuiltInConfig)
}


TRUSTED = "trusted"  #: key in the context of a validation: the `module:Class` names that it may import


def _validate_algorithm(data: Any, validate_built_in: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
    """Validate a third-party config by its own class; `name` defaults to paac."""
    if isinstance(data, dict) and isinstance(name := data.get("name"), str) and ":" in name:
        if name not in (info.context or {}).get(TRUSTED, ()):
            raise ValueError(f"algorithm {name!r} is third-party code, which is not trusted here")
        return import_algorithm(name).Config.model_validate(data)
    if isinstance(data, AlgorithmConfig) and ":" in data.name:
        return data
    return validate_built_in({"name": "paac"} | data if isinstance(data, dict) else data)


def import_algorithm(name: str) -> Any:
    """Import the third-party algorithm `name` (`module:Class`) and return the class. Runs the module's code.

    It may import TensorFlow, which is therefore imported and set up before. Raises ValueError if the module cannot be
    imported or the class has no `Config`; DependencyError if TensorFlow cannot be imported.
    """
    import_tensorflow()
    module, _, class_name = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), class_name)
    except Exception as error:  # third-party code may raise anything while it is imported
        raise ValueError(f"algorithm {name!r} cannot be imported: {error}{hidden_file(module)}") from error
    config = getattr(found, "Config", None)
    if not (isinstance(config, type) and issubclass(config, AlgorithmConfig)):
        raise ValueError(
            f"algorithm {name!r} has no attribute Config that is a subclass of "
            "paac_cli.config.algorithms.AlgorithmConfig"
        )
    return found


Algorithm = Annotated[
    SerializeAsAny[Annotated[BuiltInConfig, Field(discriminator="name")]],
    WrapValidator(_validate_algorithm),
    NamedUnion(default="paac", third_party=True),
]
