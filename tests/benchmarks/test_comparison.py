"""The benchmarks against other projects: their arithmetic, their page and their processes."""

import json
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

import compare
from comparison.contestants import GROUPS, Contestant, Setting, beside
from comparison.environments import REQUIREMENTS, Environments
from comparison.figures import Spread, fastest, figures, ratios, scaling_verdict, spread
from comparison.processes import MeasurementError, output_as_json, output_of, running
from comparison.report import Row, benchmarks_page, missed_targets, table, table_rows
from comparison.revisions import Revision
from comparison.targets import EARLIER, TARGETS, Target
from peers.measuring import Windows

SPEED = "steps_per_second"
ORIGIN = {
    "command": "python benchmarks/compare.py",
    "commit": "abc1234",
    "date": "2026-01-02",
    "seconds": 8.0,
    "load": 0.25,
    "machine": {
        "processor": "A CPU",
        "vector_extensions": ["AVX", "AVX2"],
        "cores": 2,
        "memory": "8 GB",
        "kernel": "6.1",
        "python": "3.11.7",
    },
}


def rounds_of(**speeds: list[float | None]) -> list[dict]:
    """Rounds with these speeds of each contestant; None is a failure."""
    names = {name: name.replace("_", " ") for name in speeds}
    return [
        {
            names[name]: {"failed": "OSError: no"} if in_rounds[number] is None else {SPEED: in_rounds[number]}
            for name, in_rounds in speeds.items()
        }
        for number in range(len(next(iter(speeds.values()))))
    ]


def test_ratios_are_taken_within_a_round():
    rounds = rounds_of(paac=[300.0, 100.0, None, 200.0], other=[100.0, 50.0, 10.0, None])
    assert figures(rounds, "paac", SPEED) == {0: 300.0, 1: 100.0, 3: 200.0}
    assert ratios(figures(rounds, "paac", SPEED), figures(rounds, "other", SPEED)) == [3.0, 2.0]
    assert spread([3.0, 2.0, 7.0]) == Spread(median=3.0, low=2.0, high=7.0)
    assert spread([]) is None


def test_the_fastest_contestant_has_the_highest_median():
    rounds = rounds_of(a=[9.0, 1.0, 1.0], b=[2.0, 2.0, 2.0], c=[None, None, None])
    assert fastest(rounds, ("a", "b", "c"), SPEED) == "b"
    assert fastest(rounds, ("c",), SPEED) == "c"


@pytest.mark.parametrize(
    ("now", "best", "verdict"),
    [
        (Spread(101, 90, 110), Spread(100, 99, 101), "yes"),
        (Spread(100, 100, 100), Spread(100, 100, 100), "yes"),
        (Spread(98, 97, 99.5), Spread(100, 99, 101), "yes: a tie (-2.0%, within the spread)"),
        (Spread(98, 97, 98.5), Spread(100, 99, 101), "**no** (-2.0%)"),
        (Spread(96, 90, 110), Spread(100, 90, 110), "**no** (-4.0%)"),
    ],
)
def test_scaling_is_met_by_a_higher_speed_or_a_tie(now, best, verdict):
    assert scaling_verdict(now, best) == verdict


def test_small_slowdowns_do_not_add_up_unnoticed():
    speeds = [100.0, 98.0, 96.0]
    rounds = [{f"{n} environments": {SPEED: speed} for n, speed in zip((16, 32, 64), speeds, strict=True)}]
    rounds.append({name: {SPEED: result[SPEED] + 3} for name, result in rounds[0].items()})
    assert [row.met for row in table_rows("scaling", rounds)] == [
        "",
        "yes: a tie (-2.0%, within the spread)",
        "**no** (-3.9%)",
    ]


