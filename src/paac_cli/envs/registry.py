"""Finds an environment among those that are registered with Gymnasium, and makes it."""

import importlib
import pkgutil
import re
import warnings
from dataclasses import replace
from pathlib import PurePath
from types import ModuleType
from typing import Any

import gymnasium
from gymnasium.envs.registration import EnvSpec as Registration
from gymnasium.envs.registration import find_highest_version, get_env_id, load_env_creator, parse_env_id

from paac_cli.config.atari_names import find_atari, game_ids
from paac_cli.config.env import EnvConfig
from paac_cli.config.trust import hidden_file
from paac_cli.envs.guard import GuardedEnv
from paac_cli.envs.rendering import draw_without_display
from paac_cli.errors import EnvironmentSpecError, PaacError
from paac_cli.text import about_arguments, describe_error, how_to_install, nearest

_VERSION = re.compile(r"-v[0-9]+$")  # at the end of an id
_MAX_NAMES = 5  # of modules, in one message

#: How the ids of other packages begin -> the module that registers them; see docs/environments.md.
_MODULES = {
    r"dm_control/": "shimmy",
    r"MiniGrid-|BabyAI-": "minigrid",
    r"highway-": "highway_env",
    r"FlappyBird-": "flappy_bird_gymnasium",
    r"Fetch[A-Z]|Hand(Reach|Manipulate)|AntMaze_|PointMaze_|AdroitHand|FrankaKitchen-": "gymnasium_robotics",
    r"Panda[A-Z]": "panda_gym",
    r"gym_pusht/": "gym_pusht",
    r"Vizdoom": "vizdoom.gymnasium_wrapper",
    r"MiniWorld-": "miniworld",
    r"\w+BulletEnv-": "pybullet_envs_gymnasium",
    r"Meta-World/": "metaworld",
    r"tetris_gymnasium/": "tetris_gymnasium.envs",
    r"deep-sea-treasure-|mo-": "mo_gymnasium",
    r"popgym-": "popgym",
    r"(stocks|forex)-": "gym_anytrading",
}


def make_registered(config: EnvConfig, render_mode: str | None) -> gymnasium.Env[Any, Any]:
    """Make `config.id`, with a `GuardedEnv` below all other wrappers. Raises EnvironmentSpecError.

    render_mode: for the environment; None if it will not be rendered.
    """
    kwargs: dict[str, Any] = {"disable_env_checker": True, **config.kwargs}  # Gymnasium's checker, which only warns
    if render_mode is not None:  # some environments do not take this argument
        kwargs["render_mode"] = render_mode
    if kwargs.get("render_mode"):
        draw_without_display()  # before the module of the environment is imported, which may import MuJoCo
    found = find_registered(config.id)
    try:
        with warnings.catch_warnings():
            # It may be able to render although its metadata does not say so; if not, there is an error.
            warnings.filterwarnings("ignore", message=".*being initialised with render_mode")
            warnings.filterwarnings("ignore", message=".*metadata doesn't include .render_modes")
            return gymnasium.make(replace(found, entry_point=found.entry_point and _Guarded(found)), **kwargs)
    except PaacError as error:
        raise EnvironmentSpecError(f"{config.id}: {error}") from error
    except Exception as error:  # third-party constructors may raise anything
        message = f"{config.id} cannot be made: {describe_error(error)}{about_arguments(error, 'env.kwargs')}"
        extra = re.match(r"gymnasium\.envs\.(box2d|mujoco)\b", str(found.entry_point))
        if extra and isinstance(error, gymnasium.error.DependencyNotInstalled):
            message = f"{config.id} needs the optional packages {extra[1]!r}; try: {how_to_install(extra[1])}"
        elif render_mode:
            message = (
                f"{config.id} cannot be made with render_mode {render_mode!r}, for a video: {describe_error(error)}. "
                "A video needs an environment that takes the argument render_mode, lists "
                f"{render_mode!r} in metadata['render_modes'], and has the method render()"
            )
        raise EnvironmentSpecError(message) from error


def find_registered(env_id: str) -> Registration:
    """The registration of `Name-v0`, or of `module:Name-v0` after the module is imported. Raises EnvironmentSpecError.

    Atari games under the names of ale-py count as unknown, unless `env_id` names its module.
    """
    module, colon, name = env_id.partition(":")
    if not colon:
        found = gymnasium.registry.get(env_id)
        if found is None or _is_of_ale_py(found):
            raise EnvironmentSpecError(f"unknown environment {env_id!r}{_suggest(env_id)}")
        return found
    if module.endswith(".py"):
        raise EnvironmentSpecError(f"{env_id}: a module is written without .py: {_module_in(module)}:{name}")
    if not module or not name or ":" in name:
        raise EnvironmentSpecError(f"environment {env_id!r} is not written module:Name-v0")
    try:
        imported = importlib.import_module(module)
    except Exception as error:  # third-party code may raise anything
        is_missing = isinstance(error, ModuleNotFoundError) and error.name in _parents(module)
        where = "; install its package, or put it into the current directory or on PYTHONPATH" if is_missing else ""
        raise EnvironmentSpecError(
            f"{env_id}: module {module!r} cannot be imported: {describe_error(error)}{hidden_file(module) or where}"
        ) from error
    found = gymnasium.registry.get(name) or _latest_version(name)
    if found is None:
        hidden = hidden_file(module)
        shown = repr(module) if hidden else _with_file(imported)
        raise EnvironmentSpecError(
            f"{env_id}: module {shown} registers no environment {name!r}{hidden or _suggest_of(imported, name)}"
        )
    return found


