"""What `paac train --log-json` prints: one JSON object a line. docs/metrics.md lists the fields.

The JSON is strict: a number that is not finite is null.
"""

import dataclasses
import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from paac_cli.events import Event


def metrics_line(steps: int, metrics: Mapping[str, float], text: str) -> str:
    """A row of metrics. text: what a person sees of it."""
    return _line("metrics", {"steps": steps, "text": text, "metrics": metrics})


def event_line(event: Event) -> str:
    """An event: its kind, its text, and the fields of its class."""
    kind = re.sub(r"(?<!^)([A-Z])", r"_\1", type(event).__name__).lower()
    return _line("event", {"event": kind, "text": str(event), "data": dataclasses.asdict(event)})


def result_line(result: Mapping[str, Any]) -> str:
    """The result of the command."""
    return _line("result", result)


def _line(kind: Literal["metrics", "event", "result"], fields: Mapping[str, Any]) -> str:
    head = {"type": kind, "time": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"}
    return json.dumps(head | _strict(fields), allow_nan=False)


def _strict(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _strict(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
