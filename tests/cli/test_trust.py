"""Code that a checkpoint or a run directory references is imported only with --trust-code."""

import sys

import pytest

from forgery import change_checkpoints, change_config

MODULE = "third_party"


@pytest.fixture
def was_imported(tmp_path, monkeypatch):
    """was_imported(): whether any process has imported the third-party module in the current directory."""
    marker = tmp_path / "imported"
    (tmp_path / f"{MODULE}.py").write_text(f"open({str(marker)!r}, 'w')\n")
    monkeypatch.setattr(sys, "path", [*sys.path])  # commands add to it
    yield marker.exists
    sys.modules.pop(MODULE, None)


REFERENCES = {
    "env.id": lambda config: config["env"].update(id=f"{MODULE}:Env-v0"),
    "env.kwargs.env_id": lambda config: config["env"]["kwargs"].update(env_id=f"{MODULE}:Env-v0"),
    "algorithm.name": lambda config: config.update(algorithm={"name": f"{MODULE}:Agent"}),
    "network.torso": lambda config: config["network"].update(torso=f"{MODULE}:make"),
    "network.torsos.x": lambda config: config["network"].update(torsos={"x": f"{MODULE}:make"}),
    "env.kwargs.envs[1]": lambda config: config["env"]["kwargs"].update(envs=["CartPole-v1", f"{MODULE}:Env-v0", "x"]),
    "env.kwargs.a[0].b": lambda config: config["env"]["kwargs"].update(a=[{"b": f"{MODULE}:Env-v0"}, {"b": "x"}]),
    "env.kwargs.a[0].'c.d'": lambda config: config["env"]["kwargs"].update(a=[{"c.d": f"{MODULE}:Env-v0"}]),
}


@pytest.mark.parametrize("key", REFERENCES)
def test_playing_a_checkpoint_does_not_import_what_it_references(key, was_imported, trained_copy, invoke):
    change_checkpoints(trained_copy, REFERENCES[key])
    for args in (["eval", trained_copy], ["eval", trained_copy, "--last"], ["record", "video.mp4"]):
        result = invoke(*args, *(["--checkpoint", trained_copy] if args[0] == "record" else []))
        assert result.exit_code == 2
        assert result.stderr.startswith("Error: ")
        assert f"{key} = '{MODULE}:" in result.stderr
        assert "--trust-code" in result.stderr
        assert "skipped" not in result.stderr
    assert not was_imported()


@pytest.mark.parametrize("key", ["env.id", "algorithm.name", "network.torso"])
def test_trust_code_allows_the_import(key, was_imported, trained_copy, invoke):
    change_checkpoints(trained_copy, REFERENCES[key])
    result = invoke("eval", trained_copy, "--trust-code")
    assert result.exit_code == 2  # the module has no such class
    assert "--trust-code" not in result.stderr
    assert was_imported()


@pytest.mark.parametrize("add_reference", [change_checkpoints, change_config])
@pytest.mark.parametrize("key", REFERENCES)
def test_resuming_a_run_imports_nothing_that_the_command_does_not_reference(
    key, add_reference, was_imported, trained_copy, invoke, tmp_path
):
    (tmp_path / "mine.yaml").write_bytes((trained_copy / "config.yaml").read_bytes())
    add_reference(trained_copy, REFERENCES[key])
    result = invoke("train", "--preset", "mine.yaml", "--run-dir", trained_copy, "--total-steps", 10**6)
    assert result.exit_code == 2
    assert f"{key} = '{MODULE}:" in result.stderr
    assert ("--fresh" in result.stderr) == (add_reference is change_config)  # then it is known to be another run
    assert not was_imported()


@pytest.mark.parametrize("key", ["env.id", "algorithm.name", "network.torso"])
def test_plotting_imports_no_third_party_code(key, was_imported, trained_copy, invoke):
    change_config(trained_copy, REFERENCES[key])
    result = invoke("plot", trained_copy, "--out", "curve.svg")
    assert result.exit_code == 0, result.stderr
    assert not was_imported()


def test_a_command_imports_what_the_user_references(was_imported, invoke):
    result = invoke("train", "--preset", "cartpole", "--algorithm", f"{MODULE}:Agent")
    assert result.exit_code == 2
    assert "cannot be imported" in result.stderr
    assert was_imported()


# --- keys that hide others


def hide(config):
    """A third-party algorithm, and a literal key that has the same name when keys are joined with dots."""
    config.update({"algorithm": {"name": f"{MODULE}:Agent"}, "algorithm.name": "paac"})


def hide_before(config):
    """The same in the other order."""
    config.pop("algorithm")
    config.update({"algorithm.name": "paac", "algorithm": {"name": f"{MODULE}:Agent"}})


def hide_in_kwargs(config):
    config["env"]["kwargs"].update({"a": {"b": f"{MODULE}:Env-v0"}, "a.b": "harmless"})


def hide_in_a_list(config):
    config["env"]["kwargs"].update(a=[f"{MODULE}:Env-v0", "harmless:Env-v0"])


HIDING = [hide, hide_before, hide_in_kwargs, hide_in_a_list]


@pytest.mark.parametrize("change", HIDING)
def test_no_command_imports_code_that_another_key_hides(change, was_imported, trained_copy, invoke, tmp_path):
    (tmp_path / "mine.yaml").write_bytes((trained_copy / "config.yaml").read_bytes())
    change_checkpoints(trained_copy, change)
    train = ["train", "--preset", "mine.yaml", "--run-dir", trained_copy, "--total-steps", 10**6]
    for args in (
        ["eval", trained_copy],
        ["eval", trained_copy, "--last"],
        ["record", "video.mp4", "--checkpoint", trained_copy],
        ["verify", trained_copy],
        train,
    ):
        assert invoke(*args).exit_code == 2, args
    change_config(trained_copy, change)
    assert invoke(*train).exit_code == 2
    assert invoke("verify", trained_copy).exit_code == 2
    invoke("plot", trained_copy, "--out", "curve.svg")
    invoke("presets", "validate", trained_copy / "config.yaml")
    assert not was_imported()


def test_a_config_is_checked_before_anything_is_imported(was_imported, invoke, tmp_path):
    """Even code that the user names."""
    (tmp_path / "mine.yaml").write_text(
        "env: {id: CartPole-v1}\nnetwork: {torso: mlp}\ntraining: {total_steps: 0}\n"
        f"algorithm: {{name: '{MODULE}:A'}}\n"
    )
    for args in (["train", "--preset", "mine.yaml"], ["presets", "validate", "mine.yaml", "--trust-code"]):
        result = invoke(*args)
        assert result.exit_code == 2
        assert "training.total_steps = 0" in result.stderr
    assert not was_imported()


# --- presets of others


def test_validating_a_preset_imports_an_algorithm_only_if_the_user_agrees(was_imported, invoke, tmp_path):
    (tmp_path / "theirs.yaml").write_text(
        f"env: {{id: '{MODULE}:Env-v0'}}\nnetwork: {{torso: '{MODULE}:make'}}\ntraining: {{total_steps: 1}}\n"
    )
    assert invoke("presets", "validate", "theirs.yaml").exit_code == 0
    with (tmp_path / "theirs.yaml").open("a") as file:
        file.write(f"algorithm: {{name: '{MODULE}:Agent'}}\n")
    result = invoke("presets", "validate", "theirs.yaml")
    assert result.exit_code == 2
    assert f"algorithm.name = '{MODULE}:Agent'" in result.stderr
    assert "--trust-code" in result.stderr
    assert not was_imported()
    assert "cannot be imported" in invoke("presets", "validate", "theirs.yaml", "--trust-code").stderr
    assert was_imported()
