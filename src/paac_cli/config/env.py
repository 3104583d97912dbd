"""The section `env` of a config: the environment and its rules."""

import json
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, JsonValue, NonNegativeInt, PositiveInt, model_validator

from paac_cli.config.atari_names import find_atari, game_ids
from paac_cli.config.base import ConfigModel

RuleSetName = Literal["paac2017", "baselines", "machado2018"]
Channels = Literal["auto", "first", "last"]

FRAME_SKIP = 4  #: emulator frames per step of an Atari game (Mnih et al. 2015)
FRAME_STACK = 4  #: frames in an observation of an Atari game: the default of `frame_stack`, and the most it can be

#: The keys of this section that all earlier versions wrote into the config of a run.
_KEYS_OF_EARLIER_VERSIONS = {"id", "protocol", "kwargs", "grayscale", "resize", "frame_stack"}


def format_rules(protocol: str | None, mode: int | None, difficulty: int | None) -> str:
    """These settings of `EnvConfig`, as far as they are given: "rule set baselines, mode 2"."""
    given = {"rule set": protocol, "mode": mode, "difficulty": difficulty}
    return ", ".join(f"{name} {value}" for name, value in given.items() if value is not None)


class WrapperConfig(ConfigModel):
    """One wrapper of an environment."""

    name: Annotated[
        str,
        Field(
            pattern=r"^[\w.]+(:\w+)?$",
            description="a class of `gymnasium.wrappers`, e.g. `TimeLimit`; `HideElements`, which removes elements "
            "of vector observations; or `module:Class`",
        ),
    ]
    kwargs: Annotated[
        dict[str, JsonValue],
        Field(
            default_factory=dict, description="keyword arguments of the class, after the environment; JSON values only"
        ),
    ]


def _named(wrapper: Any) -> Any:
    return {"name": wrapper} if isinstance(wrapper, str) else wrapper


#: `{name: ..., kwargs: ...}`, or the name alone.
Wrapper = Annotated[WrapperConfig, BeforeValidator(_named, json_schema_input_type=WrapperConfig | str)]


