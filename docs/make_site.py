"""Builds the documentation as a site that works from disk: `python docs/make_site.py`, or `make docs`.

Its pages are README.md, CONTRIBUTING.md, CHANGELOG.md and all Markdown below docs and results. They are copied to
build/docs/pages under their own paths, with their pictures, so that the links between them stay as they are on GitHub.
A source file that they link to becomes a page that shows it. Zensical turns the copy into build/docs/html.
"""

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from posixpath import normpath

import click

ROOT = Path(__file__).resolve().parents[1]

#: A file that a page links to is copied if its name ends so; any other is text, and becomes a page.
_COPIED = (".png", ".svg", ".gif", ".mp4", ".csv")
_LANGUAGES = {".py": "python", ".yaml": "yaml", ".json": "json", ".sbatch": "bash"}
_LINK = re.compile(r'(?:\]\(|src=")([^\s()"#:]+)(?=[)"#])')  # the path of a relative link, without its anchor


def build_site(root: Path, out: Path) -> Path:
    """Build the documentation of the repository at `root` in the directory `out`, which is replaced.

    Returns its front page. SystemExit: a link or anchor is broken, or the navigation leaves out a page.
    """
    if out.exists():
        shutil.rmtree(out)
    shutil.copytree(root / "docs" / "site", out / "pages")
    config = (out / "pages" / "zensical.toml").rename(out / "zensical.toml")
    pages = find_pages(root)
    check_navigation(pages, tomllib.loads(config.read_text())["project"]["nav"])
    for page in pages:
        copy_page(root, page, out / "pages")
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--config-file", config]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        problems = click.unstyle(done.stderr)
        raise SystemExit(problems.partition("Traceback")[0] or problems)
    return out / "html" / "index.html"


def find_pages(root: Path) -> list[str]:
    """The paths of all pages, relative to `root`."""
    found = [path for place in ("docs", "results") for path in (root / place).rglob("*.md")]
    return sorted(path.relative_to(root).as_posix() for path in [*root.glob("*.md"), *found])


def check_navigation(pages: list[str], nav: list) -> None:
    """SystemExit: `nav` leaves out one of `pages`, or names a page that does not exist. Zensical checks neither."""
    listed = set(_paths(nav))
    if missing := sorted(set(pages) - listed):
        raise SystemExit(f"docs/site/zensical.toml: missing from nav: {', '.join(missing)}")
    if unknown := sorted(listed - set(pages)):
        raise SystemExit(f"docs/site/zensical.toml: nav names pages that do not exist: {', '.join(unknown)}")


def _paths(entry: str | dict | list) -> Iterator[str]:
    """All paths in a navigation: `entry` is a path, {title: entry} or a list of entries."""
    if isinstance(entry, str):
        yield entry
    else:
        for inner in entry.values() if isinstance(entry, dict) else entry:
            yield from _paths(inner)


def copy_page(root: Path, page: str, out: Path) -> None:
    """Copy `page` and the files that it links to into `out`. SystemExit: one of these files does not exist."""

    def rewrite(link: re.Match) -> str:
        path = normpath((Path(page).parent / link[1]).as_posix())
        if not (root / path).is_file():
            raise SystemExit(f"{page}: no such file: {link[1]}")
        if path.endswith(".md"):
            return link[0]
        if path.endswith(_COPIED):
            _write(out / path, (root / path).read_bytes())
            return link[0]
        _write(out / f"{path}.md", show_source(path, (root / path).read_text()).encode())
        return f"{link[0]}.md"

    _write(out / page, _LINK.sub(rewrite, _unescape_bars((root / page).read_text())).encode())


def _unescape_bars(text: str) -> str:
    """Make `a\\|b` `a|b` in tables: GitHub needs the backslash where code has a bar, and Zensical would show it."""

    def unescape(row: re.Match) -> str:
        return re.sub(r"`[^`]+`", lambda code: code[0].replace(r"\|", "|"), row[0])

    return re.sub(r"^\|.*", unescape, text, flags=re.MULTILINE)


def show_source(path: str, text: str) -> str:
    """A page with the source file `path`, as Markdown. The search leaves it out."""
    language = _LANGUAGES.get(Path(path).suffix, "text")
    head = f"---\ntitle: {Path(path).name}\nsearch: {{exclude: true}}\nhide: [toc, footer]\n---\n\n# `{path}`\n\n"
    return f'{head}``````{language} linenums="1"\n{text.rstrip()}\n``````\n'


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


if __name__ == "__main__":
    print(f"The documentation is in {build_site(ROOT, ROOT / 'build' / 'docs')}")
