"""Code that a checkpoint or a run directory names is imported on the user's word alone."""

import hashlib
import json
import sys

import pytest
import yaml

from paac_cli.runs.checkpoint import list_checkpoints, list_policies

MODULE = "made_by_somebody"


@pytest.fixture
def has_run(tmp_path, monkeypatch):
    """has_run(): whether the module of somebody, which lies where we are, has been imported by any process."""
    note = tmp_path / "it has run"
    (tmp_path / f"{MODULE}.py").write_text(f"open({str(note)!r}, 'w')\n")
    monkeypatch.setattr(sys, "path", [*sys.path])  # commands add to it
    yield note.exists
    sys.modules.pop(MODULE, None)


NAMED = {
    "env.id": lambda config: config["env"].update(id=f"{MODULE}:Env-v0"),
    "env.kwargs.env_id": lambda config: config["env"]["kwargs"].update(env_id=f"{MODULE}:Env-v0"),
    "algorithm.name": lambda config: config.update(algorithm={"name": f"{MODULE}:Agent"}),
    "network.torso": lambda config: config["network"].update(torso=f"{MODULE}:make"),
    "network.torsos.x": lambda config: config["network"].update(torsos={"x": f"{MODULE}:make"}),
}


def name_in_checkpoints(run, change):
    """As somebody would who hands their run on: all sums are right."""
    for path in [*list_checkpoints(run / "checkpoints"), *list_policies(run / "checkpoints")]:
        manifest = json.loads((path / "manifest.json").read_text())
        change(manifest["config"])
        text = json.dumps(manifest).encode()
        (path / "manifest.json").write_bytes(text)
        (path / "manifest.sha256").write_text(f"{hashlib.sha256(text).hexdigest()}  manifest.json\n")


def name_in_config(run, change):
    config = yaml.safe_load((run / "config.yaml").read_text())
    change(config)
    (run / "config.yaml").write_text(yaml.safe_dump(config))


@pytest.mark.parametrize("key", NAMED)
def test_playing_a_checkpoint_imports_nothing_that_it_names(key, has_run, trained_copy, invoke):
    name_in_checkpoints(trained_copy, NAMED[key])
    for args in (["eval", trained_copy], ["eval", trained_copy, "--last"], ["record", "film.mp4"]):
        result = invoke(*args, *(["--checkpoint", trained_copy] if args[0] == "record" else []))
        assert result.exit_code == 2
        assert result.stderr.startswith("Error: ")
        assert f"{key} = '{MODULE}:" in result.stderr
        assert "--trust-code" in result.stderr
        assert "passed over" not in result.stderr
    assert not has_run()


@pytest.mark.parametrize("key", ["env.id", "algorithm.name", "network.torso"])
def test_on_the_users_word_it_is_imported(key, has_run, trained_copy, invoke):
    name_in_checkpoints(trained_copy, NAMED[key])
    result = invoke("eval", trained_copy, "--trust-code")
    assert result.exit_code == 2  # there is nothing of what they named
    assert "--trust-code" not in result.stderr
    assert has_run()


@pytest.mark.parametrize("name_in", [name_in_checkpoints, name_in_config])
@pytest.mark.parametrize("key", NAMED)
def test_going_on_with_a_run_imports_nothing_that_the_command_does_not_name(
    key, name_in, has_run, trained_copy, invoke, tmp_path
):
    (tmp_path / "mine.yaml").write_bytes((trained_copy / "config.yaml").read_bytes())
    name_in(trained_copy, NAMED[key])
    result = invoke("train", "--preset", "mine.yaml", "--run-dir", trained_copy, "--total-steps", 10**6)
    assert result.exit_code == 2
    assert f"{key} = '{MODULE}:" in result.stderr
    assert not has_run()


@pytest.mark.parametrize("key", ["env.id", "algorithm.name", "network.torso"])
def test_a_curve_needs_no_code(key, has_run, trained_copy, invoke):
    name_in_config(trained_copy, NAMED[key])
    result = invoke("plot", trained_copy, "--out", "curve.svg")
    assert result.exit_code == 0, result.stderr
    assert not has_run()


def test_what_a_user_names_is_their_own_word(has_run, invoke):
    result = invoke("train", "--preset", "cartpole", "--algorithm", f"{MODULE}:Agent")
    assert result.exit_code == 2
    assert "cannot be imported" in result.stderr
    assert has_run()
