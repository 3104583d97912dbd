"""No file that is read can run code: the source has no way to, and files that would like to do not."""

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
from paac_cli.config.load import read_config, to_yaml
from paac_cli.errors import CheckpointError, ConfigError, RunDirectoryError
from paac_cli.reporting.plot import read_curve
from paac_cli.runs.checkpoint import load_checkpoint, save_checkpoint

SOURCE = Path(__file__).parents[1] / "src" / "paac_cli"

#: Modules whose files are programs, and functions that run what they read.
MODULES = {"pickle", "_pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve", "runpy", "code", "imp", "pydoc"}
CALLS = {"eval", "exec", "compile", "__import__", "load_model", "load_weights", "unsafe_load", "full_load", "loadtxt"}
#: Calls that are allowed in these places alone: code that a user has named, and pipes between our own processes.
ONLY_IN = {
    "import_module": {"cli/main.py", "algorithms/agent.py", "config/algorithms.py", "networks/keras_torso.py"},
    "recv": {"sampling/worker.py", "sampling/processes.py", "sampling/costs.py"},
    "load": {"config/yaml_io.py", "training/run_directory.py"},  # yaml.load with our own safe loader; a function's name
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
def test_the_source_has_no_way_to_run_a_file(path):
    here = path.relative_to(SOURCE).as_posix()
    for node, kind, name in calls_and_imports(ast.parse(path.read_text())):
        where = f"{here}:{node.lineno}"
        if kind == "import":
            assert name not in MODULES, where
        else:
            assert name not in CALLS, where
            assert here in ONLY_IN.get(name, {here}), f"{where}: {name}"


def test_yaml_is_loaded_by_a_safe_loader():
    import yaml

    from paac_cli.config import yaml_io

    (call,) = [
        node
        for node, kind, name in calls_and_imports(ast.parse((SOURCE / "config" / "yaml_io.py").read_text()))
        if kind == "call" and name == "load"
    ]
    assert ast.unparse(call) == "yaml.load(text, Loader=_Loader)"
    assert issubclass(yaml_io._Loader, yaml.SafeLoader)


class Bomb:
    """Makes a file where it is unpickled."""

    def __init__(self, file):
        self._file = file

    def __reduce__(self):
        return os.mkdir, (str(self._file),)


@pytest.fixture
def bomb(tmp_path):
    """The bytes of a pickle; afterwards it has not gone off."""
    yield pickle.dumps(Bomb(tmp_path / "gone off"))
    assert not (tmp_path / "gone off").exists()


def test_the_bomb_works(tmp_path):
    pickle.loads(pickle.dumps(Bomb(tmp_path / "gone off")))  # noqa: S301
    assert (tmp_path / "gone off").exists()


@pytest.mark.parametrize("name", ["policy", "learner", "sampling", "progress"])
def test_a_pickle_in_the_place_of_arrays_is_refused_though_its_sum_is_right(name, bomb, tmp_path):
    path = save_checkpoint(tmp_path, some_checkpoint(1000), keep=1)
    (path / f"{name}.safetensors").write_bytes(bomb)
    manifest = json.loads((path / "manifest.json").read_text())
    manifest["files"][f"{name}.safetensors"] = hashlib.sha256(bomb).hexdigest()
    seal(path, json.dumps(manifest).encode())
    with pytest.raises(CheckpointError, match=name):
        load_checkpoint(path)


@pytest.mark.parametrize("name", ["manifest.json", "manifest.sha256"])
def test_a_pickle_in_the_place_of_the_manifest_or_its_sum_is_refused(name, bomb, tmp_path):
    path = save_checkpoint(tmp_path, some_checkpoint(1000), keep=1)
    if name == "manifest.json":
        seal(path, bomb)
    else:
        (path / name).write_bytes(bomb)
    with pytest.raises(CheckpointError, match="step_000001000"):
        load_checkpoint(path)


def test_a_pickle_in_the_place_of_a_preset_or_of_metrics_is_refused(bomb, tmp_path):
    (tmp_path / "config.yaml").write_bytes(bomb)
    with pytest.raises(ConfigError, match=r"config\.yaml"):
        read_config(tmp_path / "config.yaml")
    (tmp_path / "metrics.csv").write_bytes(bomb)
    (tmp_path / "config.yaml").write_text(to_yaml(some_checkpoint(1).config))
    with pytest.raises(RunDirectoryError, match="no metrics"):
        read_curve(tmp_path)


def seal(checkpoint, manifest):
    """Put `manifest` into its place, and the sum that belongs to it."""
    (checkpoint / "manifest.json").write_bytes(manifest)
    (checkpoint / "manifest.sha256").write_text(f"{hashlib.sha256(manifest).hexdigest()}  manifest.json\n")


# --- what is no file


def put_pipe(path):
    os.mkfifo(path)


def put_directory(path):
    path.mkdir()


def put_device(path):
    path.symlink_to("/dev/zero")


def put_terminal(path):
    path.symlink_to("/dev/tty")


def put_link_to_nowhere(path):
    path.symlink_to("nowhere")


def put_link_to_itself(path):
    path.symlink_to(path.name)


PLACES = ["manifest.json", "manifest.sha256", "policy.safetensors", "learner.safetensors"]
THINGS = [put_pipe, put_directory, put_device, put_terminal, put_link_to_nowhere, put_link_to_itself]


@pytest.mark.timeout(20)
@pytest.mark.parametrize("put", THINGS)
@pytest.mark.parametrize("name", PLACES)
def test_what_is_no_file_in_a_checkpoint_is_refused_at_once(name, put, tmp_path):
    path = save_checkpoint(tmp_path, some_checkpoint(1000), keep=1)
    (path / name).unlink()
    put(path / name)
    with pytest.raises(CheckpointError, match="step_000001000"):
        load_checkpoint(path)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("put", THINGS)
def test_what_is_no_file_in_the_place_of_a_preset_or_of_metrics_is_refused_at_once(put, tmp_path):
    put(tmp_path / "config.yaml")
    with pytest.raises(ConfigError, match=r"config\.yaml"):
        read_config(tmp_path / "config.yaml")
    put(tmp_path / "metrics.csv")
    with pytest.raises(RunDirectoryError, match="no metrics"):
        read_curve(tmp_path)


def test_a_link_to_a_whole_file_is_as_good_as_the_file(tmp_path):
    path = save_checkpoint(tmp_path / "a", some_checkpoint(1000), keep=1)
    shutil.move(path / "policy.safetensors", tmp_path / "elsewhere")
    (path / "policy.safetensors").symlink_to(tmp_path / "elsewhere")
    load_checkpoint(path)


# --- manifests that lie


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
        {"versions": {"paac": None}},
        {"more": 1},
        {"config": {"seed": 10**4000}},
        {"config": {str(number): number for number in range(50_000)}},
        {"config": reduce(lambda inner, _: {"a": inner}, range(700), {})},
    ],
    ids=lambda change: str(change)[:40],
)
def test_a_manifest_that_lies_is_refused_though_its_sum_is_right(change, tmp_path):
    path = save_checkpoint(tmp_path, some_checkpoint(1000), keep=1)
    seal(path, json.dumps(json.loads((path / "manifest.json").read_text()) | change).encode())
    with pytest.raises(CheckpointError, match="step_000001000") as error:
        load_checkpoint(path)
    assert len(str(error.value)) < 10_000


