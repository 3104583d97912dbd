"""A run directory of somebody else: links that lead elsewhere, files that hang or never end, codes for the terminal."""

import json
import shutil
import time

import pytest
from expectations import assert_one_error

from forgery import change_checkpoints, seal
from obstacles import NOT_FILES, ODD_FILES, put_sparse_file
from paac_cli.runs.checkpoint_names import list_checkpoints, list_policies
from short_runs import contents

# --- links


@pytest.fixture
def precious(tmp_path):
    """Files outside the run directory; they must stay as they are, and no others may appear beside them."""
    directory = tmp_path / "precious"
    directory.mkdir()
    for name in ("file", "best_000000000-seed0.mp4"):
        (directory / name).write_text("precious")
    before = contents(directory)
    yield directory
    assert contents(directory) == before


@pytest.mark.parametrize("is_dangling", [False, True])
@pytest.mark.parametrize("name", ["curve.png", ".curve.png.partial", ".curve.partial.png"])
def test_plotting_overwrites_nothing_behind_a_link(name, is_dangling, trained_copy, invoke, precious):
    (trained_copy / name).symlink_to(precious / ("new" if is_dangling else "file"))
    assert invoke("plot", trained_copy).exit_code == 0
    assert (trained_copy / "curve.png").read_bytes().startswith(b"\x89PNG")
    assert not (trained_copy / "curve.png").is_symlink()


@pytest.mark.parametrize("is_dangling", [False, True])
def test_a_report_overwrites_nothing_behind_a_link(is_dangling, trained_copy, invoke, precious):
    (trained_copy / "report.html").symlink_to(precious / ("new" if is_dangling else "file"))
    assert invoke("report", trained_copy).exit_code == 0
    assert (trained_copy / "report.html").read_text().startswith("<!doctype html>")
    assert not (trained_copy / "report.html").is_symlink()


def test_plotting_over_a_directory_is_an_error(trained_copy, invoke):
    (trained_copy / "curve.png").mkdir()
    assert_one_error(
        invoke("plot", trained_copy), "curve.png cannot be written: Is a directory; --out names another file"
    )


def test_recording_overwrites_nothing_behind_a_link(trained_copy, invoke, precious):
    (best,) = trained_copy.glob("checkpoints/best_*")
    video = trained_copy / "videos" / f"{best.name}-seed0.mp4"
    video.parent.mkdir()
    for path in (video, video.with_name(f".{video.stem}.partial.mp4")):
        path.symlink_to(precious / "file")
    assert invoke("record", "--checkpoint", trained_copy, "--seconds", 0.1).exit_code == 0
    assert video.stat().st_size > 100
    assert not video.is_symlink()


def test_recording_into_a_linked_directory_is_refused_before_playing(trained_copy, invoke, precious):
    (trained_copy / "videos").symlink_to(precious)
    result = invoke("record", "--checkpoint", trained_copy)
    assert_one_error(result, "videos is a symbolic link")


def test_training_overwrites_nothing_behind_a_link(trained_copy, paac, precious):
    for name in ("events.log", "config.yaml.partial", ".config.yaml.partial", ".metrics.csv.partial", ".lock"):
        (trained_copy / name).unlink(missing_ok=True)
        (trained_copy / name).symlink_to(precious / "file")
    for name in (".partial-step_000006464", ".partial-best_000006464"):
        (trained_copy / "checkpoints" / name).symlink_to(precious)
    more = ["--total-steps", 6_464, "--set", "training.log_every=64"]
    result = paac("train", "--preset", trained_copy / "config.yaml", "--run-dir", trained_copy, *more)
    assert result.returncode == 0, result.stderr
    assert (trained_copy / "checkpoints" / "step_000006464").is_dir()


@pytest.mark.parametrize("name", ["checkpoints", "tensorboard"])
def test_training_in_a_run_with_linked_directories_is_refused(name, trained_copy, invoke, tmp_path):
    shutil.move(trained_copy / name, tmp_path / "elsewhere")
    (trained_copy / name).symlink_to(tmp_path / "elsewhere")
    before = contents(tmp_path / "elsewhere")
    args = ["train", "--preset", trained_copy / "config.yaml", "--run-dir", trained_copy, "--total-steps", 10**6]
    assert_one_error(invoke(*args), f"{name} is a symbolic link", "link the whole run directory")
    assert contents(tmp_path / "elsewhere") == before


def test_copying_a_preset_follows_no_link(invoke, precious, tmp_path):
    for name, target in (("link.yaml", "file"), ("dangling.yaml", "new")):
        (tmp_path / name).symlink_to(precious / target)
        assert_one_error(invoke("presets", "copy", "pong", name), f"{name} already exists")


# --- files that hang, never end, or are huge


@pytest.fixture
def at_once():
    start = time.monotonic()
    yield
    assert time.monotonic() - start < 20