def test_every_contestant_has_a_row_and_the_target_is_in_that_of_the_faster_opponent():
    rounds = [
        {
            "paac": {SPEED: 3000.0, "share_of_bound": 0.95},
            "SB3 A2C, SubprocVecEnv": {SPEED: 900.0},
            "SB3 A2C, DummyVecEnv": {SPEED: 1000.0},
            "Keras A2C": {"failed": "ValueError: units"},
        }
    ]
    assert table_rows("nature", rounds) == [
        Row("paac", "3,000 steps/s", "3,000 to 3,000"),
        Row("SB3 A2C, SubprocVecEnv", "900 steps/s", "900 to 900", "3.33x", "3.33 to 3.33"),
        Row("SB3 A2C, DummyVecEnv", "1,000 steps/s", "1,000 to 1,000", "3.00x", "3.00 to 3.00", ">= 2.7x", "yes"),
        Row("Keras A2C", "failed"),
        Row("share of the upper bound", "0.95", "0.95 to 0.95", target=">= 0.8", met="yes"),
    ]


def test_a_failure_is_reported_with_its_reason_and_counts_as_a_missed_target():
    rounds = rounds_of(paac=[120.0, 120.0], AtariVectorEnv=[100.0, 100.0], EnvPool=[None, None])
    groups = {"sampling": {"origin": ORIGIN, "rounds": rounds}}
    page = benchmarks_page(groups)
    assert "- EnvPool failed in 2 of 2 rounds: OSError: no" in page
    assert "| EnvPool | failed | | | | >= 1.3x | failed |" in page
    assert "| AtariVectorEnv | 100 steps/s | 100 to 100 | 1.20x | 1.20 to 1.20 | >= 1.1x | yes |" in page
    assert "at commit abc1234, 2026-01-02" in page
    assert "2 cores of A CPU (AVX, AVX2), 8 GB" in page
    assert "sampling: EnvPool" in missed_targets(groups)
    assert "sampling: AtariVectorEnv" not in missed_targets(groups)


def test_upper_bounds_are_reported_with_their_units():
    rounds = [{"paac --help": {"seconds": 0.31}, "memory": {"learner_rss": 1400.4, "worker_pss": 101.0}}]
    rows = {row.label: row for row in table_rows("small", rounds)}
    assert rows["paac --help"] == Row("paac --help", "0.31 s", "0.31 to 0.31", target="< 0.3 s", met="**no**")
    assert (rows["learner, RSS"].median, rows["learner, RSS"].met) == ("1,400 MB", "yes")
    assert rows["largest worker, PSS"].met == "**no**"
    assert rows["a config error"].met == "failed"


def test_this_version_is_compared_with_an_earlier_one_by_workload():
    rounds = rounds_of(**{"nips": [230.0, 240.0], "nips, before": [200.0, 200.0]})
    groups = {EARLIER: {"origin": ORIGIN, "rounds": rounds, "revision": "abc1234"}}
    assert table_rows(EARLIER, rounds) == [
        Row("nips", "235 steps/s", "230 to 240", "1.17x", "1.15 to 1.20", ">= 1.15x", "yes")
    ]
    assert "this / abc1234" in benchmarks_page(groups)


def test_an_earlier_version_runs_its_own_code(tmp_path):
    revision = Revision("HEAD", tmp_path)
    command = [*revision.command, "presets", "list"]
    code = "import paac_cli; print(paac_cli.__file__)"
    where = subprocess.run([*command[: command.index("-m")], "-c", code], capture_output=True, text=True).stdout
    assert Path(where).is_relative_to(tmp_path / revision.commit)
    assert "ppo/pong" in subprocess.run(command, capture_output=True, text=True, check=True).stdout
    with pytest.raises(MeasurementError, match="no-such-commit"):
        Revision("no-such-commit", tmp_path)


def test_a_table_leaves_out_columns_that_no_row_uses():
    assert table([Row("a", "1", target="< 2")]) == "| | median | target |\n| --- | --- | --- |\n| a | 1 | < 2 |"


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: f"{target.group}: {target.contestant} {target.against}")
def test_every_target_refers_to_existing_contestants(target: Target):
    groups = GROUPS | {EARLIER: beside(SimpleNamespace(command=[]))}
    names = [contestant.name for contestant in groups[target.group]]
    assert {target.contestant, *target.against} <= set(names)
    assert (target.at_least is None) != (target.at_most is None)


