"""What every config class has in common."""

from pydantic import BaseModel, ConfigDict


class ConfigModel(BaseModel):
    """Frozen; an unknown key is an error; defaults are checked like anything else."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)
