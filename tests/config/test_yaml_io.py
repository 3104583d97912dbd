"""Invalid and malicious YAML files are rejected quickly, by name and line."""

import time

import pytest

from minimal_config import error_message
from paac_cli.config.load import read_config

BAD_FILES = {
    "empty": b"",
    "only a comment": b"# nothing\n",
    "a list": b"- seed: 1\n",
    "a word": b"pong\n",
    "a tab for indentation": b"env:\n\tid: x\n",
    "a key twice": b"seed: 1\nseed: 2\n",
    "a key twice, one quoted": b"seed: 1\n'seed': 2\n",
    "an alias": b"a: &x {b: 1}\nc: *x\n",
    "an alias of itself": b"&x [*x]\n",
    "a billion laughs": b"a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\nd: [*c,*c]\n",
    "deep flow": b"[" * 5_000,
    "deep mappings": b"{a: " * 5_000,
    "deep blocks": b"- " * 5_000,
    "an unknown tag": b"seed: !thing 1\n",
    "a python tag": b"seed: !!python/object/apply:os.system ['true']\n",
    "two documents": b"seed: 1\n---\nseed: 2\n",
    "not UTF-8": b"seed: \xff\xfe\n",
    "a null byte": b"seed: \x00\n",
    "too large": b"#" * 1_000_001,
    "a long number": b"seed: " + b"1" * 5_000 + b"\n",
    "a date that does not exist": b"seed: 2001-02-30\n",
    "an unhashable key": b"? [a]\n: b\n",
    "a mapping tag on a list": b"!!map [a, b]\n",
    "a set tag on a list": b"seed: !!set [a]\n",
    "an integer tag on nothing": b"seed: !!int ''\n",
    "a float tag on nothing": b"seed: !!float ''\n",
    "a key twice, written differently": b"env: {1: a, 0x1: b}\n",
    "a merge": b"<<: {seed: 1}\n",
    "a long number in base 60": b"seed: 1" + b":59" * 5_000 + b"\n",
    "a long number in hexadecimal": b"seed: 0x" + b"f" * 5_000 + b"\n",
    "ten megabytes": b"seed: 1\n" * 1_300_000,
    "a thousand lists": b"[" + b"[]," * 15_000 + b"]\n",
    "a thousand mappings": b"[" + b"{a: 1}," * 7_000 + b"]\n",
    "a thousand keys": b"".join(b"k%d: 1\n" % number for number in range(1_900)),
    "a thousand layers": b"network: {torso: mlp, hidden_sizes: [" + b"9," * 3_500 + b"]}\n",
    "a thousand wrong layers": b"network: {torso: mlp, hidden_sizes: [" + b"x," * 3_500 + b"]}\n",
    "a thousand torsos": b"network: {torso: mlp, torsos: {%s}}\n" % b",".join(b"a%d: x" % n for n in range(1_900)),
    "a long word": b"network: {torso: " + b"mlp" * 15_000 + b"}\n",
    "a bool tag on a word": b"seed: !!bool maybe\n",
    "a timestamp tag on a word": b"seed: !!timestamp now\n",
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_an_invalid_file_is_rejected_quickly_with_its_name(name, tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_bytes(BAD_FILES[name])
    seconds = []
    for _ in range(2):  # in one of them, Python may search all objects of earlier tests for garbage
        start = time.process_time()
        text = error_message(read_config, path)
        seconds.append(time.process_time() - start)
    assert min(seconds) < 1.0
    assert text.startswith(str(path))
    assert len(text) < 20_000


def test_the_error_of_invalid_yaml_names_the_line(tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_text("seed: 1\nenv: [\n")
    assert error_message(read_config, path).startswith(f"{path}:3: ")
    path.write_text("seed: 1\nenv: {}\nseed: 2\n")
    assert error_message(read_config, path) == f"{path}:3: invalid YAML: key 'seed' appears twice"


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("algorithm:\n  name: ppo\n  gamma:0.9\n", "write a space after the colon of line 3: gamma: 0.9"),
        ("algorithm:\n  gamma:0.9\n\n  name: ppo\n", "write a space after the colon of line 2: gamma: 0.9"),
        ("env:\n  wrappers:\n  - name:A\n    kwargs: {}\n", "write a space after the colon of line 3: name: A"),
        ("algorithm: {name: ppo, gamma:0.9}\n", "write a space after the colon: gamma: 0.9"),
        ("algorithm:\n\tname: ppo\n", "indent with spaces, not with tabs"),
    ],
)
def test_a_frequent_mistake_is_named(text, hint, tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    assert error_message(read_config, path).endswith(hint)


def test_a_colon_in_a_value_is_no_mistake(tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_text("env: {id: minigrid:MiniGrid-Empty-5x5-v0}\nurl: http://a:1/b\nseed: [\n")
    assert "after the colon" not in error_message(read_config, path)


def test_the_error_of_a_file_that_cannot_be_read_names_it(tmp_path):
    for path in (tmp_path / "missing.yaml", tmp_path):
        assert error_message(read_config, path).startswith(f"{path}: cannot be read: ")
