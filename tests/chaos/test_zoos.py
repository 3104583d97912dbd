"""The zoos: their runner, and some cheap cases of both."""

import re
import subprocess

import pytest

from chaos import env_zoo, surroundings_zoo
from chaos.save_scenes import some_checkpoint
from chaos.zoo.case import Case, Outcome, ends_well, fails
from chaos.zoo.runner import run_case, run_zoo
from chaos.zoo.script_file import parse_cases
from paac_cli.runs.checkpoint import save_checkpoint
from paac_cli.runs.run_directory import RunDirectory


@pytest.mark.parametrize(("zoo", "least"), [(env_zoo, 80), (surroundings_zoo, 60)], ids=["environments", "conditions"])
def test_a_zoo_has_many_distinct_cases(zoo, least):
    names = {case.name for case in zoo.CASES}
    assert len(names) == len(zoo.CASES) >= least
    assert all(case.what and case.expected.codes for case in zoo.CASES)


def test_all_scripts_are_valid_bash():
    scripts = [case.script for zoo in (env_zoo, surroundings_zoo) for case in zoo.CASES]
    functions = "\n".join(f"case{n}() {{\n{script}\n}}" for n, script in enumerate(scripts))
    checked = subprocess.run(["bash", "-n"], input=functions, text=True, capture_output=True)
    assert checked.stderr == ""


def test_a_script_file_says_what_is_expected():
    (case,) = parse_cases(
        """# A title.

### a-pipe: metrics.csv is a pipe
# exit 1 or 2
# output metrics.csv | no metrics
# output pipe
# no output Traceback
# at most 30 seconds
# at most 5 lines
mkfifo pipe
cat pipe  # waits
"""
    )
    expected = Outcome((1, 2), ("metrics.csv|no metrics", "pipe"), ("Traceback",), lines=5, seconds=30)
    assert case == Case("a-pipe", "metrics.csv is a pipe", "mkfifo pipe\ncat pipe  # waits", expected)


# --- what the runner finds


def outcome_of(script, expected, tmp_path):
    note = run_case(Case("a-case", "a test", script, expected), tmp_path)
    return note and re.sub(r"\d+ s:", "- s:", note.splitlines()[0])


@pytest.mark.parametrize(
    ("script", "expected", "problem"),
    [
        ("echo Hello", ends_well("hello|bye", without=("world",)), None),
        ("exit 3", fails(2), "exit code 3, expected 2"),
        (
            "echo Hello",
            ends_well("bye", without=("hell",)),
            "the output does not contain 'bye'; the output contains 'hell'",
        ),
        ("seq 9", ends_well(lines=8), "9 lines of output, expected at most 8"),
        ("printf 'a\\x1b[31mb'", ends_well(), r"the output contains the control character '\x1b'"),
        ("printf '\\x1b[33mWARN: old API\\x1b[0m\\n' >&2", ends_well(), None),
        (
            "echo '  File \"/x/paac_cli/a.py\", line 3, in f'",
            ends_well(),
            'the output contains a traceback of paac: File "/x/paac_cli/a.py", line 3, in ',
        ),
        (
            'echo x >"$TMPDIR/left"; touch .paac-1.partial',
            ends_well(),
            "left behind: a-case.tmp/left; left behind: a-case/.paac-1.partial",
        ),
        ("exec sleep 100", ends_well(seconds=0.3), "still running after 0.3 s"),
        ("skip 'needs a printer'", ends_well(), "skipped: needs a printer"),
    ],
    ids=["ok", "code", "words", "lines", "escape", "warning", "traceback", "files", "hang", "skipped"],
)
def test_the_runner_compares_what_a_user_sees(script, expected, problem, tmp_path):
    found = outcome_of(script, expected, tmp_path)
    assert found == (problem if problem is None or "skipped" in problem else f"a-case (a test), - s: {problem}")


def test_the_runner_finds_and_kills_processes_of_other_sessions(tmp_path, monkeypatch):
    monkeypatch.setattr("chaos.zoo.runner._END_TIMEOUT", 0.2)
    found = outcome_of("setsid sleep 100 & sleep 0.1; echo $! >pid", ends_well(), tmp_path)
    assert re.search(r"process \d+ is still alive: sleep 100", found)
    pid = (tmp_path / "a-case" / "pid").read_text().strip()
    state = subprocess.run(["ps", "-o", "stat=", "-p", pid], capture_output=True, text=True).stdout
    assert state[:1] in ("", "Z")


def test_skipped_cases_are_named_and_not_counted():
    cases = [
        Case(name, "a test", script, ends_well()) for name, script in (("a", "exit 1"), ("b", "skip 'no printer'"))
    ]
    result = run_zoo("cases", cases)
    assert (result.tried, result.failures) == (1, 1)
    assert result.notes[:2] == ("cases: a", "b was skipped: no printer")


def test_an_unknown_case_is_refused():
    with pytest.raises(ValueError, match="unknown cases: c"):
        run_zoo("cases", [Case("a", "a test", "true", ends_well())], "a,c")


# --- cases of the zoos


@pytest.fixture(scope="module")
def finished_run(tmp_path_factory):
    """A run with a checkpoint and metrics. Its policy cannot be played."""
    run = RunDirectory(tmp_path_factory.mktemp("finished") / "run")
    run.create(some_checkpoint(128).config, fresh=False)
    save_checkpoint(run.checkpoints, some_checkpoint(128), keep=1)
    run.metrics_csv.write_text("steps,rollout/ep_rew_mean\n64,5\n128,6\n")
    return run.path


@pytest.mark.parametrize("name", ["raises-in-constructor", "module-syntax", "id-lower-case"])
def test_a_misbehaving_environment_has_the_expected_outcome(name, tmp_path):
    (case,) = (case for case in env_zoo.CASES if case.name == name)
    assert run_case(case, tmp_path) is None


@pytest.mark.parametrize(
    "name", ["foreign-algorithm", "metrics-pipe", "plot-through-link", "directory-missing", "ascii-errors"]
)
def test_a_command_under_odd_conditions_has_the_expected_outcome(name, tmp_path, finished_run):
    (case,) = (case for case in surroundings_zoo.CASES if case.name == name)
    assert run_case(case, tmp_path, finished_run) is None
