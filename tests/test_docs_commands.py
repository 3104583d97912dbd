"""Every command of the documentation runs, and its code works as printed. `docs_reader.SHORTER` is what differs."""

import json
import re
import runpy
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from docs_reader import PAGES, ROOT, RUNS, SHORTER, Reader, blocks, commands, own_files
from paac_cli.config import yaml_io
from paac_cli.config.load import read_config, to_yaml
from paac_cli.config.presets import find_preset
from paac_cli.runs.run_directory import RunDirectory
from paac_cli.training.cluster import find_cluster
from paac_cli.training.loading import load_training
from paac_cli.training.progress import Progress
from paac_cli.training.stop import StopRequest

#: A command that no test runs -> why.
NOT_RUN = {
    "make install": "downloads 700 MB",
    ". .venv/bin/activate": "needs the .venv of make install",
    "make atari": "trains for days",
    'make atari ARGS="Pong Qbert --steps 1_000_000"': "trains for an hour; see tests/benchmarks/test_atari_results.py",
    "paac watch results/pong/seed1": "opens a window; see tests/cli/test_watch.py",
    "paac watch": "opens a window",
    "paac watch runs/pong-seed1 --greedy": "opens a window",
    "tensorboard --logdir runs": "serves until it is stopped",
    "paac train --preset pong --set 'training.trackers=[tensorboard,wandb]'": "needs wandb; see make test-trackers",
    "paac train --preset pong --cluster host-a:4000,host-b:4000 --rank 0": "needs two machines; see test_ranks.py",
    "paac train --preset pong --cluster host-a:4000,host-b:4000 --rank 1": "needs two machines; see test_ranks.py",
    "srun --ntasks 4 paac train --preset pong": "needs Slurm",
    "paac train --preset atari --env vizdoom.gymnasium_wrapper:VizdoomBasic-v1 --set env.protocol=null"
    " --set 'env.wrappers=[third_party:Screen]' --set 'env.resize=[60,80]' --set env.grayscale=true"
    " --set env.frame_stack=2": "needs vizdoom",
    "paac train --preset ppo/halfcheetah --env metaworld:Meta-World/MT1"
    " --set 'env.kwargs={env_name: reach-v3, seed: 1}'"
    " --set 'env.wrappers=[third_party:SeedMetaWorld]'": "needs metaworld",
    "paac train --preset atari --env third_party:Crafter-v0 --set env.protocol=null": "needs crafter",
}

#: Pages that start several processes with TensorFlow, measure, or train much: left out by default.
SLOW = {
    *("CONTRIBUTING.md", *(f"results/{name}/README.md" for name in ("atari", "paper-pong", "pong"))),
    *(f"docs/{name}.md" for name in ("choosing", "clusters", "commands", "playing")),
    *(f"docs/{name}.md" for name in ("metrics", "performance", "python", "reliability", "reports", "tuning")),
    *(f"docs/algorithms/{name}.md" for name in ("dqn", "nstep_q", "paac", "ppo", "recurrent", "sac")),
}

#: Command -> pattern in its output, or in what its tracker posts.
EXPECTED = {
    "paac eval runs/cartpole-seed1": r"3 games: mean \d",
    "paac eval runs/ppo-cartpole-walk-Walk-v0-seed1 --trust-code": r"success rate 100\.0%",
    "paac verify runs/pong-seed1": r"Identical, bit for bit",
    "python play.py": r"\d points, with the policy of step",
    "python search.py": r"gamma 0\.99: \d+\.\d points after 2,048 steps\ngamma\.gif: raw return",
    "python plateau.py": r"Stopped at step 1\d,\d\d\d",
    "paac train --preset pong --set training.evaluate_every=250_000"
    " --set 'training.trackers=[tensorboard,my_trackers:Webhook]'": (
        "posted: pong-seed1: begins at step 0 with seed 1\n"
        r"(posted: pong-seed1: -?\d+\.\d at step [\d,]+\n)+"
        "posted: pong-seed1: finished"
    ),
}

#: Command that trains the blocks of YAML in docs/configuration.md, in their order -> the preset into which the block is
#: put, and keys that it needs.
PARTS = {
    "paac train --preset part-1.yaml": ("ppo/pendulum", {}),
    "paac train --preset part-2.yaml": ("cartpole", {"env.id": "robot_envs:Robot-v0"}),
}


def name_of(page):
    return page.relative_to(ROOT).as_posix()


def blocks_of(page, language):
    return [block for block in blocks(ROOT / page) if block.language == language]


ALL_COMMANDS = {command for page in PAGES for command in commands(page)}


