"""Follows a page of the documentation as a reader does: makes the files that it shows and runs its commands.

A command is a line of a fenced block without a language. Output and drawings are in blocks of the language `text`.
"""

import contextlib
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from run_paac import paac_here

ROOT = Path(__file__).parents[1]
PAGES = [
    *(ROOT / "README.md", ROOT / "CONTRIBUTING.md"),
    *(page for place in ("docs", "results") for page in sorted((ROOT / place).rglob("*.md"))),
]

#: Pattern in a command -> options that are appended to it to make it short. All patterns that occur apply, in this
#: order. Of an option or a key that is given twice, the last value counts.
SHORTER = {
    r"^paac (train|launch)\b": "--total-steps 1_000 --set training.log_every=500",
    r"--env walk:Walk-v0 .*--total-steps": "--total-steps 15_000",
    r"--preset part-": "--total-steps 100 --num-envs 2",
    r"^paac train .*--preset (\w+/)?(pong|atari)\b": "--num-envs 4",
    r"^paac train .*--preset atari": "--set algorithm.num_steps=16 --total-steps 200",
    r"--preset dqn/cartpole": "--set algorithm.learning_starts=900",
    r"--preset dqn/pong": "--set algorithm.learning_starts=900 --set algorithm.buffer_size=2_000",
    r"--preset sac/": "--set algorithm.learning_starts=950",
    r"training\.evaluate_every": "--set training.evaluate_every=500 --set training.evaluate_episodes=1"
    " --set training.evaluate_max_steps=50",
    r"--seeds\b": "--seeds 1,2",
    r"^paac eval\b": "--episodes 3 --max-steps 100",
    r"^paac record\b": "--seconds 1",
    r"^paac bench\b": "--seconds 0.1",
    r"^paac tune\b": "--total-steps 1_000 --trials 1",
    r"--sweep\b": "--num-envs 16",
    r"^paac plot runs/pong": "--y train/entropy",  # no game of Pong has been finished
    r"^python -m chaos\.run": '--out "$READER"',
}

#: Runs that pages use without making them -> the command that does.
RUNS = {
    "runs/cartpole-seed1": "paac train --preset cartpole",
    "runs/pong-seed1": "paac train --preset pong",
    "runs/pong": "paac train --preset pong --run-dir runs/pong/seed1",
    "runs/cartpole": "paac train --preset cartpole --run-dir runs/cartpole/seed1",
    "runs/ppo-cartpole": "paac train --preset ppo/cartpole --run-dir runs/ppo-cartpole/seed1",
    "runs/ppo-pong": "paac train --preset ppo/pong --run-dir runs/ppo-pong/seed1",
}

#: Commands for a directory with a clone of the repository.
_NEEDS_A_CLONE = re.compile(r"python -m chaos\.run\b")

#: Suffixes of files that a command must have made if it names one.
_MADE_FILES = (".html", ".mp4", ".png", ".svg", ".yaml")


class Block(NamedTuple):
    """A fenced block of a page."""

    language: str  #: empty for commands
    text: str

    @property
    def file_name(self) -> str | None:
        """`walk.py` if the first line is `# walk.py`, or begins with it and a comma. Likewise for a YAML file."""
        found = re.match(r"# (\w+\.(?:py|yaml))(,.*)?\n", self.text)
        return found[1] if found else None


def blocks(page: Path) -> list[Block]:
    return [Block(*found) for found in re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)]


def commands(page: Path) -> list[str]:
    """The commands of a page in its order, each once and in one line, without its comment and the path of the program.

    Then those in the text of the page that read the included runs, such as `paac eval results/pong/seed1`.
    """
    text = "".join(block.text for block in blocks(page) if not block.language).replace("\\\n", " ")
    lines = (re.sub(r"(^| )#.*|^\.venv/bin/", "", line).strip() for line in text.splitlines())
    in_text = re.findall(r"`(paac \w+ results/[^`]+)`", page.read_text())
    return list(dict.fromkeys([*filter(None, lines), *in_text]))


def own_files() -> dict[str, str]:
    """Name -> text of every file that a page shows. No two pages show different ones of the same name."""
    shown = [(block.file_name, block.text) for page in PAGES for block in blocks(page) if block.file_name]
    assert len(dict(shown)) == len(shown), "two blocks of the documentation are files of the same name"
    return dict(shown)


def shortened(command: str) -> str:
    """`command` with the options of `SHORTER`, before a pipe or what else the shell handles."""
    program, shell = re.fullmatch(r"([^|&;<>]*)(.*)", command).groups()
    options = [options for pattern, options in SHORTER.items() if re.search(pattern, program)]
    return " ".join(filter(None, [program.strip(), *options, shell]))


class Reader:
    """Has a directory with all files that the pages show, and runs commands there."""

    def __init__(self, directory: Path, runs: Path, changes: dict[str, tuple[str, str]]) -> None:
        """runs: keeps the runs of `RUNS` for the next reader.

        changes: name of a module -> a part of it, and what takes its place.
        """
        self.directory, self._runs = directory, runs
        self._files = own_files()
        for name, (part, replacement) in changes.items():
            assert self._files[name].count(part) == 1, f"{part!r} in {name}"
            self._files[name] = self._files[name].replace(part, replacement)
        for name, text in self._files.items():
            (directory / name).write_text(text)

    def run(self, command: str) -> str:
        """Run the short form of `command` and return its output. It must succeed and make the files that it names."""
        for word in command.split():
            if (word in RUNS or word.startswith("results/")) and not (self.directory / word).exists():
                shutil.copytree(self._find(word), self.directory / word)
        short = shortened(command)
        with contextlib.chdir(self.directory):
            is_plain = short.startswith("paac ") and not re.search(r"[|&;<>$`]", short)
            output = self._in_this_process(short) if is_plain else self._in_a_shell(short)
            for word in command.split():
                assert not word.endswith(_MADE_FILES) or Path(word).exists(), f"{short}\nhas not made {word}:\n{output}"
        return output

    def _find(self, run: str) -> Path:
        """Where there is `run`, of `RUNS` or an included one."""
        if run not in RUNS:
            return ROOT / run
        if not (self._runs / run).exists():
            with contextlib.chdir(self._runs):
                self._in_this_process(shortened(RUNS[run]))
        return self._runs / run

    def _in_this_process(self, command: str) -> str:
        """Run `paac` where TensorFlow has been imported, which takes seconds, and the fork server runs."""
        path = [*sys.path]
        try:
            return paac_here(*shlex.split(command)[1:]).output
        except AssertionError as error:
            error.add_note(command)
            raise
        finally:
            sys.path[:] = path
            for name in self._files:  # the next reader has another file of that name
                sys.modules.pop(name.removesuffix(".py"), None)

    def _in_a_shell(self, command: str) -> str:
        """Run any other command, where `paac` and `python` are those of this interpreter."""
        environment = os.environ | {
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "READER": str(self.directory),
        }
        directory = ROOT if _NEEDS_A_CLONE.match(command) else self.directory
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=directory,
            env=environment,
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr
