"""A model of the files that exist after a power cut: synced contents of files, and synced names in directories.

Changes that were not synced may survive completely, partly or not at all, because a disk may write them at any time.
Therefore one power cut has many possible outcomes.
"""

import random
from collections.abc import Callable, Iterable
from pathlib import Path

from chaos.disk_faults import Operation

#: Decides whether one change that was not synced survives.
Survives = Callable[[], bool]


class _File:
    def __init__(self, content: bytes) -> None:
        self.content = self.synced = content

    def after_cut(self, survives: Survives, rng: random.Random) -> bytes:
        """The content after a power cut: the synced content; or the current one, complete, truncated or partly zero."""
        if self.content == self.synced or not survives():
            return self.synced
        written = self.content[: rng.randrange(len(self.content) + 1)] if rng.random() < 0.5 else self.content
        return written + bytes(len(self.content) - len(written)) if rng.random() < 0.5 else written


class _Directory:
    def __init__(self, entries: "dict[str, _File | _Directory]") -> None:
        self.entries, self.synced = entries, dict(entries)
        self.changes: list[
            dict[str, _File | _Directory | None]
        ] = []  # since the latest sync; None: the name was removed

    def change(self, names: "dict[str, _File | _Directory | None]") -> None:
        """Change some names in one atomic step."""
        self.changes.append(names)
        _apply(self.entries, names)

    def sync(self) -> None:
        self.synced, self.changes = dict(self.entries), []

    def after_cut(self, survives: Survives) -> "dict[str, _File | _Directory]":
        """The entries after a power cut."""
        entries = dict(self.synced)
        for names in self.changes:
            if survives():
                _apply(entries, names)
        return entries


def _apply(entries: "dict[str, _File | _Directory]", names: "dict[str, _File | _Directory | None]") -> None:
    for name, node in names.items():
        if node is None:
            entries.pop(name, None)
        else:
            entries[name] = node


class SimulatedDisk:
    """The files below `root`: their current state, and the states that a power cut may leave."""

    def __init__(self, root: Path) -> None:
        """All files that exist now are regarded as synced."""
        self._root, self._tree = root, _read(root)

    def replay(self, operations: Iterable[Operation]) -> None:
        """Apply `operations`, except those that failed."""
        for operation in operations:
            if not operation.failed:
                self._apply(operation)

    def _apply(self, operation: Operation) -> None:
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
                node = self._node(operation.path)
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
                node = self._node(operation.path)
                self._directory(operation.path.parent).change({operation.path.name: None, operation.target.name: node})

    def write_after_cut(self, directory: Path, survives: Survives, rng: random.Random) -> None:
        """Create `directory` with one possible state after a power cut at this moment."""
        _write(self._tree, directory, survives, rng)

    def _node(self, path: Path) -> _File | _Directory:
        node: _File | _Directory = self._tree
        for name in path.relative_to(self._root).parts:
            assert isinstance(node, _Directory)
            node = node.entries[name]
        return node

    def _directory(self, path: Path) -> _Directory:
        node = self._node(path)
        assert isinstance(node, _Directory)
        return node

    def _file(self, path: Path) -> _File:
        node = self._node(path)
        assert isinstance(node, _File)
        return node


def _read(path: Path) -> _Directory:
    return _Directory({p.name: _read(p) if p.is_dir() else _File(p.read_bytes()) for p in path.iterdir()})


def _write(tree: _Directory, directory: Path, survives: Survives, rng: random.Random) -> None:
    directory.mkdir()
    for name, node in tree.after_cut(survives).items():
        if isinstance(node, _Directory):
            _write(node, directory / name, survives, rng)
        else:
            (directory / name).write_bytes(node.after_cut(survives, rng))