class Chat(BaseHTTPRequestHandler):
    """The server to which the tracker of docs/trackers.md posts; the texts are in `server.texts`."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.texts.append(f"posted: {json.loads(body)['text']}")
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def chat():
    with ThreadingHTTPServer(("127.0.0.1", 0), Chat) as server:
        server.texts = []
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(scope="session")
def runs(tmp_path_factory):
    return tmp_path_factory.mktemp("runs-of-other-pages")


@pytest.fixture
def reader(tmp_path, runs, chat):
    changes = {
        "my_trackers.py": ("localhost:8080", f"localhost:{chat.server_port}"),
        "plateau.py": ("steps - best_at < length", "steps < length"),
        "search.py": ("60_000", "2_048"),
    }
    return Reader(tmp_path, runs, changes)


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, id=name_of(page), marks=[pytest.mark.slow] if name_of(page) in SLOW else [])
        for page in PAGES
        if set(commands(page)) - set(NOT_RUN)
    ],
)
def test_every_command_of_the_page_runs(page, reader, chat):
    for command in commands(page):
        if command not in NOT_RUN:
            output = "\n".join([reader.run(command), *chat.texts])
            assert re.search(EXPECTED.get(command, ""), output), f"{command}:\n{output}"


def test_all_entries_of_the_tables_occur_in_the_documentation():
    assert set(NOT_RUN) <= ALL_COMMANDS
    run = (ALL_COMMANDS | set(PARTS)) - set(NOT_RUN)
    assert set(EXPECTED) <= run
    assert set(RUNS) <= {word for command in run for word in command.split()}
    assert {pattern for pattern in SHORTER if not any(re.search(pattern, command) for command in run)} == set()
    assert set(map(name_of, PAGES)) >= SLOW


def test_a_page_that_makes_a_run_does_so_before_it_uses_it():
    for page in PAGES:
        for run, origin in RUNS.items():
            uses = [index for index, command in enumerate(commands(page)) if run in command.split()]
            if uses and origin in commands(page):
                assert commands(page).index(origin) < uses[0], f"{name_of(page)}: {run}"


def test_every_block_is_commands_or_tested_code_or_text():
    """Commands are in blocks without a language, which begin at the start of a line."""
    for page in PAGES:
        text = page.read_text()
        assert len(re.findall(r"^\s*```", text, re.MULTILINE)) == 2 * len(blocks(page)), name_of(page)
        assert not re.findall(r"^ {4,}(?:\S*/)?paac .*", text, re.MULTILINE), name_of(page)
        for block in blocks(page):
            place = f"{name_of(page)}: {block.text[:60]!r}"
            assert block.language in ("", "text", "python", "yaml", "json"), place
            if block.language == "python" and not block.file_name:
                assert name_of(page) == "docs/architecture.md", f"{place} is not the text of a file"
            if block.language in ("yaml", "json") and not block.file_name:
                assert name_of(page) == {"yaml": "docs/configuration.md", "json": "docs/clusters.md"}[block.language]


def test_every_file_that_a_page_shows_is_used_in_a_command_or_a_preset():
    uses = [*ALL_COMMANDS, *(block.text for block in blocks_of("docs/configuration.md", "yaml"))]
    for name in own_files():
        is_named = any(name in use.split() or f"{name.removesuffix('.py')}:" in use for use in uses)
        assert is_named, name


ROBOT = """
import gymnasium
from toy_envs import SampledObservation


class Robot(SampledObservation):
    def __init__(self):
        super().__init__("robot")
        self.observation_space["camera"] = gymnasium.spaces.Box(0, 255, (24, 24, 3), "uint8")


gymnasium.register("Robot-v0", Robot, max_episode_steps=20)
"""


def test_the_parts_of_presets_train(reader):
    (reader.directory / "robot_envs.py").write_text(ROBOT)
    parts = blocks_of("docs/configuration.md", "yaml")
    for block, (command, (preset, overrides)) in zip(parts, PARTS.items(), strict=True):
        part = yaml_io.parse(block.text, "docs/configuration.md")
        keys = {f"{section}.{key}": value for section, settings in part.items() for key, value in settings.items()}
        config = read_config(find_preset(preset), overrides | keys)
        (reader.directory / command.split()[-1]).write_text(to_yaml(config))
        reader.run(command)


def test_the_loop_of_the_architecture_page_runs(tmp_path):
    """Twice: an update is made at the end of each rollout."""
    (loop,) = blocks_of("docs/architecture.md", "python")
    (tmp_path / "loop.py").write_text(loop.text)
    config = read_config(find_preset("cartpole"))
    with load_training(config, RunDirectory(tmp_path), Progress(None), print, StopRequest(), None) as training:
        training.pool.reset()
        names = {"pool": training.pool, "agent": training.agent, "rollout_length": config.algorithm.rollout_length}
        for _ in range(2):
            after = runpy.run_path(str(tmp_path / "loop.py"), names)
            assert after["step"] is training.pool.latest
            assert float(after["metrics"]["train/value_loss"]) > 0


def test_tf_config_describes_the_ranks_of_the_command_beside_it():
    (block,) = blocks_of("docs/clusters.md", "json")
    command = "paac train --preset pong --cluster host-a:4000,host-b:4000 --rank 0"
    assert command in ALL_COMMANDS
    *_, addresses, _, rank = command.split()
    assert find_cluster(None, None, {"TF_CONFIG": block.text}) == find_cluster(addresses, int(rank), {})
