"""One config class per algorithm, told apart by `name`.

A new algorithm adds its class here and to `Algorithm`; what makes it run is one line in
`paac_cli.algorithms.agent`. One from outside is named `module:Class`, and its config is `Class.Config`.
"""

import importlib
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    SerializeAsAny,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from paac_cli.config.base import ConfigModel

# --- optimisers


class RmsPropConfig(ConfigModel):
    """RMSProp of Tieleman and Hinton, with epsilon inside the square root as in TensorFlow 1."""

    name: Annotated[Literal["rmsprop"], Field(description="which optimiser this is")] = "rmsprop"
    decay: Annotated[float, Field(ge=0, lt=1, description="decay of the mean square, in [0, 1)")] = 0.99
    epsilon: Annotated[PositiveFloat, Field(description="added to the mean square, inside the root; > 0")] = 1e-5
    momentum: Annotated[float, Field(ge=0, lt=1, description="momentum, in [0, 1)")] = 0.0
    initial_mean_square: Annotated[
        NonNegativeFloat, Field(description="where the mean square starts; TensorFlow 1 starts at 1, most others at 0")
    ] = 0.0


class AdamConfig(ConfigModel):
    """Adam (Kingma and Ba 2015), with epsilon outside the square root."""

    name: Annotated[Literal["adam"], Field(description="which optimiser this is")] = "adam"
    beta_1: Annotated[float, Field(ge=0, lt=1, description="decay of the mean, in [0, 1)")] = 0.9
    beta_2: Annotated[float, Field(ge=0, lt=1, description="decay of the mean square, in [0, 1)")] = 0.999
    epsilon: Annotated[PositiveFloat, Field(description="added to the root of the mean square; > 0")] = 1e-8


class RAdamConfig(ConfigModel):
    """Rectified Adam (Liu et al. 2020): steps without the root while its estimate rests on too few gradients."""

    name: Annotated[Literal["radam"], Field(description="which optimiser this is")] = "radam"
    beta_1: Annotated[float, Field(ge=0, lt=1, description="decay of the mean, in [0, 1)")] = 0.9
    beta_2: Annotated[float, Field(ge=0, lt=1, description="decay of the mean square, in [0, 1)")] = 0.999
    epsilon: Annotated[PositiveFloat, Field(description="added to the root of the mean square; > 0")] = 1e-8


OptimizerConfig = Annotated[
    RmsPropConfig | AdamConfig | RAdamConfig,
    Field(discriminator="name", description="rmsprop, adam or radam, with its constants"),
]

# --- fields that several algorithms have, with one meaning each

NumSteps = Annotated[PositiveInt, Field(le=1024, description="steps of every environment per update (T); >= 1")]
Gamma = Annotated[float, Field(ge=0, le=1, description="discount per step, in [0, 1]")]
GaeLambda = Annotated[
    float,
    Field(ge=0, le=1, description="lambda of generalised advantage estimation, in [0, 1]; 1 = n-step returns"),
]
NormalizeAdvantage = Annotated[
    bool, Field(description="shift and scale the advantages of every batch to mean 0 and deviation 1")
]
NormalizeReward = Annotated[
    bool, Field(description="divide rewards by the running deviation of the discounted return; never the scores")
]
LearningRate = Annotated[PositiveFloat, Field(description="at the first step; > 0")]
LrAnnealSteps = Annotated[
    NonNegativeInt, Field(le=10**15, description="steps over which the rate falls linearly to 0; 0 = constant")
]
EntCoef = Annotated[NonNegativeFloat, Field(description="weight of the entropy bonus; >= 0")]
EntAnnealSteps = Annotated[
    NonNegativeInt, Field(le=10**15, description="steps over which ent_coef falls linearly to 0; 0 = constant")
]
VfCoef = Annotated[NonNegativeFloat, Field(description="weight of the squared value error; >= 0")]
MaxGradNorm = Annotated[PositiveFloat, Field(description="gradients are clipped to this global norm; > 0")]
NumEpochs = Annotated[PositiveInt, Field(le=100, description="times that an update goes through its rollout; >= 1")]
NumMinibatches = Annotated[
    PositiveInt, Field(le=65_536, description="parts into which an epoch cuts the rollout; must divide T * N")
]
EpsilonStart = Annotated[float, Field(ge=0, le=1, description="share of random actions at the first step, in [0, 1]")]
EpsilonEnd = Annotated[float, Field(ge=0, le=1, description="share of random actions in the end, in [0, 1]")]
EpsilonAnnealSteps = Annotated[
    NonNegativeInt, Field(le=10**15, description="steps over which it goes linearly from start to end")
]