def test_requirements_pin_exact_versions():
    needed = {contestant.environment for group in GROUPS.values() for contestant in group} - {None}
    assert needed == {file.stem for file in REQUIREMENTS.glob("*.txt")}
    for name in needed:
        lines = (REQUIREMENTS / f"{name}.txt").read_text().splitlines()
        assert all("==" in line for line in lines if not line.startswith("#"))


def test_the_order_rotates_and_a_failure_does_not_stop_the_others(tmp_path):
    order = []

    def contestant(name: str) -> Contestant:
        def run(setting: Setting) -> dict:
            order.append(name)
            if name == "b":
                raise MeasurementError("it broke")
            return {SPEED: setting.seconds}

        return Contestant(name, run)

    rounds = compare.measure([contestant(name) for name in "abc"], 2, Setting(4.0, Environments(tmp_path)))
    assert order == ["a", "b", "c", "b", "c", "a"]
    assert rounds == [{"a": {SPEED: 4.0}, "b": {"failed": "it broke"}, "c": {SPEED: 4.0}}] * 2
    assert list(rounds[1]) == ["a", "b", "c"]


def test_report_only_makes_the_page_from_the_numbers(tmp_path, monkeypatch, capsys):
    numbers = {"sampling": {"origin": ORIGIN, "rounds": rounds_of(paac=[10.0], AtariVectorEnv=[5.0])}}
    (tmp_path / "benchmarks.json").write_text(json.dumps(numbers))
    monkeypatch.setattr(sys, "argv", ["compare.py", "--report-only", "--out", str(tmp_path)])
    assert compare.main() == 1  # EnvPool and others are missing
    assert "| AtariVectorEnv | 5 steps/s | 5 to 5 | 2.00x |" in (tmp_path / "benchmarks.md").read_text()
    assert "missed: sampling: AtariVectorEnv" not in capsys.readouterr().out


@pytest.mark.parametrize("indent", [None, 2])
def test_json_is_found_after_other_output(indent):
    result = {SPEED: 5.0, "nested": [{"a": 1}]}
    script = f"import json; print('A game {{'); print(json.dumps({result!r}, indent={indent}))"
    assert output_as_json([sys.executable, "-c", script], 30) == result


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("raise ValueError('no\\nunits')", "exit code 1: units"),
        ("print('hello')", "the output is not JSON: hello"),
        ("print('{}')", "the output has no steps_per_second"),
        ("import time; time.sleep(60)", "timed out after 1 s"),
    ],
)
def test_a_contestant_without_a_figure_raises_the_reason(script, reason):
    with pytest.raises(MeasurementError, match=reason):
        output_as_json([sys.executable, "-c", script], 1)
    with pytest.raises(MeasurementError, match="nowhere"):
        output_of([Path("nowhere")], 1)


def test_the_children_of_a_contestant_are_killed_with_it():
    script = "import subprocess; p = subprocess.Popen(['sleep', '60']); print(p.pid, flush=True); p.wait()"
    with running([sys.executable, "-c", script], stdout=-1) as process:
        child = int(process.stdout.readline())
        assert runs(child)
    until = time.monotonic() + 5
    while runs(child):
        assert time.monotonic() < until
        time.sleep(0.01)


def runs(process: int) -> bool:
    """False also for a zombie, a process that has ended but was not waited for."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_peer_does_not_inherit_the_python_path(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    script = "import os; print(os.environ.get('PYTHONPATH'))"
    assert output_of([sys.executable, "-c", script], 30, isolated=True) == "None\n"
    assert output_of([sys.executable, "-c", script], 30) == "/elsewhere\n"


def test_windows_do_not_count_the_warm_up():
    windows, steps = Windows(seconds=0.1, warm_up=0.05), 0
    while windows.add(1):
        steps += 1
        time.sleep(0.001)
    assert len(windows.measured) == 5
    assert all(window.seconds >= 0.02 for window in windows.measured)
    assert 0 < sum(window.steps for window in windows.measured) < steps
