"""Messages about an invalid config: each names source, key, value and fix."""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from paac_cli.config.schema import RunConfig
from paac_cli.config.unknown_keys import hint_for_key, hint_for_value, models_in, usual_value
from paac_cli.text import one_line, shell_quoted, shorten

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_MAX_ERRORS = 30  # in one message


def explain(source: str, flags: Mapping[str, str], error: ValidationError) -> str:
    """One line per setting: where it was given, its key and value, what is wrong, what is allowed.

    flags: dotted key of each override -> its command-line flag.
    """
    problems: dict[tuple[str, str], list[str]] = {}  # (origin, subject) -> messages: a union gives one per member
    left_over: dict[tuple[str, str], list[str]] = {}  # (section, its new name) -> keys of what it was before
    errors = error.errors(include_url=False)
    for item in errors[:_MAX_ERRORS]:
        keys, fields = _resolve(item["loc"])
        if _is_left_over(item, keys, flags):
            left_over.setdefault((".".join(keys[:-1]), str(item["loc"][-2])), []).append(one_line(keys[-1]))
            continue
        if item["type"].startswith("union_tag"):  # pydantic blames the section that the name selects a class for
            keys.append("name")
        origin = _origin(".".join(keys), source, flags, item)
        subject, message = _explain_one(item, keys, fields)
        problems.setdefault((origin, subject), []).extend([message] if message else [])
    lines = [
        *(_explain_left_over(*place, names, source, flags) for place, names in left_over.items()),
        *(
            ": ".join(part for part in (origin, subject, " or ".join(messages)) if part)
            for (origin, subject), messages in problems.items()
        ),
    ]
    if len(errors) > _MAX_ERRORS:
        lines.append(f"{source}: {len(errors) - _MAX_ERRORS:,} more errors")
    return "\n".join(lines)


def _is_left_over(item: "ErrorDetails", keys: Sequence[str], flags: Mapping[str, str]) -> bool:
    """Whether a key is unknown because a flag for `name` alone has made its section one of another kind."""
    section = ".".join(keys[:-1])
    is_of_union = len(keys) > 1 and item["loc"][-2] != keys[-2]
    is_from_source = f"{section}.name" in flags and f"{section}.{keys[-1]}" not in flags
    return item["type"] == "extra_forbidden" and is_of_union and is_from_source


def _explain_left_over(section: str, name: str, keys: list[str], source: str, flags: Mapping[str, str]) -> str:
    whole = f"--set {shell_quoted(f'{section}={{name: {name}}}')}"
    replacement = f"--algorithm {name}, or {whole}" if section == "algorithm" else whole
    return (
        f"{flags[f'{section}.name']}: {name} has no {', '.join(keys)}, which {source} sets for another {section}; "
        f"use {replacement}: this replaces the whole section"
    )


def _explain_one(item: "ErrorDetails", keys: list[str], fields: Mapping[str, FieldInfo]) -> tuple[str, str]:
    """The subject of one error, e.g. `key = value`, and what is wrong with it; either may be empty."""
    key, value, context = one_line(".".join(keys)), item["input"], item.get("ctx", {})
    match item["type"]:
        case "extra_forbidden":
            algorithm = str(item["loc"][1]) if keys[0] == "algorithm" and len(item["loc"]) == 3 else ""
            return f"unknown key {shorten(key)}{hint_for_key(keys, value, fields, algorithm)}", ""
        case "missing":
            return f"{key} is missing{_describe(fields.get(keys[-1]))}", ""
        case "union_tag_not_found":
            return f"{key} is missing", ""
        case "union_tag_invalid":
            value, expected = context["tag"], context["expected_tags"]
            message = f"must be one of {expected}" + (
                ", or module:Class of your own" if key == "algorithm.name" else ""
            )
        case "model_type" | "model_attributes_type":
            expected, message = "", f"must be a mapping{_describe_mapping(fields.get(keys[-1]), value)}"
        case "tuple_type" | "list_type":
            element = "..." if isinstance(value, Mapping | None) else shorten(one_line(str(value)))
            example = ", ".join([element] * _length_of_list(fields.get(keys[-1])))
            expected, message = "", f"must be a list, e.g. [{example}]"
        case _:
            expected = str(context.get("expected", ""))
            message = item["msg"].removeprefix("Value error, ").replace("Input should ", "must ")
            message = message[:1].lower() + message[1:]
    if isinstance(value, str):
        message += hint_for_value(value, re.findall(r"'([^']+)'", expected))
    return key if isinstance(value, dict) else f"{key} = {shorten(repr(value))}", message


