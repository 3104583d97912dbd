"""Reading a file never executes code: the source calls nothing that could, and malicious files are rejected."""

import ast
import hashlib
import json
import os
import pickle
import shutil
from functools import reduce
from pathlib import Path

import pytest

from chaos.save_scenes import some_checkpoint
from obstacles import NOT_FILES, ODD_FILES
from paac_cli.config.load import read_config, to_yaml
from paac_cli.errors import CheckpointError, ConfigError, RunDirectoryError
from paac_cli.reporting.plot import plot_runs
from paac_cli.runs.checkpoint import load_checkpoint, save_checkpoint
from paac_cli.runs.saved_run import SavedRun

SOURCE = Path(__file__).parents[1] / "src" / "paac_cli"

#: Modules that execute the files they read, and functions that execute or unpickle what they are given.
MODULES = {"pickle", "_pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve", "runpy", "code", "imp", "pydoc"}
CALLS = {"eval", "exec", "compile", "__import__", "load_model", "load_weights", "unsafe_load", "full_load", "loadtxt"}
#: Calls that are allowed only in these modules: to import code that the user named, and to read pipes of paac.
ONLY_IN = {
    "import_module": {
        "cli/main.py",
        "algorithms/agent.py",
        "config/algorithms.py",
        "envs/registry.py",
        "envs/wrapping.py",
        "networks/keras_torso.py",
        "training/find_trackers.py",
    },
    "recv": {
        "sampling/worker.py",
        "sampling/worker_process.py",
        "sampling/isolated.py",
        "sampling/live_game.py",
        "bench/env_costs.py",
    },
    # yaml.load with a safe loader, and safetensors.numpy.load; the others are functions of paac
    "load": {"config/yaml_io.py", "runs/arrays.py", "runs/find.py", "runs/newest.py", "sampling/pool.py"},
    "open_code": set(),
}


def calls_and_imports(tree):
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from ((node, "import", name.name.partition(".")[0]) for name in names)
            case ast.ImportFrom(module=str(module)):
                yield node, "import", module.partition(".")[0]
            case ast.Call(func=ast.Name(id=name)):
                yield node, "call", name
            case ast.Call(func=ast.Attribute(attr=name, value=value)) if ast.unparse(value) != "re":
                yield node, "call", name


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_the_source_calls_nothing_that_executes_a_file(path):
    module = path.relative_to(SOURCE).as_posix()
    for node, kind, name in calls_and_imports(ast.parse(path.read_text())):
        where = f"{module}:{node.lineno}"
        if kind == "import":
            assert name not in MODULES, where
        else:
            assert name not in CALLS, where
            assert module in ONLY_IN.get(name, {module}), f"{where}: {name}"


def test_yaml_is_parsed_by_a_safe_loader():
    import yaml

    from paac_cli.config import yaml_io

    (call,) = [
        node
        for node, kind, name in calls_and_imports(ast.parse((SOURCE / "config" / "yaml_io.py").read_text()))
        if kind == "call" and name == "load"
    ]
    assert ast.unparse(call) == "yaml.load(text, Loader=_Loader)"
    assert issubclass(yaml_io._Loader, yaml.SafeLoader)


class Payload:
    """An object whose unpickling makes a directory."""

    def __init__(self, file):
        self._file = file

    def __reduce__(self):
        return os.mkdir, (str(self._file),)


@pytest.fixture
def payload(tmp_path):
    """A malicious pickle; fails the test if it was unpickled."""
    yield pickle.dumps(Payload(tmp_path / "executed"))
    assert not (tmp_path / "executed").exists()


def test_unpickling_the_payload_executes_it(tmp_path):
    pickle.loads(pickle.dumps(Payload(tmp_path / "executed")))  # noqa: S301
    assert (tmp_path / "executed").exists()


@pytest.mark.parametrize("name", ["policy", "learner", "sampling", "progress"])
def test_a_pickle_instead_of_arrays_is_rejected_even_with_a_valid_checksum(name, payload, tmp_path):
    path = save_checkpoint(tmp_path, some_checkpoint(1000), keep=1)
    (path / f"{name}.safetensors").write_bytes(payload)
    manifest = json.loads((path / "manifest.json").read_text())
    manifest["files"][f"{name}.safetensors"] = hashlib.sha256(payload).hexdigest()
    seal(path, json.dumps(manifest).encode())
    with pytest.raises(CheckpointError, match=name):
        load_checkpoint(path)


@pytest.mark.parametrize("name", ["manifest.json", "manifest.sha256"])
def test_a_pickle_instead_of_the_manifest_or_its_checksum_is_rejected(name, payload, tmp_path):
    path = save_checkpoint(tmp_path, some_checkpoint(1000), keep=1)
    if name == "manifest.json":
        seal(path, payload)
    else:
        (path / name).write_bytes(payload)
    with pytest.raises(CheckpointError, match="step_000001000"):
        load_checkpoint(path)


def test_a_pickle_instead_of_a_preset_or_metrics_is_rejected(payload, tmp_path):
    (tmp_path / "config.yaml").write_bytes(payload)
    with pytest.raises(ConfigError, match=r"config\.yaml"):
        read_config(tmp_path / "config.yaml")
    (tmp_path / "metrics.csv").write_bytes(payload)
    (tmp_path / "config.yaml").write_text(to_yaml(some_checkpoint(1).config))
    with pytest.raises(RunDirectoryError, match="no metrics"):
        plot_runs([tmp_path], tmp_path / "curve.png")


def seal(checkpoint, manifest):
    """Write `manifest` (bytes) and its checksum."""
    (checkpoint / "manifest.json").write_bytes(manifest)
    (checkpoint / "manifest.sha256").write_text(f"{hashlib.sha256(manifest).hexdigest()}  manifest.json\n")


