"""The tracker wandb, offline, with the real package: `make test-trackers`."""

import os
import struct

import pytest

from run_paac import environment, paac
from short_runs import QUICK, logged_steps, metrics_rows
from tracked_runs import train_with

pytest.importorskip("wandb")

FILES = "wandb/offline-run-*/run-*.wandb"
BLOCK, HEADER = 32_768, 7  # bytes, of a file in the format of LevelDB's logs


def records(path):
    """The records of a run's file. Those of a killed run may end anywhere."""
    from wandb.proto import wandb_internal_pb2

    data, at, record = path.read_bytes(), HEADER, b""
    while at + HEADER <= len(data):
        if BLOCK - at % BLOCK < HEADER:
            at += BLOCK - at % BLOCK
            continue
        _, length, kind = struct.unpack_from("<IHB", data, at)
        record += data[at + HEADER : at + HEADER + length]
        at += HEADER + length
        if kind in (1, 4):  # whole, or the last part
            yield wandb_internal_pb2.Record.FromString(record)
            record = b""


def test_a_run_and_its_resume_are_sessions_of_one_offline_run(tmp_path):
    run_dir = tmp_path / "run"

    def has_rows():
        return any(len(list(records(path))) > 20 for path in run_dir.glob(FILES))

    resumed_at, before, output = train_with("wandb", run_dir, {"WANDB_MODE": "offline"}, has_rows)
    assert "Warning" not in output
    sessions = sorted(run_dir.glob(FILES), key=os.path.getmtime)
    found = []
    for path in sessions:
        everything = list(records(path))
        (run,) = (record.run for record in everything if record.WhichOneof("record_type") == "run")
        assert (run.run_id, run.display_name, run.project) == (
            *((run_dir / "tracking_id").read_text().strip(), "run"),
            "paac",
        )
        rows = (record.history for record in everything if record.WhichOneof("record_type") == "history")
        found.append([{item.key or "/".join(item.nested_key): item.value_json for item in row.item} for row in rows])
    first, second = ([int(row["_step"]) for row in rows] for rows in found)
    assert first == before[: len(first)]  # what was killed may lack the last rows
    assert second == [steps for steps in logged_steps(run_dir) if steps > resumed_at]
    assert float(found[1][-1]["rollout/ep_rew_mean"]) == pytest.approx(
        float(metrics_rows(run_dir)[-1]["rollout/ep_rew_mean"]), rel=1e-5
    )


def test_without_a_key_the_run_trains_and_warns_once(tmp_path):
    env = environment() | {"WANDB_MODE": "online", "HOME": str(tmp_path), "NETRC": str(tmp_path / "netrc")}
    env.pop("WANDB_API_KEY", None)
    arguments = [*QUICK, "--set", "training.trackers=[wandb]", "--total-steps", "640", "--run-dir", tmp_path / "run"]
    output = paac("train", *arguments, env=env).stdout
    assert (
        output.count("Warning: the tracker wandb failed: RuntimeError: not logged in; run `wandb login`, or set") == 1
    )
    assert logged_steps(tmp_path / "run") == [320, 640]