def _length_of_list(field: FieldInfo | None) -> int:
    """The length of a list that must have a certain one; otherwise 1."""
    annotation = field.annotation if field is not None else None
    for kind in (annotation, *get_args(annotation)):
        if get_origin(kind) is tuple and ... not in get_args(kind):
            return len(get_args(kind))
    return 1


def _describe_mapping(section: FieldInfo | None, value: Any) -> str:
    """The keys of a section that has been set to `value`, with an example of what may be meant."""
    models = models_in(section and section.annotation)
    settings = {name: setting for model in models for name, setting in model.model_fields.items()}
    if not settings:
        return ""
    key, colon, rest = value.partition(":") if isinstance(value, str) else ("", "", "")
    if colon and key in settings:
        return f"; write a space after the colon: {key}: {shorten(one_line(rest))}"
    if len(models) > 1:  # a choice of classes, each with a name and keys of its own
        names = [str(model.model_fields["name"].default) for model in models]
        return f", e.g. {{name: {value if value in names else usual_value(value, names) or names[0]}}}"
    meant = [name for name, setting in settings.items() if value in get_args(setting.annotation)]
    meant = meant or [name for name, setting in settings.items() if setting.is_required()]
    is_meant = len(meant) == 1 and isinstance(value, int | float | str)
    example = f", e.g. {{{meant[0]}: {shorten(one_line(str(value)))}}}" if is_meant else ""
    return f" with the keys {', '.join(settings)}{example}"


def _origin(key: str, source: str, flags: Mapping[str, str], item: "ErrorDetails") -> str:
    """Where the value of `key` was given: by the flag for it or for the nearest section around it, or in `source`.

    An unknown key may have been created by a flag for a key below it. If settings of a section contradict each other,
    flags for keys below it are named, too.
    """
    above = sorted((given for given in flags if f"{key}.".startswith(f"{given}.")), key=len)
    below = [flag for given, flag in flags.items() if not key or given.startswith(f"{key}.")]
    if above or not below:
        return flags[above[-1]] if above else source
    if item["type"] == "extra_forbidden":
        return below[0]
    return f"{source} with {', '.join(below)}" if item["type"] == "value_error" else source


def _describe(field: FieldInfo | None) -> str:
    return f" ({field.description})" if field is not None and field.description else ""


def _resolve(location: tuple[int | str, ...]) -> tuple[list[str], dict[str, FieldInfo]]:
    """The keys in `location`, where pydantic found an error, and the valid fields of the section of the last key.

    A location also holds the tags of unions, which are not keys: a tag selects one of several config classes.
    """
    models: list[type[BaseModel]] = [RunConfig]
    keys: list[str] = []
    fields: dict[str, FieldInfo] = {}
    is_mapping = False
    for part in location:
        if isinstance(part, int):  # the index in a list
            keys.append(str(part))
            continue
        if not models:  # inside a plain value: the key of a mapping, or the name of a type
            keys += [part] if is_mapping else []
            is_mapping = False
            continue
        known = {name: field for model in models for name, field in model.model_fields.items()}
        tagged = [
            model for model in models if "name" in model.model_fields and model.model_fields["name"].default == part
        ]
        if part in known or not tagged:
            keys.append(part)
            fields = known
            annotation = known[part].annotation if part in known else None
            models, is_mapping = models_in(annotation), get_origin(annotation) is dict
        else:
            models = tagged
    return keys, fields
