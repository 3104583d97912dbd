"""Code that a checkpoint or a run directory references is imported only with --trust-code."""

import hashlib
import json
import sys

import pytest
import yaml

from paac_cli.runs.checkpoint import list_checkpoints, list_policies

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
}


def reference_in_checkpoints(run, change):
    """Change the config in all checkpoints, with matching checksums, as a malicious author would."""
    for path in [*list_checkpoints(run / "checkpoints"), *list_policies(run / "checkpoints")]:
        manifest = json.loads((path / "manifest.json").read_text())
        change(manifest["config"])
        text = json.dumps(manifest).encode()
        (path / "manifest.json").write_bytes(text)
        (path / "manifest.sha256").write_text(f"{hashlib.sha256(text).hexdigest()}  manifest.json\n")


def reference_in_config(run, change):
    config = yaml.safe_load((run / "config.yaml").read_text())
    change(config)
    (run / "config.yaml").write_text(yaml.safe_dump(config))


@pytest.mark.parametrize("key", REFERENCES)
def test_playing_a_checkpoint_does_not_import_what_it_references(key, was_imported, trained_copy, invoke):
    reference_in_checkpoints(trained_copy, REFERENCES[key])
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
    reference_in_checkpoints(trained_copy, REFERENCES[key])
    result = invoke("eval", trained_copy, "--trust-code")
    assert result.exit_code == 2  # the module has no such class
    assert "--trust-code" not in result.stderr
    assert was_imported()


@pytest.mark.parametrize("add_reference", [reference_in_checkpoints, reference_in_config])
@pytest.mark.parametrize("key", REFERENCES)
def test_resuming_a_run_imports_nothing_that_the_command_does_not_reference(
    key, add_reference, was_imported, trained_copy, invoke, tmp_path
):
    (tmp_path / "mine.yaml").write_bytes((trained_copy / "config.yaml").read_bytes())
    add_reference(trained_copy, REFERENCES[key])
    result = invoke("train", "--preset", "mine.yaml", "--run-dir", trained_copy, "--total-steps", 10**6)
    assert result.exit_code == 2
    assert f"{key} = '{MODULE}:" in result.stderr
    assert not was_imported()


@pytest.mark.parametrize("key", ["env.id", "algorithm.name", "network.torso"])
def test_plotting_imports_no_third_party_code(key, was_imported, trained_copy, invoke):
    reference_in_config(trained_copy, REFERENCES[key])
    result = invoke("plot", trained_copy, "--out", "curve.svg")
    assert result.exit_code == 0, result.stderr
    assert not was_imported()


def test_a_command_imports_what_the_user_references(was_imported, invoke):
    result = invoke("train", "--preset", "cartpole", "--algorithm", f"{MODULE}:Agent")
    assert result.exit_code == 2
    assert "cannot be imported" in result.stderr
    assert was_imported()