class AlgorithmConfig(ConfigModel):
    """What the config of every algorithm has, also of one from outside."""

    #: `module:Class` of the agent. A third-party algorithm leaves it empty: its `name` is its `module:Class`.
    implementation: ClassVar[str] = ""
    supports_overlap: ClassVar[bool] = False  #: `act` takes steps of some environments too, for sampling.overlap

    name: Annotated[str, Field(description="which algorithm this is, or module:Class of one from outside")]

    @property
    def rollout_length(self) -> int:
        """Steps of every environment (T) that the pool keeps readable together; the loop logs and saves after them."""
        raise NotImplementedError

    @property
    def resumes_exactly(self) -> bool:
        """Whether its checkpoints hold all that it needs to go on as if it had never stopped."""
        return True

    def check(self, num_envs: int) -> None:
        """Raises ValueError where this cannot be done with so many environments."""


class PaacConfig(AlgorithmConfig):
    """Parallel advantage actor-critic (Clemente, Castejon, Chandra 2017, arXiv 1705.04862)."""

    implementation = "paac_cli.algorithms.paac:Paac"
    supports_overlap = True

    name: Annotated[Literal["paac"], Field(description="which algorithm this is")] = "paac"
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
        PositiveFloat, Field(description="the whole loss is multiplied by this; 5 in the authors' code; > 0")
    ] = 1.0
    max_grad_norm: MaxGradNorm = 40.0
    optimizer: OptimizerConfig = RmsPropConfig()

    @property
    def rollout_length(self) -> int:
        return self.num_steps


