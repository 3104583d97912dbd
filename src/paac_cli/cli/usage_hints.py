"""What to type instead of an option or a command that does not exist here, but in other programs."""

import click

from paac_cli.text import nearest, similar

#: Names of commands in other programs, and what to use here.
COMMANDS = (
    ("list ls", "`paac runs` lists runs, `paac presets list` lists presets"),
    ("resume continue", "the `paac train` command that began a run also resumes it"),
    ("test enjoy play evaluate", "`paac eval` plays games and reports the scores, `paac watch` shows them in a window"),
    ("render visualize video", "`paac record` makes a video, `paac watch` opens a window"),
    ("run start learn fit", "`paac train` trains an agent, `paac runs` lists runs"),
    ("optimize sweep search", "`paac tune` searches for good hyperparameters"),
    ("version", "use paac --version"),
    ("help", "use paac --help, or --help after a command"),
)

_RESUMES = "without it, the same command resumes a run that was stopped"

#: Commands here, names of options in other programs, and what to use here. The first line that fits counts.
OPTIONS = (
    ("train", "resume continue", _RESUMES),
    (
        "train",
        "checkpoint load load_model load_path model model_path pretrained",
        f"{_RESUMES}; --init-from begins a new run with the weights of a trained policy",
    ),
    ("train", "gpu cuda use_gpu use_cuda", "use --device gpu; by default the GPU is used if there is one"),
    ("train", "cpu no_cuda", "use --device cpu"),
    ("train", "verbose progress progress_bar", "metrics are shown by default, and --quiet hides them"),
    ("train", "render render_mode video", "`paac watch` shows a trained policy in a window, `paac record` in a video"),
    ("tune", "resume continue", "without it, the same command continues a study that was stopped"),
    ("train tune", "wandb mlflow trackio", "use --set 'training.trackers=[tensorboard, {name}]'"),
    ("train tune", "track", "use training.trackers, e.g. --set 'training.trackers=[tensorboard, wandb]'"),
    ("train tune", "tensorboard tensorboard_log", "TensorBoard is on by default; the setting is training.trackers"),
    ("train tune", "algo agent", "use --algorithm"),
    ("train tune", "log_dir logdir out output output_dir save_dir", "use --run-dir"),
    ("train tune bench", "config config_file conf", "use --preset FILE"),
    ("train tune bench", "env_id env_name environment game", "use --env"),
    ("tune bench", "gpu cuda", "use --set training.device=gpu; by default the GPU is used if there is one"),
    (
        "train tune bench",
        "normalize normalise",
        "use --set network.normalize_obs=true, and for rewards --set algorithm.normalize_reward=true",
    ),
    (
        "train tune bench",
        "policy_kwargs",
        "the network has settings of its own, e.g. --set 'network.hidden_sizes=[64, 64]', --set network.torso=mlp",
    ),
    ("eval record watch", "best best_model load_best", "the best policy of a run is the default"),
    ("eval record watch", "deterministic", "use --greedy"),
    ("eval record watch", "stochastic", "use --sample, which is the default"),
    ("eval", "render render_mode video", "`paac watch` shows games in a window, `paac record` in a video"),
    ("eval record", "n_episodes n_eval_episodes games", "use --episodes"),
    ("record", "out output video", "the video is an argument: paac record video.mp4"),
    ("record", "load load_model model model_path run run_dir", "use --checkpoint"),
    (
        "eval watch verify report plot compare",
        "checkpoint load load_model model model_path run run_dir",
        "the run is an argument: paac {command} RUN",
    ),
)


def instead_of_command(name: str, known: list[str]) -> str:
    """The end of a message that there is no command `name`: what to use instead; empty if that is unclear."""
    found = next((f"; {hint}" for names, hint in COMMANDS if name in names.split()), None)
    return found or nearest(name, known, cutoff=0.6)


def no_such_option(error: click.NoSuchOption) -> str:
    """The message for an unknown option, with what to use instead."""
    command = error.ctx.command if error.ctx else click.Command(None)
    known = [option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)]
    known = [option for option in known if option.startswith("-")]  # the others are arguments
    word = error.option_name.lstrip("-")
    if hint := _instead_of_option(command.name or "", word.replace("-", "_"), known):
        return f"No such option {error.option_name}; {hint}"
    options = {option.lstrip("-"): option for option in known if option != "--fresh"}  # a typo must not start over
    close = ", ".join(options[near] for near in similar(word, options, cutoff=0.7))
    return f"{error.message}{f' Did you mean {close}?' if close else ''}"


def _instead_of_option(command: str, name: str, known: list[str]) -> str | None:
    """What to use instead of `--name` of `command`, whose options are `known`; None if that is unclear."""
    for commands, names, hint in OPTIONS:
        if command in commands.split() and name in names.split():
            return hint.format(command=command, name=name)
    return _of_a_setting(name, known) if "--set" in known else None


def _of_a_setting(name: str, known: list[str]) -> str | None:
    """The same for an option that is called like a setting."""
    from paac_cli.config.unknown_keys import algorithms_with, keys_called

    keys = keys_called(name)
    if not keys:
        return None
    option = f"--{keys[0].rpartition('.')[2].replace('_', '-')}"
    if option in known:
        return f"did you mean {option}?"
    names = algorithms_with(keys[0])
    whose = f" that only some algorithms have ({', '.join(names)})" if names else ""
    hint = f"it is a setting{whose}: --set {keys[0]}=VALUE"
    if keys[0] == "algorithm.batch_size":
        others = " and ".join(algorithms_with("algorithm.num_minibatches"))
        hint += f"; for {others}, --set algorithm.num_minibatches=M, where M = num_envs x num_steps / batch_size"
    return hint
