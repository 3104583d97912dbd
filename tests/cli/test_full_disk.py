"""A run on a disk that fills up ends with one error line, and resumes from its last checkpoint on a larger disk."""

import re
import subprocess
import sys

import pytest

from paac_cli.runs.checkpoint import load_checkpoint
from paac_cli.runs.checkpoint_names import list_checkpoints
from short_runs import QUICK, TOTAL_STEPS

NEW_MOUNT_NAMESPACE = ["unshare", "--mount", "--map-root-user", "sh", "-c"]
MOUNT = 'mount -t tmpfs -o size=600k none "$0"'


def test_a_full_disk_ends_the_run_and_damages_no_checkpoint(train, trained, tmp_path):
    disk, left = tmp_path / "disk", tmp_path / "left"
    disk.mkdir()
    if subprocess.run([*NEW_MOUNT_NAMESPACE, MOUNT, disk], capture_output=True, check=False).returncode:
        pytest.skip("this machine does not allow mount namespaces")
    keep_all = ["--set", "training.keep_checkpoints=1000", "--set", "training.checkpoint_every=64"]
    paac = [sys.executable, "-m", "paac_cli", "train", *QUICK, "--run-dir", disk / "run", "--total-steps", TOTAL_STEPS]
    script = f'{MOUNT} && ("$@"; code=$?; cp -r "$0/run" "{left}"; exit $code)'
    command = [*NEW_MOUNT_NAMESPACE, script, disk, *map(str, [*paac, *keep_all])]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)
    assert result.returncode == 2
    assert re.fullmatch(
        r"Error: the checkpoint at step [0-9,]+ cannot be written: No space left on device; "
        r"earlier checkpoints in .* are unchanged\n",
        result.stderr,
    )
    for path in list_checkpoints(left / "checkpoints"):
        load_checkpoint(path)
    newest = load_checkpoint(list_checkpoints(left / "checkpoints")[0])
    assert not list((left / "checkpoints").glob(".partial-*"))
    assert f"Resuming at step {newest.counters.steps:,}" in train(left).stdout
    policies = [list_checkpoints(run / "checkpoints")[0] / "policy.safetensors" for run in (left, trained)]
    assert policies[0].read_bytes() == policies[1].read_bytes()
