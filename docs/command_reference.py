"""The page about all commands, made from their help."""

import inspect
import textwrap
from collections.abc import Iterator

import click

from paac_cli.cli.main import main as paac
from paac_cli.reporting.tables import format_markdown

_INTRODUCTION = """\
# Commands

<!-- Made from the help of the commands by `make reference`; do not edit. -->

`paac COMMAND --help` prints what this page says about a command. The default "preset: `env.id`" means that the option
sets the key `env.id` of the [configuration](configuration.md), whose value is otherwise that of the preset.
"""


def command_reference() -> str:
    """The page, as Markdown."""
    commands = dict(walk_commands())
    listed = [[f"[{code(name)}](#{name.replace(' ', '-')})", _purpose(each)] for name, each in commands.items()]
    parts = [_command(name, command) for name, command in commands.items()]
    overview = format_markdown(["command", "what it does"], listed[1:])
    return "\n".join([_INTRODUCTION, overview, "", "\n\n".join(parts), ""])


def code(text: str) -> str:
    """`text` as code."""
    return f"`{text}`"


def walk_commands(command: click.Command = paac, name: str = "paac") -> Iterator[tuple[str, click.Command]]:
    """(full name, command) of `command` and of all below it."""
    yield name, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for each in command.list_commands(context):
            found = command.get_command(context, each)
            assert found is not None
            yield from walk_commands(found, f"{name} {each}")


def _purpose(command: click.Command) -> str:
    return command.get_short_help_str(limit=1000).removesuffix(".")


def _command(name: str, command: click.Command) -> str:
    """The section about one command: purpose, usage, options, examples."""
    options = [option for option in command.params if isinstance(option, click.Option)]
    purpose, *text, title, examples = _paragraphs(command)
    parts = [
        f"{'#' * max(2, len(name.split()))} `{name}`",
        purpose,
        "" if isinstance(command, click.Group) else f"Usage: `{_usage(name, command, options)}`",
        *text,
        _options(options),
        title,
        examples,
    ]
    return "\n\n".join(part for part in parts if part)


def _usage(name: str, command: click.Command, options: list[click.Option]) -> str:
    """As Click prints it, but with the required options, and without [OPTIONS] where the command has no others."""
    needed = [f"{option.opts[0]} {option.metavar}" for option in options if option.required]
    context = click.Context(command, parent=click.Context(paac, **paac.context_settings))  # for the names of --help
    first, *arguments = command.collect_usage_pieces(context)
    return " ".join([name, *needed, *([first] if len(options) > len(needed) else []), *arguments])


def _paragraphs(command: click.Command) -> Iterator[str]:
    """The paragraphs of the help of a command. Those that Click must not wrap, e.g. examples, become fenced blocks."""
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        if paragraph.startswith("\b"):
            lines = textwrap.dedent(paragraph.removeprefix(chr(8)).strip(chr(10)))
            yield f"```{'' if lines.startswith('paac ') else 'text'}\n{lines}\n```"
        else:
            yield paragraph


def _options(options: list[click.Option]) -> str:
    """The table of options, without columns that are empty."""
    rows = [(_flags(option), _value(option), *_default_and_meaning(option)) for option in options]
    columns = [
        column for column in zip(("option", "value", "default", "meaning"), *rows, strict=True) if any(column[1:])
    ]
    header, *rows = zip(*columns, strict=True) if columns else [()]
    return format_markdown(header, rows) if rows else ""


def _flags(option: click.Option) -> str:
    return " / ".join(map(code, [*option.opts, *option.secondary_opts]))


def _value(option: click.Option) -> str:
    """What an option takes: its name and range, or the choices."""
    kind = option.type
    if option.is_flag:
        return ""
    if isinstance(kind, click.Choice):
        return ", ".join(map(code, kind.choices))
    numbers = {click.types.IntParamType: "integer", click.types.FloatParamType: "number"}
    plain = next(
        (name for number, name in numbers.items() if isinstance(kind, number)),
        code(kind.name.upper() if kind.name.islower() else kind.name),
    )
    name = code(option.metavar) if option.metavar else plain
    return f"{name}{_range(kind)}"


def _range(kind: click.ParamType) -> str:
    """The range of a number: ", 1 to 16", " >= 1"; empty for any number."""
    if not isinstance(kind, click.IntRange | click.FloatRange) or kind.min is None:
        return ""
    if kind.max is None or kind.min_open:
        upper = "" if kind.max is None else f", at most {_number(kind.max)}"
        return f" {'>' if kind.min_open else '>='} {_number(kind.min)}{upper}"
    return f", {_number(kind.min)} to {_number(kind.max)}"


def _number(number: float) -> str:
    return "2^63 - 1" if number == 2**63 - 1 else f"{number:,}"


def _default_and_meaning(option: click.Option) -> tuple[str, str]:
    """The default of an option, which its help may give in brackets at the end, and the help without it."""
    text, _, bracket = (option.help or "").partition("  [")
    given = bracket.removesuffix("]")
    if option.required:
        default = "required"
    elif given.startswith("default: "):
        default = given.removeprefix("default: ")
        default = code(default) if default.isdecimal() else default
    elif given:
        default = f"preset: {code(given.partition('=')[0])}"
    else:
        default = code(str(option.default)) if option.show_default else ""
    return default, text
