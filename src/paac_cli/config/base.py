"""The base of all config classes."""

from pydantic import BaseModel, ConfigDict


class ConfigModel(BaseModel):
    """Frozen and strict: unknown keys, values of another type (`true` for a number), NaN and infinity are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, validate_default=True, allow_inf_nan=False)
