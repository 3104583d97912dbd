"""Ways in which a checkpoint can be damaged or forged: name -> function of its directory."""

import hashlib
import json

from forgery import seal


def flip_a_bit(checkpoint):
    path = checkpoint / "policy.safetensors"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def truncate_the_manifest(checkpoint):
    path = checkpoint / "manifest.json"
    path.write_bytes(path.read_bytes()[:100])


def truncate_the_policy(checkpoint):
    path = checkpoint / "policy.safetensors"
    path.write_bytes(path.read_bytes()[:-1])


def remove_a_part(checkpoint):
    (checkpoint / "policy.safetensors").unlink()


def inflate_the_manifest(checkpoint):
    (checkpoint / "manifest.json").write_text(" " * 2_000_000)


def edit_manifest(**changes):
    """A change of the manifest with a matching checksum."""

    def edit(checkpoint):
        seal(checkpoint, json.loads((checkpoint / "manifest.json").read_text()) | changes)

    return edit


def forge_the_policy(checkpoint):
    """Random bytes with a matching checksum."""
    garbage = b"\x08" + b"\xff" * 63
    files = json.loads((checkpoint / "manifest.json").read_text())["files"]
    (checkpoint / "policy.safetensors").write_bytes(garbage)
    edit_manifest(files=files | {"policy.safetensors": hashlib.sha256(garbage).hexdigest()})(checkpoint)


def change_a_counter(checkpoint):
    path = checkpoint / "manifest.json"
    manifest = json.loads(path.read_text())
    path.write_text(path.read_text().replace(f'"steps": {manifest["counters"]["steps"]}', '"steps": 1'))


DAMAGES = {
    "a counter in the manifest changed": change_a_counter,
    "a bit of the policy flipped": flip_a_bit,
    "the policy truncated": truncate_the_policy,
    "the policy forged": forge_the_policy,
    "the manifest truncated": truncate_the_manifest,
    "the manifest too large": inflate_the_manifest,
    "the policy missing": remove_a_part,
    "a config that is a number": edit_manifest(config=3),
    "counters that are text": edit_manifest(counters={"steps": "many"}),
    "a score that is a mapping": edit_manifest(score={"a": 1}),
    "no files": edit_manifest(files={}),
    "files that are a number": edit_manifest(files=3),
    "a manifest that is a list": lambda checkpoint: (checkpoint / "manifest.json").write_text("[1, 2]"),
}