class _Guarded:
    """The entry point of `registration`, with a guard around the environment that it makes."""

    def __init__(self, registration: Registration) -> None:
        entry_point = registration.entry_point
        self._make = load_env_creator(entry_point) if isinstance(entry_point, str) else entry_point
        if isinstance(metadata := getattr(self._make, "metadata", None), dict):
            self.metadata = metadata  # `gymnasium.make` looks for the render modes there

    def __call__(self, **kwargs: Any) -> GuardedEnv:
        assert self._make is not None
        return GuardedEnv(self._make(**kwargs))  # type: ignore[arg-type]  # the guard checks it


def _latest_version(name: str) -> Registration | None:
    try:
        namespace, stem, version = parse_env_id(name)
    except gymnasium.error.Error:  # it is no id
        return None
    latest = find_highest_version(namespace, stem) if version is None else None
    return None if latest is None else gymnasium.registry[get_env_id(namespace, stem, latest)]


def _suggest(env_id: str) -> str:
    """The end of a message that `env_id` is unknown: what may be meant."""
    games = game_ids()
    if game := find_atari(env_id, games):
        return f"; did you mean {game}? Atari games are written ALE/Name-v5, and env.protocol names their rules"
    if env_id.endswith(".py"):
        return f"; write its module and an id that it registers, e.g. {_module_in(env_id)}:Name-v0"
    if module := next((module for ids, module in _MODULES.items() if re.match(ids, env_id)), None):
        return f"; did you mean {module}:{env_id}? An id of another package follows the module that registers it"
    known = [name for name, found in gymnasium.registry.items() if not _is_of_ale_py(found)]
    close = nearest(env_id, [*known, *games])
    namespace, slash, _ = env_id.partition("/")
    example = f", e.g. {namespace}:{env_id} if module {namespace!r} registers it" if slash else ""
    return (
        f"{close}{' One' if close else '; one'} of your own, or of another package, is written module:Name-v0{example}"
    )


def _suggest_of(module: ModuleType, name: str) -> str:
    """The end of a message that `module` does not register `name`: what may be meant, whatever its namespace is."""
    package = _package(module.__name__)
    ids = {
        known.rpartition("/")[2]: f"{module.__name__}:{known}"
        for known, registered in gymnasium.registry.items()
        if _package(_module_of(registered)) == package
    }
    class_name = _VERSION.sub("", name)
    found = getattr(module, class_name, None)
    is_class = isinstance(found, type) and issubclass(found, gymnasium.Env)
    if is_class and class_name not in {_VERSION.sub("", known) for known in ids}:
        return (
            f"; register its class with gymnasium.register('{class_name}-v0', entry_point={class_name}) and use "
            f"{module.__name__}:{class_name}-v0"
        )
    if not ids and (submodules := _submodules(module)):
        more = f" and {len(submodules) - _MAX_NAMES:,} more" if len(submodules) > _MAX_NAMES else ""
        names = ", ".join(submodules[:_MAX_NAMES])
        return f"; it registers none itself: name the one of its modules that does ({names}{more})"
    return nearest(name.rpartition("/")[2], ids, shown=ids.__getitem__)


def _submodules(module: ModuleType) -> list[str]:
    """The full names of the public modules of a package; empty if `module` is not a package."""
    paths = getattr(module, "__path__", [])
    return [f"{module.__name__}.{one.name}" for one in pkgutil.iter_modules(paths) if not one.name.startswith("_")]


def _module_in(file: str) -> str:
    """The name of the module in a Python file: `a.b` for `./a/b.py`, and `b` if that is not below this directory."""
    path = PurePath(file).with_suffix("")
    is_below = not path.is_absolute() and ".." not in path.parts
    return ".".join(path.parts) if is_below else path.name


def _with_file(module: ModuleType) -> str:
    """The name of `module` and its file, which may be another one than the user expects."""
    file = getattr(module, "__file__", None)
    return f"{module.__name__!r} ({file})" if file else repr(module.__name__)


def _module_of(registered: Registration) -> str:
    """The name of the module that makes the environment; empty if that is not known."""
    maker = registered.entry_point
    return maker.partition(":")[0] if isinstance(maker, str) else getattr(maker, "__module__", "")


def _package(module: str) -> str:
    return module.partition(".")[0]


def _is_of_ale_py(found: Registration) -> bool:
    return _package(_module_of(found)) == "ale_py"


def _parents(module: str) -> list[str]:
    """`a`, `a.b` and `a.b.c` for the module `a.b.c`."""
    parts = module.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts) + 1)]
