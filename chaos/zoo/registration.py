"""Modules and ids of environments that are wrong, odd, or somebody else's: cases without a class of their own."""

from chaos.zoo.case import Case, Outcome, ends_well, fails, fails_with_traceback

_IMPORTS = "import gymnasium, os, sys, time\nfrom chaos.zoo.toy import Toy\n"


def _module(body: str, script: str = "train", name: str = "my_envs") -> str:
    """A script that writes the module `name`, with `body` after some imports, and then runs `script`."""
    return f"cat >{name}.py <<'END'\n{_IMPORTS}{body}\nEND\nENV={name}:Mine-v0\n{script}"


def _registered(entry_point: str, script: str = "train", options: str = "") -> str:
    return _module(f"gymnasium.register('Mine-v0', {entry_point}{options})", script)


REGISTRATION_CASES = [
    Case("module-missing", "the module does not exist", "ENV=no_such:Mine-v0; train", fails(2, "no_such")),
    Case("module-syntax", "the module has a syntax error", _module("def f(:"), fails(2, "my_envs", "syntax")),
    Case("module-raises", "the module raises", _module("raise ValueError('no licence')"), fails(2, "no licence")),
    Case("module-exits", "the module calls sys.exit", _module("sys.exit(0)"), Outcome((1, 2), ("exit",), lines=14)),
    Case("module-os-exits", "the module calls os._exit", _module("os._exit(0)"), Outcome((1, 2), ("exit",))),
    Case(
        "module-hangs",
        "the import of the module hangs",
        _module("time.sleep(10_000)", "train --set sampling.worker_timeout=2"),
        Outcome((1, 2), ("hung", "sampling.worker_timeout")),
    ),
    Case("module-needs-module", "the module needs another", _module("import no_such"), fails(2, "no_such")),
    Case(
        "module-changes-directory",
        "the module changes the directory",
        _registered("Toy", "train && test -d run/checkpoints && play").replace(
            "gymnasium.reg", "os.chdir('/')\ngymnasium.reg"
        ),
        ends_well(),
    ),
    Case(
        "module-prints",
        "the module prints when it is imported",
        _module(
            "print('Simulator 1.0')\ngymnasium.register('Mine-v0', Toy)",
            "train && play --json 2>/dev/null | python -m json.tool",
        ),
        ends_well(),
    ),
    Case(
        "module-unicode",
        "the module's name is not ASCII",
        _module("gymnasium.register('Mine-v0', Toy)", "train && play", "größe"),
        ends_well(),
    ),
    Case(
        "module-named-like-library",
        "the module is called random",
        _module("gymnasium.register('Mine-v0', Toy)", "train", "random"),
        Outcome((0, 2)),
    ),
    Case("id-not-registered", "the module registers nothing", _module(""), fails(2, "Mine-v0")),
    Case(
        "id-unicode",
        "the id is not ASCII",
        _module("gymnasium.register('Größe-v0', Toy)", "ENV=my_envs:Größe-v0; train && play"),
        Outcome((0, 2)),
    ),
    Case(
        "id-with-namespace",
        "the id has a namespace",
        _module("gymnasium.register('my/Mine-v0', Toy)", "ENV=my_envs:my/Mine-v0; train && play"),
        ends_well(),
    ),
    Case(
        "id-other-version",
        "the id has another version",
        _module("gymnasium.register('Mine-v3', Toy)"),
        fails(2, "Mine"),
    ),
    Case("id-empty", "the id is empty", "train --env ''", fails(2, "env")),
    Case("id-colon", "the id is a colon", "train --env :", fails(2, "env|:")),
    Case(
        "id-with-spaces",
        "the id has spaces and a newline",
        "train --env $'CartPole v1\\n'",
        fails(2, "CartPole-v1|env"),
    ),
    Case(
        "id-cartpole-without-version", "the id has no version", "train --env CartPole", Outcome((0, 2), ("CartPole",))
    ),
    Case("id-lower-case", "the id is in lower case", "train --env cartpole-v1", fails(2, "did you mean CartPole-v1")),
    Case(
        "atari-no-frameskip",
        "the id is what everybody typed for years",
        "train --env PongNoFrameskip-v4",
        fails(2, "did you mean ALE/Pong-v5"),
    ),
    Case("atari-without-namespace", "the id lacks ALE/", "train --env Pong-v5", fails(2, "did you mean ALE/Pong-v5")),
    Case("atari-typo", "the game does not exist", "train --env ALE/Pnog-v5", fails(2, "ALE/Pong-v5")),
    Case("atari-multi-player", "the game has no mode for one player", "train --env ALE/Joust-v5", fails(2, "Joust")),
    Case("entry-point-none", "the entry point returns None", _registered("lambda **_: None"), fails(2, "Mine-v0")),
    Case("entry-point-number", "the entry point returns a number", _registered("lambda **_: 3"), fails(2, "Mine-v0")),
    Case("entry-point-missing", "the entry point does not exist", _registered("'my_envs:Other'"), fails(2, "Other")),
    Case(
        "entry-point-vector",
        "the entry point returns a vector environment",
        _registered("lambda **_: gymnasium.make_vec('CartPole-v1', 2)"),
        fails(2, "Mine-v0"),
    ),
    Case(
        "wrapped",
        "wrapped in Gymnasium's wrappers",
        _registered(
            "lambda **k: gymnasium.wrappers.RecordEpisodeStatistics(gymnasium.wrappers.TimeAwareObservation(Toy(**k)))",
            "train && play",
        ),
        ends_well(),
    ),
    Case(
        "wrapper-raises",
        "a wrapper raises an exception of its own",
        _module(
            "class Wrapper(gymnasium.Wrapper):\n    def step(self, action):\n        raise LookupError('no key')\n"
            "gymnasium.register('Mine-v0', lambda **k: Wrapper(Toy(**k)))"
        ),
        fails_with_traceback("LookupError: no key", "my_envs.py"),
    ),
    Case(
        "time-limit",
        "Gymnasium truncates its games",
        _registered("Toy", "train && play", ", max_episode_steps=7"),
        ends_well(),
    ),
    Case(
        "registered-with-default",
        "registered with arguments",
        _registered("Toy", "train && film && test -s film.mp4", ", kwargs={'render_mode': None}"),
        ends_well(),
    ),
    Case(
        "changed-module",
        "the module loses the environment after the training",
        _registered("Toy", "train && echo >my_envs.py && play"),
        fails(2, "Mine-v0", lines=24),
    ),
    Case(
        "untrusted",
        "evaluated without --trust-code",
        _registered("Toy", "train && paac eval run"),
        fails(2, "my_envs:Mine-v0", "--trust-code", lines=24),
    ),
]
