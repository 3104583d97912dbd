"""How much room there is, and what becomes of who wants more."""

import contextlib
import os
import subprocess
import sys
import uuid
from pathlib import Path

import numpy as np
import pytest

from paac_cli.errors import ConfigError
from paac_cli.sampling.limits import room_left
from paac_cli.sampling.shared_block import SharedBlock

MB = 1 << 20


def make(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def room(tmp_path, groups="", **files):
    proc = {
        "proc/meminfo": "MemTotal: 9999999 kB\nMemAvailable: 300 kB\nSwapFree: 100 kB\n",
        "proc/self/cgroup": groups,
    }
    make(tmp_path, proc | {name.replace("__", "/"): text for name, text in files.items()})
    return room_left(tmp_path / "proc", tmp_path / "cgroup")


def test_a_machine_has_what_is_available_and_its_swap(tmp_path):
    assert room(tmp_path)[:2] == (400 * 1024, "this machine")


def group(limit, used, names, stat):
    return dict(zip(names, (str(limit), str(used), stat), strict=True))


V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "memory.stat")
V2 = ("memory.max", "memory.current", "memory.stat")


@pytest.mark.parametrize(
    ("groups", "root", "names", "stat"),
    [
        ("0::/a/b\n", "", V2, "anon 7\nactive_file 1000\ninactive_file 500\nslab 5\n"),
        ("4:memory,cpu:/a/b\n0::/\n", "memory", V1, "cache 9\ntotal_active_file 1000\ntotal_inactive_file 500\n"),
    ],
    ids=["v2", "v1"],
)
def test_a_control_group_leaves_its_limit_less_what_is_used_but_for_files(groups, root, names, stat, tmp_path):
    place = tmp_path / "cgroup" / root
    for path in ("a/b", "a", ""):  # its own, one above, and the root, as which a container may see its own
        make(place / path, group(50_000, 20_000, names, stat))
        found = room(tmp_path, groups)
        assert found.bytes == 31_500
        assert "container" in found.of
        assert "docker run --memory" in found.remedy
        for name in names:
            (place / path / name).unlink()


def test_a_group_without_a_limit_or_without_files_limits_nothing(tmp_path):
    make(tmp_path / "cgroup", group("max", 1, V2, ""))
    make(tmp_path / "cgroup" / "memory", group(2**63 - 4096, 1, V1, ""))
    assert room(tmp_path, "4:memory:/\n3:cpu:/x\n0::/nowhere\n").of == "this machine"


def test_a_group_that_is_full_leaves_nothing(tmp_path):
    make(tmp_path / "cgroup", group(1000, 5000, V2, ""))
    assert room(tmp_path, "0::/\n").bytes == 0


def test_where_nobody_says_there_is_no_limit(tmp_path):
    assert room_left(tmp_path, tmp_path) is None


def test_this_machine_has_room(tmp_path):
    assert MB < room_left().bytes < 1 << 50


def test_a_block_that_does_not_fit_is_refused_with_the_number_and_the_remedy():
    size = 1 << 45
    with pytest.raises(ConfigError, match=rf"{size:,} bytes.* has [0-9,]+ left.*num_envs.*num_steps"):
        SharedBlock({"obs": ((size,), np.uint8)})


@pytest.mark.parametrize("limit", ["RLIMIT_FSIZE", "RLIMIT_AS"])
def test_a_limit_of_the_process_is_a_foreseen_error_too(limit):
    code = f"""if True:
        import resource
        from paac_cli.sampling.shared_block import SharedBlock
        from paac_cli.errors import ConfigError
        used = 0 if "{limit}" == "RLIMIT_FSIZE" else int(open("/proc/self/statm").read().split()[0]) * 4096
        resource.setrlimit(resource.{limit}, (used + 50 * {MB}, used + 50 * {MB}))
        SharedBlock({{"obs": ((10 * {MB},), "u1")}})
        try:
            SharedBlock({{"obs": ((100 * {MB},), "u1")}})
        except ConfigError as error:
            print(error)"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert f"need {100 * MB:,} bytes of shared memory, and the system refuses them" in result.stdout


WRITE = f"""if True:
    from paac_cli.sampling.shared_block import SharedBlock
    block = SharedBlock({{"obs": ((100 * {MB},), "u1")}})
    block["obs"][...] = 1
    print("written")"""


def test_a_small_dev_shm_limits_nothing():
    """As in Docker, whose 64 MB it has unless told otherwise."""
    small = ["unshare", "--mount", "--map-root-user", "sh", "-c"]
    mount = "mount -t tmpfs -o size=64k none /dev/shm"
    if subprocess.run([*small, mount], capture_output=True, check=False).returncode:
        pytest.skip("no mount namespaces here")
    result = subprocess.run(
        [*small, f'{mount} && exec "$0" -c "$1"', sys.executable, WRITE], capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stdout) == (0, "written\n"), result.stderr


def test_a_small_container_is_told_before_the_system_kills():
    path = Path("/sys/fs/cgroup/memory", f"paac-test-{uuid.uuid4()}")
    try:
        path.mkdir()
        (path / "memory.limit_in_bytes").write_text(str(80 * MB))
    except OSError:
        with contextlib.suppress(OSError):
            path.rmdir()
        pytest.skip("no control groups of ours here")
    try:
        result = subprocess.run(
            [sys.executable, "-c", WRITE],
            preexec_fn=lambda: (path / "cgroup.procs").write_text(str(os.getpid())),
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        path.rmdir()
    assert result.returncode == 1
    assert f"need {100 * MB:,} bytes of shared memory, and this container has" in result.stderr


def with_limits(soft, hard, num_workers):
    """A process with these limits of open files that makes room for so many workers, and tells its limits then."""
    code = (
        f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))\n"
        f"from paac_cli.sampling.limits import make_room_for_descriptors; make_room_for_descriptors({num_workers})\n"
        "print(*resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)


def test_descriptors_are_made_room_for_as_far_as_is_allowed():
    assert with_limits(512, 1024, 2).stdout == "512 1024\n"
    soft, hard = map(int, with_limits(64, 1024, 100).stdout.split())
    assert (800 < soft < 1024, hard) == (True, 1024)
    refused = with_limits(64, 256, 100).stderr
    assert "100 workers need up to 8" in refused
    assert "open files, and this process may have 256" in refused
