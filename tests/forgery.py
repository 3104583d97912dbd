"""Changes the configs in a run directory with matching checksums, as a malicious author would."""

import hashlib
import json

import yaml

from paac_cli.runs.checkpoint_names import list_checkpoints, list_policies


def change_checkpoints(run, change):
    """Change the config in the manifests of all checkpoints. change: takes a config and changes it in place."""
    for path in [*list_checkpoints(run / "checkpoints"), *list_policies(run / "checkpoints")]:
        manifest = json.loads((path / "manifest.json").read_text())
        change(manifest["config"])
        seal(path, manifest)


def seal(checkpoint, manifest):
    """Write `manifest` (plain data) and its checksum."""
    text = json.dumps(manifest).encode()
    (checkpoint / "manifest.json").write_bytes(text)
    (checkpoint / "manifest.sha256").write_text(f"{hashlib.sha256(text).hexdigest()}  manifest.json\n")


def change_config(run, change):
    """Change config.yaml."""
    config = yaml.safe_load((run / "config.yaml").read_text())
    change(config)
    (run / "config.yaml").write_text(yaml.safe_dump(config))