class EnvConfig(ConfigModel):
    """The environment and its rules."""

    id: Annotated[
        str,
        Field(
            min_length=1,
            description="a Gymnasium id, e.g. `ALE/Pong-v5` or `CartPole-v1`; or `module:Env-v0`, whose module is "
            "imported",
        ),
    ]
    protocol: Annotated[
        RuleSetName | None,
        Field(
            description="rule set of an Atari game (`ALE/...`): `paac2017`, `baselines` (its default) or "
            "`machado2018`; `null` for all other environments"
        ),
    ] = None
    mode: Annotated[
        NonNegativeInt | None,
        Field(
            description="game mode of an Atari game, as its manual numbers them; `null` = its default; only for Atari"
        ),
    ] = None
    difficulty: Annotated[
        NonNegativeInt | None,
        Field(description="difficulty switch of an Atari game; `null` = its default; only for Atari"),
    ] = None
    kwargs: Annotated[
        dict[str, JsonValue],
        Field(
            default_factory=dict,
            description="keyword arguments for `gymnasium.make`, JSON values only; not for Atari",
        ),
    ]

    wrappers: Annotated[
        tuple[Wrapper, ...],
        Field(
            strict=False,
            max_length=100,
            description="Gymnasium wrappers, the first one innermost: names of `gymnasium.wrappers`, `module:Class`, "
            "or `{name: ..., kwargs: {...}}`; scores are those of the wrapped environment; not for Atari",
        ),
    ] = ()

    action_mask: Annotated[
        bool,
        Field(
            description="the environment reports its legal actions in `info['action_mask']`, as Taxi does; no other "
            "action is ever taken; for `Discrete` actions; not for Atari"
        ),
    ] = False
    fresh_per_episode: Annotated[
        Literal["auto"] | bool,
        Field(
            description="make a new environment for every game, for environments that carry state from one game to the "
            "next; `auto` = where that is known, or found by a check when the run starts"
        ),
    ] = "auto"
    channels: Annotated[
        Channels,
        Field(
            description="axis of the channels of images: `last` = `[height, width, channels]`; "
            "`first` = `[channels, height, width]`, which are moved to the last axis; `auto` = `first` if only the "
            "first axis has the size of channels (1, 3 or 4); not for Atari"
        ),
    ] = "auto"
    grayscale: Annotated[bool, Field(description="convert image observations to grey; not for Atari")] = False
    resize: Annotated[
        tuple[Annotated[int, Field(ge=1, le=4096)], Annotated[int, Field(ge=1, le=4096)]] | None,
        Field(
            strict=False,
            description="resize image observations to `[height, width]` in pixels, each 1 to 4,096; "
            "`null` = as they are; not for Atari",
        ),
    ] = None
    frame_stack: Annotated[
        PositiveInt,
        Field(
            le=64,
            description="consecutive image observations stacked on the last axis, 1 to 64; for Atari 1 to 4, by "
            "default 4; with 1, `network.recurrent` can remember earlier images",
        ),
    ] = 1

    @property
    def is_atari(self) -> bool:
        return self.id.startswith("ALE/")

    @property
    def frames_per_step(self) -> int:
        """Emulator frames per agent step."""
        return FRAME_SKIP if self.is_atari else 1

    @property
    def rules(self) -> str:
        """The rules that scores belong to, e.g. "rule set baselines, mode 2"; empty if the game is not Atari."""
        return format_rules(self.protocol, self.mode, self.difficulty)

    @model_validator(mode="before")
    @classmethod
    def _defaults_for_atari(cls, data: Any) -> Any:
        if not isinstance(data, dict) or not str(data.get("id", "")).startswith("ALE/"):
            return data
        given = {key: value for key, value in data.items() if value is not None}
        if data.keys() >= _KEYS_OF_EARLIER_VERSIONS and "action_mask" not in data:
            given.pop("frame_stack", None)  # an earlier version wrote it, and it had no effect
        return {**data, "protocol": "baselines", "frame_stack": FRAME_STACK, **given}

    @model_validator(mode="after")
    def _settings_fit_the_environment(self) -> Self:
        if self.protocol is not None and not self.is_atari:
            game = find_atari(self.id, game_ids())
            raise ValueError(
                f"protocol {self.protocol!r} is for Atari, but id is {self.id!r}; did you mean {game}?"
                if game
                else f"protocol {self.protocol!r} is for Atari, but id is {self.id!r}. Atari games are written "
                "ALE/Name-v5, e.g. ALE/Pong-v5; for other environments, take a preset that is not for Atari, such as "
                "cartpole, or, if they show images, add --set env.protocol=null"
            )
        modes = [name for name in ("mode", "difficulty") if getattr(self, name) is not None]
        if modes and not self.is_atari:
            names = " and ".join(modes)
            raise ValueError(f"{names} can be set for Atari only (ALE/...), but id is {self.id!r}; remove {names}")
        given = {
            "kwargs": self.kwargs,
            "wrappers": self.wrappers,
            "action_mask": self.action_mask,
            "channels": self.channels != "auto",
            "grayscale": self.grayscale,
            "resize": self.resize,
        }
        if self.is_atari and any(given.values()):
            names = " and ".join(name for name, value in given.items() if value)
            raise ValueError(f"{names} cannot be set for Atari, whose rule set (protocol) fixes them; remove {names}")
        if self.is_atari and self.frame_stack > FRAME_STACK:
            raise ValueError(f"frame_stack ({self.frame_stack}) must be 1 to {FRAME_STACK} for Atari")
        if self.is_atari and self.fresh_per_episode is True:
            raise ValueError("fresh_per_episode is not for Atari, whose games carry no state over; remove it")
        for kwargs in (self.kwargs, *(wrapper.kwargs for wrapper in self.wrappers)):
            _require_json(kwargs)
        return self


def _require_json(kwargs: dict[str, Any]) -> None:
    """Raise ValueError unless a run's config and the manifests of its checkpoints can hold `kwargs` unchanged."""
    try:
        text = json.dumps(kwargs, ensure_ascii=False, allow_nan=False)
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"kwargs must be text that UTF-8 can represent, which {text[error.start]!r} is not") from None
    except (TypeError, ValueError):
        text = "null"
    if json.loads(text) != kwargs:
        raise ValueError("kwargs must be JSON values: no dates, sets, bytes, infinity or NaN")
