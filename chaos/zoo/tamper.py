"""`python -m chaos.zoo.tamper RUN PATH=JSON ...`: change a run as an attacker would, with matching checksums.

PATH is a path of keys in the manifests, separated by slashes; what is below `config` changes in config.yaml, too.
`name:OLD=NEW` renames an array.
"""

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from safetensors import numpy as safetensors

from paac_cli.runs.manifest import CHECKSUM, MANIFEST
from paac_cli.runs.run_directory import CONFIG


def tamper(run: Path, changes: list[str]) -> None:
    for checkpoint in sorted((run / "checkpoints").iterdir()):
        manifest = json.loads((checkpoint / MANIFEST).read_text())
        for change in changes:
            path, _, value = change.partition("=")
            if path.startswith("name:"):
                _rename(checkpoint, manifest, path.removeprefix("name:"), json.loads(value))
            else:
                _put(manifest, path.split("/"), json.loads(value))
        text = json.dumps(manifest)
        (checkpoint / MANIFEST).write_text(text)
        (checkpoint / CHECKSUM).write_text(f"{hashlib.sha256(text.encode()).hexdigest()}  {MANIFEST}\n")
        (run / CONFIG).write_text(json.dumps(manifest["config"]))  # JSON is YAML, too


def _put(data: Any, path: list[str], value: Any) -> None:
    *sections, key = path
    for section in sections:
        data = data[section]
    data[key] = value


def _rename(checkpoint: Path, manifest: Any, old: str, new: str) -> None:
    for name in manifest["files"]:
        arrays = safetensors.load((checkpoint / name).read_bytes())
        if old in arrays:
            content = safetensors.save({(new if key == old else key): array for key, array in arrays.items()})
            (checkpoint / name).write_bytes(content)
            manifest["files"][name] = hashlib.sha256(content).hexdigest()


if __name__ == "__main__":
    tamper(Path(sys.argv[1]), sys.argv[2:])
