"""Everything that a run needs, as frozen data. One class per section of a preset."""

import json
import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    JsonValue,
    NonNegativeInt,
    PositiveInt,
    WithJsonSchema,
    model_validator,
)

from paac_cli.config.algorithms import Algorithm, PaacConfig
from paac_cli.config.base import ConfigModel

RuleSetName = Literal["paac2017", "baselines", "machado2018"]
Device = Literal["auto", "cpu", "gpu"]


def _native(precision: str) -> str:
    """What `auto` is on this machine: a run's config names a number format, wherever it goes on or is played."""
    if precision != "auto":
        return precision
    flags = re.findall(r"^flags\s*:(.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    is_native = bool(flags) and not {"avx512_bf16", "amx_bf16"}.isdisjoint(flags[0].split())
    return "bfloat16" if is_native else "float32"


Precision = Annotated[Literal["auto", "float32", "bfloat16"], AfterValidator(_native)]


class EnvConfig(ConfigModel):
    """Which environment, and under which rules."""

    id: Annotated[str, Field(min_length=1, description="a Gymnasium id, e.g. ALE/Pong-v5 or CartPole-v1")]
    protocol: Annotated[
        RuleSetName | None, Field(description="named set of Atari rules; baselines where an Atari preset says nothing")
    ] = None
    kwargs: Annotated[
        dict[str, JsonValue],
        Field(
            default_factory=dict,
            description="passed to gymnasium.make; not for Atari, whose protocol says everything",
        ),
    ]

    grayscale: Annotated[bool, Field(description="turn coloured images grey; for images of Gymnasium")] = False
    resize: Annotated[
        tuple[Annotated[int, Field(ge=1, le=4096)], Annotated[int, Field(ge=1, le=4096)]] | None,
        Field(strict=False, description="[height, width] of images after resizing; for images of Gymnasium"),
    ] = None
    frame_stack: Annotated[
        PositiveInt,
        Field(
            le=64, description="images that are shown together, side by side on the last axis; for images of Gymnasium"
        ),
    ] = 1

    @property
    def is_atari(self) -> bool:
        return self.id.startswith("ALE/")

    @model_validator(mode="before")
    @classmethod
    def _default_protocol(cls, data: Any) -> Any:
        if isinstance(data, dict) and str(data.get("id", "")).startswith("ALE/") and data.get("protocol") is None:
            return {**data, "protocol": "baselines"}
        return data

    @model_validator(mode="after")
    def _protocol_is_for_atari(self) -> Self:
        if self.protocol is not None and not self.is_atari:
            raise ValueError(
                f"protocol {self.protocol!r} is for Atari (ALE/...), and id is {self.id!r}; "
                "start from a preset that is not Atari's, such as cartpole"
            )
        given = {
            "kwargs": self.kwargs,
            "grayscale": self.grayscale,
            "resize": self.resize,
            "frame_stack": self.frame_stack > 1,
        }
        if self.is_atari and any(given.values()):
            names = " and ".join(name for name, value in given.items() if value)
            raise ValueError(f"{names} not for Atari: its protocol says everything")
        if json.loads(json.dumps(self.kwargs)) != self.kwargs or "Infinity" in json.dumps(self.kwargs):
            raise ValueError("kwargs must be plain data that JSON can hold")
        return self


class SamplingConfig(ConfigModel):
    """How many environments, on how many processes."""

    num_envs: Annotated[
        PositiveInt, Field(le=65_536, description="environments stepped in parallel (N, n_e); >= 1")
    ] = 32
    num_workers: Annotated[
        PositiveInt | Literal["auto"],
        Field(description="worker processes (n_w), at most num_envs; auto = one per core; never changes the result"),
    ] = "auto"

    overlap: Annotated[
        bool,
        Field(
            description="two halves of the environments take turns: one plays while the learner acts for the other, "
            "with the same parameters within a rollout; num_envs must be even"
        ),
    ] = False

    worker_timeout: Annotated[
        float,
        Field(ge=1, le=10**6, description="seconds without a sign of life after which a worker is replaced; >= 1"),
    ] = 60.0
    max_restarts: Annotated[
        NonNegativeInt,
        Field(description="workers that may be lost and replaced within an hour; one more ends the run"),
    ] = 10

    @property
    def most_workers(self) -> int:
        """As many as have something to do at every step."""
        return self.num_envs // 2 if self.overlap else self.num_envs

    @model_validator(mode="after")
    def _enough_envs(self) -> Self:
        if self.num_workers != "auto" and self.num_workers > self.num_envs:
            raise ValueError(f"num_workers ({self.num_workers}) must not exceed num_envs ({self.num_envs})")
        fewest = 2 if self.num_workers == "auto" else 2 * self.num_workers
        if self.overlap and (self.num_envs % 2 or self.num_envs < fewest):
            raise ValueError(
                "overlap is for an even number of environments, two or more for each worker; "
                f"num_envs is {self.num_envs}, num_workers {self.num_workers}"
            )
        return self


_FUNCTION = r"\w+(\.\w+)*:\w+"


def _is_function(torso: str) -> str:
    if not re.fullmatch(_FUNCTION, torso):
        raise ValueError("module:function that makes a Keras model")
    return torso


Torso = (
    Literal["nips", "nature", "impala", "mlp"]
    | Annotated[str, AfterValidator(_is_function), WithJsonSchema({"type": "string", "pattern": f"^{_FUNCTION}$"})]
)


class NetworkConfig(ConfigModel):
    """The torso shared by policy and value."""

    torso: Annotated[
        Torso,
        Field(
            description="nips and nature: convolutions for images (the paper's two); impala: residual ones, larger; "
            "mlp: dense, for vectors; module:function: the keras.Model that function(obs_shape) returns"
        ),
    ]
    torsos: Annotated[
        dict[str, Torso],
        Field(
            default_factory=dict,
            description="part of the observation -> torso of its own, where it is a Dict or Tuple; "
            "all other parts go through `torso` as one vector",
        ),
    ]
    hidden_sizes: Annotated[
        tuple[Annotated[int, Field(ge=1, le=65_536)], ...],
        Field(strict=False, min_length=1, max_length=64, description="units of each layer; mlp only"),
    ] = (64, 64)
    activation: Annotated[
        Literal["relu", "tanh"] | None, Field(description="after each layer; mlp only, whose null = tanh")
    ] = None
    layer_norm: Annotated[
        bool,
        Field(
            description="LayerNorm after every product of the torso, before its activation, over the last axis; "
            "not for a keras.Model, which may have its own"
        ),
    ] = False
    initializer: Annotated[
        Literal["orthogonal", "fan_in_uniform"],
        Field(
            description="orthogonal, or the paper's uniform in +-1/sqrt(fan_in) for weights and biases; "
            "a keras.Model has its own"
        ),
    ] = "orthogonal"

    normalize_obs: Annotated[
        bool,
        Field(description="shift and scale every element of an observation by its running mean and deviation"),
    ] = False
    precision: Annotated[
        Precision,
        Field(
            description="what torsos compute in; weights, losses and optimisers are float32; auto = bfloat16 where "
            "the processor of the machine that starts the run multiplies it natively; a keras.Model has its own"
        ),
    ] = "float32"

    @model_validator(mode="after")
    def _options_fit_the_torsos(self) -> Self:
        torsos = {self.torso, *self.torsos.values()}
        for name in ("hidden_sizes", "activation"):
            if "mlp" not in torsos and getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(f"{name} is for torso mlp, and torso is {' and '.join(sorted(torsos))}")
        if self.layer_norm and all(":" in torso for torso in torsos):
            raise ValueError(f"layer_norm is for the torsos of this project, and torso is {self.torso}")
        return self


class StopWhen(ConfigModel):
    """Training ends early once the agent is good enough."""

    mean_return: Annotated[float, Field(description="mean raw return to reach")]
    episodes: Annotated[PositiveInt, Field(le=10_000, description="over this many of the latest episodes")] = 100


class TrainingConfig(ConfigModel):
    """How long, how often, and where."""

    total_steps: Annotated[PositiveInt, Field(le=10**15, description="agent steps, summed over environments; >= 1")]
    log_every: Annotated[PositiveInt, Field(le=10**15, description="steps between rows of metrics; >= 1")] = 10_000
    checkpoint_every: Annotated[PositiveInt, Field(le=10**15, description="steps between checkpoints; >= 1")] = 250_000
    keep_checkpoints: Annotated[
        PositiveInt, Field(le=10**6, description="latest checkpoints kept, beside the best; >= 1")
    ] = 3
    stop_when: Annotated[StopWhen | None, Field(description="end early at this mean return")] = None
    device: Annotated[Device, Field(description="auto: the GPU where there is one")] = "auto"
    deterministic: Annotated[
        bool,
        Field(
            description="operations on a GPU add in a fixed order, so that a run is the same again; without it some "
            "are faster; a CPU's always do"
        ),
    ] = True
    jit_compile: Annotated[
        bool,
        Field(
            description="compile acting and updates with XLA: fewer, larger operations on a GPU; "
            "on a CPU convolutions get slower"
        ),
    ] = False


class RunConfig(ConfigModel):
    """A preset: everything that a run needs."""

    seed: Annotated[NonNegativeInt, Field(lt=2**63, description="every random draw of the run follows from it")] = 1
    env: Annotated[EnvConfig, Field(description="which environment, and under which rules")]
    sampling: Annotated[SamplingConfig, Field(description="how many environments, on how many processes")] = (
        SamplingConfig()
    )
    algorithm: Annotated[Algorithm, Field(description="how it learns")] = PaacConfig()
    network: Annotated[NetworkConfig, Field(description="what it learns with")]
    training: Annotated[TrainingConfig, Field(description="how long, how often, and where")]

    @model_validator(mode="after")
    def _algorithm_fits_sampling(self) -> Self:
        self.algorithm.check(self.sampling.num_envs)
        if self.sampling.overlap and not self.algorithm.supports_overlap:
            raise ValueError(
                f"sampling.overlap is for algorithms that learn from whole rollouts, not for {self.algorithm.name}"
            )
        return self

    @property
    def frames_per_step(self) -> int:
        """Emulator frames per agent step."""
        return 4 if self.env.is_atari else 1


#: Dotted keys that cannot change what has been learned so far, and so may change on resume.
FREE_ON_RESUME = frozenset(
    {
        "sampling.num_workers",
        "sampling.worker_timeout",
        "sampling.max_restarts",
        "training.total_steps",
        "training.log_every",
        "training.checkpoint_every",
        "training.keep_checkpoints",
        "training.stop_when",
        "training.device",
        "training.deterministic",
    }
)
