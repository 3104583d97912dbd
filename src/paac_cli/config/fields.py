"""Config fields that several algorithms share, and field types that need a custom validator.

"Steps" without a qualifier are agent steps, summed over all environments.
"""

import re
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    Field,
    GetJsonSchemaHandler,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

# --- unions of config classes that `name` selects


@dataclass(frozen=True)
class NamedUnion:
    """Makes the JSON Schema of such a union accept what the validation accepts.

    Pydantic's own schema lets a section without a name match several classes at once, and then none is valid.
    """

    default: str = ""  #: the class for a section without a name; empty: the name is required
    third_party: bool = False  #: whether `name` may also be `module:Class`, with keys that only that class knows

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = handler(core)
        mapping = schema.pop("discriminator")["mapping"]
        schema["oneOf"] = [
            {"$ref": reference} if name == self.default else {"$ref": reference, "required": ["name"]}
            for name, reference in mapping.items()
        ]
        if self.third_party:
            name = {"type": "string", "pattern": "^[^:]+:[^:]+$", "description": "`module:Class`"}
            schema["oneOf"].append({"type": "object", "properties": {"name": name}, "required": ["name"]})
        return schema


# --- algorithms

NumSteps = Annotated[
    PositiveInt, Field(le=1024, description="rollout length (T): steps of each environment per update, 1 to 1,024")
]
Gamma = Annotated[float, Field(ge=0, le=1, description="discount factor per step, in [0, 1]")]
GaeLambda = Annotated[
    float,
    Field(ge=0, le=1, description="lambda of generalised advantage estimation, in [0, 1]; 1 = n-step returns"),
]
NormalizeAdvantage = Annotated[
    bool, Field(description="normalise the advantages of each gradient step to mean 0 and standard deviation 1")
]
NormalizeReward = Annotated[
    bool,
    Field(
        description="divide the rewards that are learned from by the running standard deviation of the discounted "
        "return; reported scores stay raw"
    ),
]
LearningRate = Annotated[PositiveFloat, Field(description="learning rate at the first step; > 0")]
LrAnnealSteps = Annotated[
    NonNegativeInt, Field(le=10**15, description="steps over which the learning rate falls linearly to 0; 0 = constant")
]
EntCoef = Annotated[NonNegativeFloat, Field(description="entropy coefficient: weight of the entropy bonus; >= 0")]
EntAnnealSteps = Annotated[
    NonNegativeInt, Field(le=10**15, description="steps over which `ent_coef` falls linearly to 0; 0 = constant")
]
VfCoef = Annotated[
    NonNegativeFloat, Field(description="value function coefficient: weight of the squared value error; >= 0")
]
MaxGradNorm = Annotated[PositiveFloat, Field(description="gradients are clipped to this global norm; > 0")]
NumEpochs = Annotated[PositiveInt, Field(le=100, description="passes over the rollout per update, 1 to 100")]
NumMinibatches = Annotated[
    PositiveInt,
    Field(le=65_536, description="minibatches per epoch, 1 to 65,536; must divide `num_steps` x `num_envs`"),
]
EpsilonStart = Annotated[
    float, Field(ge=0, le=1, description="probability of a random action (epsilon) at the first step, in [0, 1]")
]
EpsilonEnd = Annotated[
    float,
    Field(
        ge=0,
        le=1,
        description="epsilon after `epsilon_anneal_steps`, and wherever a trained policy plays with sampled actions; "
        "in [0, 1]",
    ),
]
EpsilonAnnealSteps = Annotated[
    NonNegativeInt,
    Field(
        le=10**15,
        description="steps over which epsilon changes linearly from `epsilon_start` to `epsilon_end`; "
        "0 = `epsilon_end` at once",
    ),
]

NStep = Annotated[PositiveInt, Field(le=100, description="rewards in a return before it bootstraps (n), 1 to 100")]
Dueling = Annotated[
    bool,
    Field(
        description="dueling network: `Q = V + A - mean(A)`, with one head for the value (V) and one for the "
        "advantages (A)"
    ),
]
BufferSize = Annotated[
    PositiveInt, Field(le=10**9, description="most transitions in the replay buffer, over all environments")
]
SaveBuffer = Annotated[
    bool,
    Field(
        description="save the replay buffer in each of `training.keep_checkpoints` checkpoints (Atari: 7 kB per "
        "transition, 7 GB for a million); "
        "without it a resumed run is approximate: it differs from an uninterrupted one"
    ),
]
BatchSize = Annotated[PositiveInt, Field(le=65_536, description="transitions per update, 1 to 65,536")]

# --- networks


Precision = Literal["auto", "float32", "bfloat16"]

_CODE = r"\w+(\.\w+)*:\w+"  # module:name
_CODE_SCHEMA = WithJsonSchema({"type": "string", "pattern": f"^{_CODE}$"})


def _is_code(expected: str) -> AfterValidator:
    """Checks that a setting names a function or class. expected: for the error message."""

    def validate(name: str) -> str:
        if not re.fullmatch(_CODE, name):
            raise ValueError(expected)
        return name

    return AfterValidator(validate)


Torso = (
    Literal["nips", "nature", "gamma", "impala", "mlp"]
    | Annotated[str, _is_code("module:function, where the function returns a keras.Model"), _CODE_SCHEMA]
)

# --- training


TrackerName = (
    Literal["tensorboard", "wandb", "mlflow", "trackio"] | Annotated[str, _is_code("module:Class"), _CODE_SCHEMA]
)