class PpoConfig(AlgorithmConfig):
    """Proximal policy optimisation with a clipped objective (Schulman et al. 2017, arXiv 1707.06347)."""

    implementation = "paac_cli.algorithms.ppo:Ppo"
    supports_overlap = True

    name: Annotated[Literal["ppo"], Field(description="which algorithm this is")] = "ppo"
    num_steps: NumSteps = 128
    num_epochs: NumEpochs = 4
    num_minibatches: NumMinibatches = 4
    gamma: Gamma = 0.99
    gae_lambda: GaeLambda = 0.95
    clip_coef: Annotated[
        PositiveFloat, Field(description="the ratio of new to old probability counts within 1 +- this; > 0")
    ] = 0.2
    clip_value: Annotated[
        PositiveFloat | None,
        Field(description="values may move so far from what they were before the update; null = freely"),
    ] = None
    normalize_advantage: NormalizeAdvantage = True
    normalize_reward: NormalizeReward = False
    normalize_value: Annotated[
        bool, Field(description="learn values in units of the running mean and deviation of the returns")
    ] = False
    target_kl: Annotated[
        PositiveFloat | None,
        Field(description="how far an update should move the policy (KL divergence); what happens then says on_kl"),
    ] = None
    on_kl: Annotated[
        Literal["adapt", "stop"],
        Field(
            description="adapt: the rate falls by 1.5 after an update above twice target_kl and rises below half; "
            "stop: an update ends after the epoch that went beyond 1.5 times target_kl"
        ),
    ] = "stop"
    max_learning_rate: Annotated[
        PositiveFloat, Field(description="how far on_kl = adapt may raise the learning rate; > 0")
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
        """The KL divergence by which an update ends early, if it does."""
        return self.target_kl if self.on_kl == "stop" else None

    @property
    def adapts_to_kl(self) -> float | None:
        """The KL divergence that the learning rate is to bring about, if it follows any."""
        return self.target_kl if self.on_kl == "adapt" else None

    def check(self, num_envs: int) -> None:
        _check_minibatches(self.num_steps * num_envs, self.num_minibatches)
        if self.normalize_advantage and self.num_minibatches == self.num_steps * num_envs:
            raise ValueError("normalize_advantage makes every advantage 0 where a minibatch has one step")
        if self.on_kl != "adapt":
            return
        if self.target_kl is None:
            raise ValueError("on_kl = adapt needs a target_kl")
        if self.lr_anneal_steps:
            raise ValueError("on_kl = adapt moves the learning rate, and so does lr_anneal_steps; choose one")
        if self.learning_rate > self.max_learning_rate:
            raise ValueError(
                f"learning_rate ({self.learning_rate}) is above max_learning_rate ({self.max_learning_rate})"
            )
        if self.num_epochs * self.num_minibatches == 1:
            raise ValueError("on_kl = adapt needs more than one step of the optimiser: before the first there is no KL")


class NstepQConfig(AlgorithmConfig):
    """Parallel n-step Q-learning and Sarsa (Mnih et al. 2016, arXiv 1602.01783), in lock-step, with Q(lambda).

    With LayerNorm, epochs and minibatches it is PQN (Gallici et al. 2024, arXiv 2407.04811).
    """

    implementation = "paac_cli.algorithms.nstep_q:NstepQ"
    supports_overlap = True

    name: Annotated[Literal["nstep_q"], Field(description="which algorithm this is")] = "nstep_q"
    rule: Annotated[
        Literal["q_learning", "sarsa"],
        Field(description="what the next state is worth: its best action (q_learning), or the one taken (sarsa)"),
    ] = "q_learning"
    num_steps: NumSteps = 5
    num_epochs: NumEpochs = 1
    num_minibatches: NumMinibatches = 1
    gamma: Gamma = 0.99
    q_lambda: Annotated[
        float, Field(ge=0, le=1, description="lambda of the returns, in [0, 1]; 0 = one-step, 1 = n-step")
    ] = 1.0
    normalize_reward: NormalizeReward = False
    epsilon_start: EpsilonStart = 1.0
    epsilon_end: EpsilonEnd = 0.05
    epsilon_anneal_steps: EpsilonAnnealSteps = 1_000_000
    target_update_steps: Annotated[
        NonNegativeInt, Field(le=10**15, description="steps between copies to the target network; 0 = there is none")
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


class DqnConfig(AlgorithmConfig):
    """Deep Q-learning from replayed experience (Mnih et al. 2015) and its usual improvements."""

    implementation = "paac_cli.algorithms.dqn:Dqn"

    name: Annotated[Literal["dqn"], Field(description="which algorithm this is")] = "dqn"
    gamma: Gamma = 0.99
    n_step: Annotated[PositiveInt, Field(le=100, description="rewards in a return before it bootstraps; >= 1")] = 1
    double: Annotated[
        bool, Field(description="the online network chooses the next action that the target network values")
    ] = False
    dueling: Annotated[bool, Field(description="a value and advantages, with a head for each, make up Q")] = False
    buffer_size: Annotated[
        PositiveInt, Field(le=10**9, description="transitions that are remembered, over all environments")
    ] = 1_000_000
    save_buffer: Annotated[
        bool,
        Field(
            description="put the experience into checkpoints (7 kB a step of Atari, 7 GB for a million, each of the "
            "training.keep_checkpoints); without it a resumed run is not the same run"
        ),
    ] = True
    learning_starts: Annotated[
        NonNegativeInt, Field(le=10**15, description="steps with no update at first, to gather experience")
    ] = 80_000
    batch_size: Annotated[PositiveInt, Field(le=65_536, description="transitions per update; >= 1")] = 32
    steps_per_update: Annotated[PositiveFloat, Field(description="steps for each update of the weights; > 0")] = 4.0
    target_update_steps: Annotated[
        PositiveInt, Field(le=10**15, description="steps between copies to the target network; >= 1")
    ] = 40_000
    prioritized_alpha: Annotated[
        float, Field(ge=0, le=1, description="how much the size of an error counts in drawing; 0 = all alike")
    ] = 0.0
    prioritized_beta: Annotated[
        float, Field(ge=0, le=1, description="how much of that is made good in the loss, in the beginning")
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
        if self.buffer_size < self.batch_size + num_envs * self.n_step:
            raise ValueError(
                f"buffer_size ({self.buffer_size}) must hold a batch ({self.batch_size}) beside the steps "
                f"whose returns are not known yet ({num_envs} environments x {self.n_step})"
            )


def _check_minibatches(size: int, num_minibatches: int) -> None:
    if size % num_minibatches:
        raise ValueError(f"num_minibatches ({num_minibatches}) must divide num_steps x num_envs ({size})")


def _one_from_outside(data: Any, built_in: ValidatorFunctionWrapHandler) -> Any:
    """The config of `module:Class`; anything else is `built_in`, and paac where nothing is named."""
    if isinstance(data, dict) and isinstance(name := data.get("name"), str) and ":" in name:
        return import_algorithm(name).Config.model_validate(data)
    if isinstance(data, AlgorithmConfig) and ":" in data.name:
        return data
    return built_in({"name": "paac"} | data if isinstance(data, dict) else data)


def import_algorithm(name: str) -> Any:
    """The class that `name`, `module:Class`, names. Raises ValueError, which says what it lacks."""
    module, _, class_name = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), class_name)
    except Exception as error:  # whatever their module does when it is imported
        raise ValueError(f"algorithm {name!r} cannot be imported: {error}") from error
    config = getattr(found, "Config", None)
    if not (isinstance(config, type) and issubclass(config, AlgorithmConfig)):
        raise ValueError(f"algorithm {name!r} has no Config, a subclass of paac_cli.config.algorithms.AlgorithmConfig")
    return found


#: The only list of algorithms that come with paac.
BuiltInConfig = PaacConfig | PpoConfig | NstepQConfig | DqnConfig

#: Name -> config class.
ALGORITHM_CONFIGS: dict[str, type[AlgorithmConfig]] = {
    config.model_fields["name"].default: config for config in get_args(BuiltInConfig)
}

Algorithm = Annotated[
    SerializeAsAny[Annotated[BuiltInConfig, Field(discriminator="name")]],
    WrapValidator(_one_from_outside),
]
