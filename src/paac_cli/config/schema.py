"""All settings of a run, as frozen data. One class per section of a preset."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from paac_cli.config.algorithms import Algorithm, PaacConfig
from paac_cli.config.base import ConfigModel
from paac_cli.config.env import EnvConfig
from paac_cli.config.fields import Precision, Torso, TrackerName

Device = Literal["auto", "cpu", "gpu"]


class SamplingConfig(ConfigModel):
    """How many environments are stepped in parallel, and by how many worker processes."""

    num_envs: Annotated[
        PositiveInt, Field(le=65_536, description="environments stepped in parallel (N), 1 to 65,536")
    ] = 32
    num_workers: Annotated[
        PositiveInt | Literal["auto"],
        Field(
            description="worker processes that step the environments, 1 to `num_envs` (with `overlap`: "
            "`num_envs` / 2); `auto` = one per available core, or fewer if the environments are fast; does not change "
            "the result"
        ),
    ] = "auto"

    overlap: Annotated[
        bool,
        Field(
            description="step one half of the environments while the learner chooses actions for the other half; "
            "`num_workers` processes per half; `num_envs` must be even. Meant for a learner on a GPU"
        ),
    ] = False

    worker_timeout: Annotated[
        float,
        Field(
            ge=1,
            le=10**6,
            description="seconds without progress after which a worker counts as hung and is restarted; >= 1",
        ),
    ] = 60.0
    close_timeout: Annotated[
        float,
        Field(
            gt=0,
            le=10**6,
            description="seconds that `close()` of an environment may take at the end of a run; then it is "
            "interrupted, and the next environment is closed; > 0",
        ),
    ] = 30.0
    max_restarts: Annotated[
        NonNegativeInt,
        Field(description="worker restarts allowed within an hour; one more ends the run; >= 0"),
    ] = 10

    @property
    def max_workers(self) -> int:
        """The largest `num_workers`: each worker steps at least one environment."""
        return self.num_envs // 2 if self.overlap else self.num_envs

    def for_part(self, num_envs: int) -> Self:
        """The same for a process that has only `num_envs` of the environments."""
        workers = self.num_workers if self.num_workers == "auto" else min(self.num_workers, num_envs)
        return self.model_copy(update={"num_envs": num_envs, "num_workers": workers})

    @model_validator(mode="after")
    def _enough_envs(self) -> Self:
        if self.num_workers != "auto" and self.num_workers > self.num_envs:
            raise ValueError(f"num_workers ({self.num_workers}) must not exceed num_envs ({self.num_envs})")
        smallest = 2 if self.num_workers == "auto" else 2 * self.num_workers
        if self.overlap and (self.num_envs % 2 or self.num_envs < smallest):
            raise ValueError(
                f"overlap needs an even num_envs of at least 2 x num_workers; num_envs is {self.num_envs}, "
                f"num_workers {self.num_workers}"
            )
        return self


class RecurrentConfig(ConfigModel):
    """A recurrent cell between the torso and the heads, so that actions can depend on earlier observations."""

    cell: Annotated[
        Literal["gru", "lstm"],
        Field(description="`gru` (Cho et al. 2014) or `lstm` (Hochreiter and Schmidhuber 1997), which is slower"),
    ] = "gru"
    size: Annotated[
        PositiveInt,
        Field(le=65_536, description="units of the cell, and of the features that the heads get; 1 to 65,536"),
    ] = 256


class NetworkConfig(ConfigModel):
    """The network: one or more torsos, whose output all heads share, unless the value has its own."""

    torso: Annotated[
        Torso,
        Field(
            description="`nips`, `nature`: convolutions of Mnih et al. 2013 and 2015, for images; `gamma`: five small "
            "convolutions, for images; `impala`: residual convolutions of Espeholt et al. 2018, for images; `mlp`: "
            "dense layers, for vectors; `module:function`: the `keras.Model` that `function(obs_shape)` returns"
        ),
    ]
    torsos: Annotated[
        dict[str, Torso],
        Field(
            default_factory=dict,
            description="for `Dict` and `Tuple` observations: a separate torso per entry, e.g. "
            "`{camera: impala, arm.angles: mlp}`; `torso` gets all other entries as one vector",
        ),
    ]
    hidden_sizes: Annotated[
        tuple[Annotated[int, Field(ge=1, le=65_536)], ...],
        Field(
            strict=False,
            min_length=1,
            max_length=64,
            description="units of each hidden layer, 1 to 65,536 each; for torso `mlp`",
        ),
    ] = (64, 64)
    activation: Annotated[
        Literal["relu", "tanh"] | None,
        Field(description="activation after each hidden layer, `relu` or `tanh`; for torso `mlp`; `null` = `tanh`"),
    ] = None
    layer_norm: Annotated[
        bool,
        Field(
            description="layer normalisation before each activation of the torso, over the last axis; not for a "
            "`keras.Model`"
        ),
    ] = False
    recurrent: Annotated[
        RecurrentConfig | None,
        Field(
            description="a recurrent cell after the torso, which remembers earlier observations of the episode; for "
            "`paac`, `ppo` and `nstep_q`; `null` = no memory"
        ),
    ] = None
    separate_value: Annotated[
        bool,
        Field(
            description="a second torso for the value, so that policy and value share no weights; for `paac` and `ppo` "
            "without `recurrent`"
        ),
    ] = False
    initializer: Annotated[
        Literal["orthogonal", "fan_in_uniform"],
        Field(
            description="initial weights: `orthogonal`; or `fan_in_uniform`: weights and biases uniform in "
            "`+-1/sqrt(fan_in)`, as in the PAAC authors' code; not for a `keras.Model`"
        ),
    ] = "orthogonal"

    normalize_obs: Annotated[
        bool,
        Field(description="normalise each element of an observation by its running mean and standard deviation"),
    ] = False
    precision: Annotated[
        Precision,
        Field(
            description="number format in which torsos compute; weights, losses and optimisers are `float32`; "
            "`auto` = `bfloat16` if the processor or GPU on which a run starts has instructions for it, otherwise "
            "`float32`; not for a `keras.Model`"
        ),
    ] = "float32"

    @model_validator(mode="after")
    def _options_fit_the_torsos(self) -> Self:
        torsos = {self.torso, *self.torsos.values()}
        for name in ("hidden_sizes", "activation"):
            if "mlp" not in torsos and getattr(self, name) != type(self).model_fields[name].default:
                remedy = "" if self.torsos else f", or replace the section by --set 'network={{torso: {self.torso}}}'"
                raise ValueError(
                    f"{name} is for torso mlp, but torso is {' and '.join(sorted(torsos))}; remove {name}{remedy}"
                )
        if self.separate_value and self.recurrent is not None:
            raise ValueError("separate_value is not for recurrent networks; set separate_value to false")
        if self.layer_norm and self.has_no_built_in_torso:
            raise ValueError(
                f"layer_norm is for built-in torsos, but torso is {self.torso}; set layer_norm to false and use "
                "keras.layers.LayerNormalization in the model"
            )
        return self

    @property
    def has_no_built_in_torso(self) -> bool:
        """Whether all torsos are Keras models of users."""
        return all(":" in torso for torso in (self.torso, *self.torsos.values()))


IS_SUCCESS = "is_success"  #: key of `info` by which many environments report whether the goal was reached


class StopWhen(ConfigModel):
    """The goal of a run: training ends early when the mean return reaches it."""

    mean_return: Annotated[float, Field(description="mean raw score over the latest games at which training ends")]
    episodes: Annotated[
        PositiveInt, Field(le=10_000, description="number of latest games in the mean, 1 to 10,000")
    ] = 100


class TrainingConfig(ConfigModel):
    """How long to train, what to save and log, and on which device."""

    total_steps: Annotated[
        PositiveInt,
        Field(
            le=10**15,
            description="agent steps to train for, summed over all environments; a run ends "
            "with the rollout that reaches them; >= 1",
        ),
    ]
    log_every: Annotated[PositiveInt, Field(le=10**15, description="steps between rows of metrics; >= 1")] = 10_000
    checkpoint_every: Annotated[PositiveInt, Field(le=10**15, description="steps between checkpoints; >= 1")] = 250_000
    keep_checkpoints: Annotated[
        PositiveInt, Field(le=10**6, description="number of latest checkpoints to keep, besides the best; >= 1")
    ] = 3
    keep_milestones: Annotated[
        bool,
        Field(
            description="also keep the policies after 1, 3, 10, 30 and 100 % of `total_steps`, for "
            "`paac record --progress`; five times the size of the policy on disk"
        ),
    ] = True
    evaluate_every: Annotated[
        PositiveInt | None,
        Field(
            le=10**15,
            description="steps between evaluations: whole games that are played with the policy of that step, while "
            "training waits; the best policy is then the one with the best evaluation; `null` = no evaluations",
        ),
    ] = None
    evaluate_episodes: Annotated[
        PositiveInt,
        Field(le=10_000, description="games of an evaluation, 1 to 10,000; the same games in every evaluation"),
    ] = 30
    evaluate_greedy: Annotated[
        bool,
        Field(
            description="evaluate with the most probable actions, as `paac eval --greedy`; "
            "`false` = sample from the policy"
        ),
    ] = False
    evaluate_max_steps: Annotated[
        PositiveInt | None,
        Field(
            le=10**15,
            description="steps after which a game of an evaluation is truncated, because training waits for its end; "
            "`null` = never",
        ),
    ] = 27_000
    stop_when: Annotated[
        StopWhen | None,
        Field(
            description="end training early at this mean return, e.g. `{mean_return: 475, episodes: 100}`; "
            "`null` = train for `total_steps`"
        ),
    ] = None
    info_keys: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\s/]+$")], ...],
        Field(
            strict=False,
            max_length=32,
            description="keys of Gymnasium's `info` whose numbers at the end of a game are logged as `info/<key>`, "
            "their mean over the last 100 games; `is_success` is always logged, as `rollout/success_rate`",
        ),
    ] = ()
    trackers: Annotated[
        tuple[TrackerName, ...],
        Field(
            strict=False,
            max_length=32,
            description="what records the metrics besides `metrics.csv`: `tensorboard`, `wandb`, `mlflow`, `trackio`, "
            "or `module:Class` of your own",
        ),
    ] = ("tensorboard",)
    device: Annotated[
        Device, Field(description="device of the learner: `auto` (the GPU if there is one), `cpu` or `gpu`")
    ] = "auto"
    deterministic: Annotated[
        bool,
        Field(
            description="deterministic operations on a GPU, so that a run can be reproduced; `false` also allows "
            "operations that are faster but not deterministic, and makes the run approximate; no effect on a CPU"
        ),
    ] = True
    jit_compile: Annotated[
        bool,
        Field(description="compile acting and updates with XLA; slower for convolutions on a CPU, not timed on a GPU"),
    ] = False


class InitFrom(ConfigModel):
    """A trained policy with whose weights a new run begins."""

    path: Annotated[
        str,
        Field(min_length=1, description="a run directory, whose best policy is taken, or a checkpoint"),
    ]
    sha256: Annotated[
        str | None,
        Field(
            pattern="^[0-9a-f]{64}$",
            description="SHA-256 of the policy's file; `null` = of the policy that is found when the run starts",
        ),
    ] = None


class RunConfig(ConfigModel):
    """All settings of a run. A preset is a RunConfig in YAML."""

    seed: Annotated[NonNegativeInt, Field(lt=2**63, description="seed of all randomness in the run; 0 to 2^63 - 1")] = 1
    env: Annotated[EnvConfig, Field(description="the environment and its rules")]
    sampling: Annotated[SamplingConfig, Field(description="number of environments and worker processes")] = (
        SamplingConfig()
    )
    algorithm: Annotated[Algorithm, Field(description="the algorithm and its hyperparameters")] = PaacConfig()
    network: Annotated[NetworkConfig, Field(description="the torso of the network and its options")]
    training: Annotated[TrainingConfig, Field(description="how long to train, what to save and log, on which device")]
    init_from: Annotated[
        InitFrom | None,
        Field(
            description="begin with the weights and observation statistics of a trained policy, as far as they fit; "
            "the optimiser starts anew; `null` = random weights"
        ),
    ] = None

    @model_validator(mode="after")
    def _sections_fit_each_other(self) -> Self:
        self.algorithm.check(self.sampling.num_envs)
        if self.sampling.overlap and not self.algorithm.supports_overlap:
            raise ValueError(
                f"sampling.overlap is for algorithms that learn from whole rollouts, not for {self.algorithm.name}; "
                "set sampling.overlap to false"
            )
        if self.network.recurrent is not None:
            if not self.algorithm.supports_recurrent:
                raise ValueError(
                    f"{self.algorithm.name} does not support recurrent policies, as paac, ppo and nstep_q do; set "
                    "network.recurrent to null"
                )
            self.algorithm.check_recurrent(self.sampling.num_envs)
        if self.network.separate_value and not self.algorithm.supports_separate_value:
            raise ValueError(
                f"network.separate_value is for algorithms with a policy and a value, paac and ppo, not for "
                f"{self.algorithm.name}; set network.separate_value to false"
            )
        if getattr(self.algorithm, "critic_layer_norm", False) and self.network.has_no_built_in_torso:
            raise ValueError(
                f"algorithm.critic_layer_norm is for built-in torsos, but network.torso is {self.network.torso}; set "
                "critic_layer_norm to false and use keras.layers.LayerNormalization in the model"
            )
        if self.env.is_atari and self.training.info_keys:
            raise ValueError("training.info_keys is for Gymnasium environments; Atari games have no `info`")
        return self

    @property
    def info_keys(self) -> tuple[str, ...]:
        """Keys of `info` that are logged at the end of a game, each once."""
        return () if self.env.is_atari else tuple(dict.fromkeys((IS_SUCCESS, *self.training.info_keys)))

    def resuming(self, run: "RunConfig") -> "RunConfig":
        """This config for resuming a run with the config `run`, which has a value for settings that are `auto` here."""
        config = self
        if config.env.fresh_per_episode == "auto":
            config = config.with_settings("env", fresh_per_episode=run.env.fresh_per_episode)
        if config.network.precision == "auto":
            config = config.with_settings("network", precision=run.network.precision)
        if config.init_from and run.init_from and config.init_from.sha256 is None:
            config = config.with_settings("init_from", sha256=run.init_from.sha256)
        return config

    def with_settings(self, section: str, **settings: Any) -> "RunConfig":
        """This config with other `settings` in a `section` that it has."""
        return self.model_copy(update={section: getattr(self, section).model_copy(update=settings)})


#: The settings (dotted keys) that may differ when a run resumes. They decide how long, how fast and on which device a
#: run trains and what it logs and saves, but not what it learns in a step.
FREE_ON_RESUME = frozenset(
    {
        "sampling.num_workers",
        "sampling.worker_timeout",
        "sampling.close_timeout",
        "sampling.max_restarts",
        "training.total_steps",
        "training.log_every",
        "training.checkpoint_every",
        "training.keep_checkpoints",
        "training.keep_milestones",
        "training.evaluate_every",
        "training.evaluate_episodes",
        "training.evaluate_greedy",
        "training.evaluate_max_steps",
        "training.stop_when",
        "training.info_keys",
        "training.trackers",
        "training.device",
        "training.deterministic",
    }
)