# --- paths that are not regular files


FILES = ["manifest.json", "manifest.sha256", "policy.safetensors", "learner.safetensors"]


@pytest.mark.timeout(20)
@pytest.mark.parametrize("put", [*NOT_FILES, *ODD_FILES])
@pytest.mark.parametrize("name", FILES)
def test_a_checkpoint_file_that_is_not_a_regular_file_or_has_no_end_is_rejected_at_once(name, put, tmp_path):
    path = save_checkpoint(tmp_path, some_checkpoint(1000), keep=1)
    (path / name).unlink()
    put(path / name)
    with pytest.raises(CheckpointError, match="step_000001000"):
        load_checkpoint(path)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("put", [*NOT_FILES, *ODD_FILES])
def test_a_preset_or_metrics_that_is_not_a_regular_file_or_has_no_end_is_rejected_at_once(put, tmp_path):
    put(tmp_path / "config.yaml")
    with pytest.raises(ConfigError, match=r"config\.yaml"):
        read_config(tmp_path / "config.yaml")
    with pytest.raises((ConfigError, RunDirectoryError), match=r"config\.yaml"):
        SavedRun(tmp_path)
    run = tmp_path / "run"
    run.mkdir()
    (run / "config.yaml").write_text(to_yaml(some_checkpoint(1).config))
    for name in ("metrics.csv", "run.json"):
        put(run / name)
    assert SavedRun(run).preset == ""
    with pytest.raises(RunDirectoryError, match="no metrics"):
        plot_runs([run], tmp_path / "curve.png")


def test_a_symbolic_link_to_a_regular_file_is_read(tmp_path):
    path = save_checkpoint(tmp_path / "a", some_checkpoint(1000), keep=1)
    shutil.move(path / "policy.safetensors", tmp_path / "elsewhere")
    (path / "policy.safetensors").symlink_to(tmp_path / "elsewhere")
    load_checkpoint(path)


# --- malicious manifests


def merged(data, change):
    """A copy of `data` with the values of `change`, section by section."""
    return data | {
        key: merged(data[key], value) if isinstance(data.get(key), dict) and isinstance(value, dict) else value
        for key, value in change.items()
    }


@pytest.mark.parametrize(
    "change",
    [
        {"files": {"../policy.safetensors": "0" * 64}},
        {"files": {"/etc/passwd": "0" * 64}},
        {"files": {"policy.safetensors": "../x"}},
        {"files": {"policy.safetensors": 3}},
        {"counters": {"steps": -1}},
        {"counters": {"steps": True}},
        {"counters": {"steps": 1e3}},
        {"counters": {"seconds": float("nan")}},
        {"score": float("inf")},
        {"format": 0},
        {"format": 10**30},
        {"runtime": {"versions": {"paac": None}}},
        {"approximate": [3]},
        {"more": 1},
        {"config": {"seed": 10**4000}},
        {"config": {str(number): number for number in range(50_000)}},
        {"config": reduce(lambda inner, _: {"a": inner}, range(700), {})},
    ],
    ids=lambda change: str(change)[:40],
)
def test_an_invalid_manifest_is_rejected_even_with_a_valid_checksum(change, tmp_path):
    path = save_checkpoint(tmp_path, some_checkpoint(1000), keep=1)
    seal(path, json.dumps(merged(json.loads((path / "manifest.json").read_text()), change)).encode())
    with pytest.raises(CheckpointError, match="step_000001000") as error:
        load_checkpoint(path)
    assert len(str(error.value)) < 10_000


@pytest.mark.parametrize(
    "text",
    ['{"format": 3, "format": 2}', "[" * 100_000, '{"a":' * 100_000, "9" * 100_000, '{"format": ' + "9" * 5000 + "}"],
    ids=lambda text: text[:30],
)
def test_malicious_json_is_rejected(text, tmp_path):
    path = save_checkpoint(tmp_path, some_checkpoint(1000), keep=1)
    seal(path, text.encode())
    with pytest.raises(CheckpointError, match="step_000001000"):
        load_checkpoint(path)


def test_a_changed_manifest_or_a_missing_checksum_is_rejected(tmp_path):
    """A single flipped bit in a counter, score or format must not go unnoticed."""
    path = save_checkpoint(tmp_path, some_checkpoint(1000), keep=1)
    manifest = json.loads((path / "manifest.json").read_text())
    (path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(CheckpointError, match=r"does not match manifest\.sha256"):
        load_checkpoint(path)
    seal(path, json.dumps(manifest).encode())
    assert load_checkpoint(path).counters.steps == 1000
    (path / "manifest.sha256").unlink()
    with pytest.raises(CheckpointError, match=r"manifest\.sha256"):
        load_checkpoint(path)


@pytest.mark.parametrize("number", [1, 2, 4])
def test_a_checkpoint_of_another_format_is_rejected(number, tmp_path):
    path = save_checkpoint(tmp_path, some_checkpoint(1000), keep=1)
    seal(path, json.dumps(json.loads((path / "manifest.json").read_text()) | {"format": number}).encode())
    with pytest.raises(CheckpointError, match=f"format {number}; .* reads only 3"):
        load_checkpoint(path)


def test_the_checkpoint_in_the_repository_can_be_loaded():
    from paac_cli.runs.checkpoint import load_policy
    from paac_cli.runs.checkpoint_names import list_policies

    (path,) = list_policies(SOURCE.parents[1] / "results" / "pong" / "seed1" / "checkpoints")
    assert load_policy(path).counters.steps == 1_495_600