@pytest.mark.parametrize("put", [*NOT_FILES, *ODD_FILES])
@pytest.mark.parametrize(
    "name", ["metrics.csv", "config.yaml", "manifest.json", "manifest.sha256", "policy.safetensors"]
)
def test_every_reader_answers_at_once(name, put, trained_copy, invoke, at_once, tmp_path):
    checkpoints = [*list_checkpoints(trained_copy / "checkpoints"), *list_policies(trained_copy / "checkpoints")]
    in_run = name in ("metrics.csv", "config.yaml")
    for path in [trained_copy / name] if in_run else [checkpoint / name for checkpoint in checkpoints]:
        path.unlink()
        put(path)
    if not in_run:
        commands = [["eval", trained_copy], ["eval", checkpoints[0]], ["verify", trained_copy]]
        commands += [["record", "--checkpoint", trained_copy]]
    elif name == "config.yaml":
        (tmp_path / "mine.yaml").symlink_to(trained_copy / name)
        commands = [["plot", trained_copy], ["report", trained_copy]]
        commands += [["presets", "validate", trained_copy / name]]
        commands += [["train", "--preset", trained_copy / name], ["bench", "sampler", "--preset", "mine.yaml"]]
        commands += [["train", "--preset", "cartpole", "--run-dir", trained_copy]]
        assert invoke("presets", "show", "mine.yaml").exit_code in (0, 2)  # 0: it counts as empty
    else:
        commands = [["plot", trained_copy]]
        assert invoke("report", trained_copy).exit_code in (0, 2)  # 0: there are no metrics yet
    for args in commands:
        result = invoke(*args)
        assert result.exit_code == 2, (args, result.output)
        assert "Error: " in result.stderr


def test_metrics_without_an_end_are_refused_by_every_reader(trained_copy, invoke, paac, at_once):
    """Also 6 GB in lines of the right form."""
    path = trained_copy / "metrics.csv"
    for begin in (b"", b"steps,rollout/ep_rew_mean\n1,2\n", b"steps,rollout/ep_rew_mean\n" + b"1,2\n" * 10_000):
        put_sparse_file(path)
        with path.open("r+b") as file:
            file.write(begin)
        for args in (["plot", trained_copy], ["report", trained_copy], ["verify", trained_copy]):
            assert_one_error(invoke(*args), "metrics", "longer than 65,536 bytes")
    more = ["--preset", trained_copy / "config.yaml", "--total-steps", 10**6]
    result = paac("train", *more, "--run-dir", trained_copy)
    assert_one_error(result, "metrics.csv cannot be used", "move it away")


# --- text for the terminal

EVIL = "\x1b]0;owned\a\x1b[2J\x9b1mx\u202ey\nError: all is well\r"


def forge(run):
    """Escapes in every text of a manifest that may be shown."""
    for path in [*list_checkpoints(run / "checkpoints"), *list_policies(run / "checkpoints")]:
        manifest = json.loads((path / "manifest.json").read_text())
        manifest["runtime"]["versions"] = {name: EVIL for name in manifest["runtime"]["versions"]} | {EVIL: "1"}
        manifest["runtime"]["processor"] = manifest["runtime"]["xla_flags"] = EVIL
        manifest["approximate"] = [EVIL]
        seal(path, manifest)


def assert_printable(text):
    assert not {character for character in text if ord(character) < 32 and character not in "\n\t"}
    assert not set(text) & {"\x7f", "\x9b", "\u202e"}
    assert "\nError: all is well" not in text


@pytest.mark.parametrize("as_json", [False, True])
def test_texts_of_a_manifest_cannot_control_the_terminal_and_json_holds_them_exactly(as_json, trained_copy, invoke):
    forge(trained_copy)
    result = invoke("verify", trained_copy, *(["--json"] if as_json else []))
    assert result.exit_code == 0, result.stderr
    assert_printable(result.stdout)
    assert_printable(result.stderr)
    if as_json:
        assert any(EVIL in reason for reason in json.loads(result.stdout)["approximate"])
    else:
        assert r"\x1b]0;owned\x07" in result.stdout


@pytest.mark.parametrize(
    "change",
    [
        lambda config: config["env"].update(id=EVIL),
        lambda config: config["env"]["kwargs"].update({EVIL: EVIL}),
        lambda config: config["network"].update(torso=EVIL),
        lambda config: config["network"].update(torsos={EVIL: "mlp"}),
        lambda config: config.update({EVIL: EVIL}),
        lambda config: config["algorithm"].update({EVIL: 1}),
        lambda config: config.update(algorithm={"name": EVIL}),
        lambda config: config.update(seed=EVIL),
    ],
)
def test_values_of_a_config_cannot_control_the_terminal(change, trained_copy, invoke):
    change_checkpoints(trained_copy, change)
    for args in (["eval", trained_copy], ["verify", trained_copy]):
        result = invoke(*args)
        assert result.exit_code == 2
        assert_printable(result.output)


def test_names_of_files_and_columns_cannot_control_the_terminal(trained_copy, invoke, tmp_path):
    evil = EVIL.replace("/", "")
    run = trained_copy.rename(tmp_path / evil)
    (run / "metrics.csv").write_text(f'steps,"{evil}"\n1,2\n')
    for args in (["plot", run], ["plot", evil], ["eval", run / "nothing"], ["plot", run / "metrics.csv"], [evil]):
        result = invoke(*args)
        assert result.exit_code == 2
        assert_printable(result.output)
    (run / "metrics.csv").write_text("steps,rollout/ep_rew_mean\n1,2\n")
    for command, out in (("plot", "curve.svg"), ("report", "report.html")):
        result = invoke(command, run, "--out", out)
        assert result.exit_code == 0
        assert "\x1b" not in (tmp_path / out).read_text()
        assert_printable(result.output)


def test_a_preset_of_somebody_else_is_shown_without_control_characters(invoke, tmp_path):
    evil = EVIL.replace("\n", "")
    (tmp_path / "theirs.yaml").write_text(f"# {evil}\nseed: 1\n")
    assert_printable(invoke("presets", "show", "theirs.yaml").output)
