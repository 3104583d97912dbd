"""The cores that a container allows are those that paac uses."""

import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from paac_cli.control_groups import cpu_quota
from paac_cli.machine import available_cores, core_for_each


def write_files(root, files):
    """files: name -> text."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def quota_in(tmp_path, groups, files):
    """The quota of a process in these control groups, with these files below the file system of control groups."""
    write_files(tmp_path, {"proc/self/cgroup": groups} | {f"cgroup/{name}": text for name, text in files.items()})
    return cpu_quota(tmp_path / "proc", tmp_path / "cgroup")


@pytest.mark.parametrize(
    ("groups", "files", "expected"),
    [
        ("0::/a/b\n", {"a/b/cpu.max": "150000 100000\n"}, 1.5),
        ("0::/a/b\n", {"a/b/cpu.max": "max 100000\n", "a/cpu.max": "400000 100000\n", "cpu.max": "250000 100000"}, 2.5),
        ("0::/host/path\n", {"cpu.max": "200000 100000\n"}, 2.0),  # its own group is mounted as the root
        ("0::/../outside\n", {"cpu.max": "200000 100000\n"}, 2.0),
        ("0::/a\n", {"unified/a/cpu.max": "50000 100000\n"}, 0.5),
        ("0::/a\n", {"a/cpu.max": "max 100000\n"}, None),
        ("0::/a\n", {"a/cpu.max": "garbage\n"}, None),
        ("0::/a\n", {}, None),
        ("", {}, None),
        (
            "3:cpu,cpuacct:/a/b\n0::/\n",
            {"cpu,cpuacct/a/b/cpu.cfs_quota_us": "300000\n", "cpu,cpuacct/a/b/cpu.cfs_period_us": "200000\n"},
            1.5,
        ),
        (
            "3:cpu:/a/b\n0::/\n",
            {
                **{"cpu/a/b/cpu.cfs_quota_us": "-1\n", "cpu/a/b/cpu.cfs_period_us": "100000\n"},
                **{"cpu/a/cpu.cfs_quota_us": "100000\n", "cpu/a/cpu.cfs_period_us": "100000\n"},
            },
            1.0,
        ),
        ("3:memory:/a\n", {"memory/a/cpu.cfs_quota_us": "1\n", "memory/a/cpu.cfs_period_us": "100000\n"}, None),
    ],
)
def test_the_smallest_quota_of_all_groups_counts(groups, files, expected, tmp_path):
    assert quota_in(tmp_path, groups, files) == expected


@pytest.mark.parametrize(("quota", "cores"), [("50000", 1), ("100000", 1), ("150000", 2), ("100000000", None)])
def test_a_quota_is_rounded_up_to_whole_cores_of_those_that_exist(quota, cores, tmp_path):
    quota_in(tmp_path, "0::/\n", {"cpu.max": f"{quota} 100000\n"})
    found = available_cores(tmp_path / "proc", tmp_path / "cgroup")
    assert found == min(cores or 10**9, len(os.sched_getaffinity(0)))


COUNT = """if True:
    import os
    from paac_cli.machine import available_cores, core_for_each
    from paac_cli.import_tensorflow import import_tensorflow
    import_tensorflow()
    import tensorflow as tf
    from paac_cli.training.device import runtime
    threading = tf.config.threading
    here = runtime(deterministic=True)
    print(available_cores(), here.cores, here.tensorflow_threads, core_for_each(len(os.sched_getaffinity(0)))[0])
    print(threading.get_intra_op_parallelism_threads(), threading.get_inter_op_parallelism_threads())"""


def count(**options):
    result = subprocess.run([sys.executable, "-c", COUNT], capture_output=True, text=True, check=True, **options)
    return [line.split() for line in result.stdout.splitlines()]


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs more cores than the quota")
def test_in_a_container_with_a_quota_of_one_core_workers_and_tensorflow_use_one(tmp_path):
    group = Path("/sys/fs/cgroup/cpu", f"paac-test-{uuid.uuid4()}")
    try:
        group.mkdir()
        (group / "cpu.cfs_period_us").write_text("100000")
        (group / "cpu.cfs_quota_us").write_text("90000")
    except OSError:
        pytest.skip("control groups cannot be created")
    try:
        counted = count(preexec_fn=lambda: (group / "cgroup.procs").write_text(str(os.getpid())))
    finally:
        group.rmdir()
    assert counted == [["1", "1", "as", "cores", "None"], ["1", "2"]]


def test_without_a_quota_tensorflow_chooses_its_threads_itself():
    """Another number may change bits."""
    if cpu_quota() is not None:
        pytest.skip("this machine has a quota")
    cores = sorted(os.sched_getaffinity(0))
    interop = "2" if len(cores) == 1 else "0"
    assert count() == [[str(len(cores)), str(len(cores)), "as", "cores", str(cores[0])], ["0", interop]]
    assert core_for_each(len(cores)) == cores