@pytest.mark.parametrize(
    "text",
    ['{"format": 2, "format": 1}', "[" * 100_000, '{"a":' * 100_000, "9" * 100_000, '{"format": ' + "9" * 5000 + "}"],
    ids=lambda text: text[:30],
)
def test_json_that_is_meant_to_hurt_is_refused(text, tmp_path):
    path = save_checkpoint(tmp_path, some_checkpoint(1000), keep=1)
    seal(path, text.encode())
    with pytest.raises(CheckpointError, match="step_000001000"):
        load_checkpoint(path)


def test_a_checkpoint_of_format_1_has_no_sum_and_is_read_all_the_same(tmp_path):
    path = save_checkpoint(tmp_path, some_checkpoint(1000), keep=1)
    manifest = json.loads((path / "manifest.json").read_text()) | {"format": 1}
    (path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(CheckpointError, match=r"does not match manifest\.sha256"):
        load_checkpoint(path)  # one flipped bit must not make an old one of a new one
    (path / "manifest.sha256").unlink()
    assert load_checkpoint(path).counters.steps == 1000
    (path / "manifest.json").write_text(json.dumps(manifest | {"format": 2}))
    with pytest.raises(CheckpointError, match=r"manifest\.sha256"):
        load_checkpoint(path)


def test_the_checkpoint_in_the_repository_is_of_format_1_and_is_read():
    from paac_cli.runs.checkpoint import list_policies, load_policy

    (path,) = list_policies(SOURCE.parents[1] / "results" / "pong" / "seed1" / "checkpoints")
    assert load_policy(path).counters.steps == 1_495_600
