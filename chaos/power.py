"""A model of what a power cut leaves: of files what was synced, of directories the names that were.

What was not may be there all the same, in part or in whole: a disk is free to write early. So a cut has many
outcomes, of which the least, the most, and some by chance are looked at.
"""

import random
from collections.abc import Callable, Iterable
from pathlib import Path

from chaos.disk import Operation

#: Whether one thing that was not synced is there after all.
Luck = Callable[[], bool]


class _File:
    def __init__(self, content: bytes) -> None:
        self.content = self.synced = content

    def left(self, luck: Luck, rng: random.Random) -> bytes:
        """What a cut leaves: what was synced; or what was written since, as far as it got."""
        if self.content == self.synced or not luck():
            return self.synced
        written = self.content[: rng.randrange(len(self.content) + 1)] if rng.random() < 0.5 else self.content
        return written + bytes(len(self.content) - len(written)) if rng.random() < 0.5 else written


class _Directory:
    def __init__(self, entries: "dict[str, _File | _Directory]") -> None:
        self.entries, self.synced = entries, dict(entries)
        self.changes: list[dict[str, _File | _Directory | None]] = []  # since the sync; None: the name is gone

    def change(self, names: "dict[str, _File | _Directory | None]") -> None:
        """One atomic change of names."""
        self.changes.append(names)
        _apply(self.entries, names)

    def sync(self) -> None:
        self.synced, self.changes = dict(self.entries), []

    def left(self, luck: Luck) -> "dict[str, _File | _Directory]":
        """The names that a cut leaves."""
        entries = dict(self.synced)
        for names in self.changes:
            if luck():
                _apply(entries, names)
        return entries


def _apply(entries: "dict[str, _File | _Directory]", names: "dict[str, _File | _Directory | None]") -> None:
    for name, node in names.items():
        if node is None:
            entries.pop(name, None)
        else:
            entries[name] = node


class Disk:
    """What lies below `root`, as a machine sees it and as a power cut would leave it."""

    def __init__(self, root: Path) -> None:
        """What is there now has been there long, and lasts."""
        self._root, self._tree = root, _read(root)

    def do(self, operations: Iterable[Operation]) -> None:
        """Let them happen."""
        for operation in operations:
            if not operation.failed:
                self._do(operation)

    def _do(self, operation: Operation) -> None:
        match operation.name:
            case "open" if operation.creates:
                parent = self._directory(operation.path.parent)
                if operation.path.name not in parent.entries:
                    parent.change({operation.path.name: _File(b"")})
                elif operation.truncates:
                    self._file(operation.path).content = b""
            case "write":
                self._file(operation.path).content += operation.data
            case "ftruncate":
                file = self._file(operation.path)
                file.content = file.content[: operation.size]
            case "fsync":
                node = self._at(operation.path)
                if isinstance(node, _Directory):
                    node.sync()
                else:
                    node.synced = node.content
            case "mkdir":
                self._directory(operation.path.parent).change({operation.path.name: _Directory({})})
            case "unlink" | "rmdir":
                self._directory(operation.path.parent).change({operation.path.name: None})
            case "rename":
                assert operation.target is not None
                assert operation.target.parent == operation.path.parent
                node = self._at(operation.path)
                self._directory(operation.path.parent).change({operation.path.name: None, operation.target.name: node})

    def cut(self, place: Path, luck: Luck, rng: random.Random) -> None:
        """Write to the new directory `place` what a power cut would leave now."""
        _write(self._tree, place, luck, rng)

    def _at(self, path: Path) -> _File | _Directory:
        node: _File | _Directory = self._tree
        for name in path.relative_to(self._root).parts:
            assert isinstance(node, _Directory)
            node = node.entries[name]
        return node

    def _directory(self, path: Path) -> _Directory:
        node = self._at(path)
        assert isinstance(node, _Directory)
        return node

    def _file(self, path: Path) -> _File:
        node = self._at(path)
        assert isinstance(node, _File)
        return node


def _read(path: Path) -> _Directory:
    return _Directory({p.name: _read(p) if p.is_dir() else _File(p.read_bytes()) for p in path.iterdir()})


def _write(tree: _Directory, place: Path, luck: Luck, rng: random.Random) -> None:
    place.mkdir()
    for name, node in tree.left(luck).items():
        if isinstance(node, _Directory):
            _write(node, place / name, luck, rng)
        else:
            (place / name).write_bytes(node.left(luck, rng))
