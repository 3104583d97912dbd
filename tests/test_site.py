"""The documentation as a site: it is complete, works from disk, loads nothing from a network, and is searchable."""

import json
import re
import shutil
import tomllib
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest

import make_site
from headless_chromium import chromium, needs_chromium

ROOT = Path(__file__).parents[1]
SITE = ROOT / "docs" / "site"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The directory of the built site."""
    return make_site.build_site(ROOT, tmp_path_factory.mktemp("docs") / "docs").parent


class Addresses(HTMLParser):
    """What a page loads, and where its links lead."""

    def __init__(self, path):
        super().__init__()
        self.loaded, self.links = [], []
        self.feed(path.read_text())

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        if tag == "a":
            self.links += filter(None, [attributes.get("href")])
        else:
            self.loaded += [attributes[name] for name in ("href", "src", "srcset", "data") if attributes.get(name)]


def test_every_page_is_in_the_navigation():
    nav = tomllib.loads((SITE / "zensical.toml").read_text())["project"]["nav"]
    make_site.check_navigation(make_site.find_pages(ROOT), nav)


def test_what_pages_load_and_link_to_is_in_the_site(site):
    for page in set(site.rglob("*.html")) - {site / "404.html"}:  # which only a web server uses
        addresses = Addresses(page)
        assert not [url for url in addresses.loaded if url.startswith(("http:", "https:", "//"))], page
        for url in [*addresses.loaded, *addresses.links]:
            path = unquote(urldefrag(url)[0].partition("?")[0])
            assert ":" in path or (page.parent / path).exists(), f"{page.relative_to(site)}: {url}"


def test_style_sheets_load_nothing_from_a_network(site):
    for path in site.rglob("*.css"):
        assert not re.search(r"(@import|url\()\W*(https?:)?//", path.read_text()), path


def test_source_files_are_pages_that_the_search_leaves_out(site):
    assert "_interact_in_halves" in (site / "src" / "paac_cli" / "training" / "interaction.py.html").read_text()
    found = {item["location"].partition("#")[0] for item in json.loads((site / "search.json").read_text())["items"]}
    assert {"docs/faq.html", "results/pong/index.html", "CHANGELOG.html"} <= found
    assert not [path for path in found if path.startswith(("src/", "tests/", "examples/"))]


# --- what is wrong fails the build


@pytest.fixture
def small(tmp_path):
    """A repository with two pages. Its settings are ours, but for the navigation."""
    root = tmp_path / "small"
    shutil.copytree(SITE, root / "docs" / "site")
    config = SITE / "zensical.toml"
    nav = 'nav = ["README.md", "docs/more.md"]\n'
    text = re.sub(r"^nav = \[\n.*?^\]\n", nav, config.read_text(), flags=re.MULTILINE | re.DOTALL)
    (root / "docs" / "site" / "zensical.toml").write_text(text)
    (root / "README.md").write_text("# Small\n\n[more](docs/more.md#two-words---and-a-dash)\n")
    (root / "docs" / "more.md").write_text("# More\n\n## Two `words` - and a dash\n\n[code](../code.py)\n")
    (root / "code.py").write_text("assert '`````' < '~'\n")
    return root


def test_bars_in_the_code_of_a_table(small, tmp_path):
    with (small / "README.md").open("a") as file:
        file.write("\n| a | b |\n|---|---|\n| `N\\|auto` | c \\| `d` |\n\n`e\\|f`\n")
    text = make_site.build_site(small, tmp_path / "out").read_text()
    assert "<td><code>N|auto</code></td>" in text
    assert "<td>c | <code>d</code></td>" in text
    assert r"<code>e\|f</code>" in text


def test_a_small_site(small, tmp_path):
    front = make_site.build_site(small, tmp_path / "out")
    assert 'href="docs/more.html#two-words---and-a-dash"' in front.read_text()
    assert 'href="../code.py.html"' in (front.parent / "docs" / "more.html").read_text()


@pytest.mark.parametrize(
    ("page", "text", "message"),
    [
        ("README.md", "[x](docs/absent.md)", "README.md: no such file: docs/absent.md"),
        ("docs/more.md", "[x](../absent.py)", "docs/more.md: no such file: ../absent.py"),
        ("docs/more.md", '<img src="img/absent.png">', "docs/more.md: no such file: img/absent.png"),
        ("docs/more.md", "[x](#absent)", "docs/more.md:7:6"),
        ("README.md", "[x](docs/more.md#absent)", "anchor does not exist"),
        ("docs/new.md", "# New", "missing from nav: docs/new.md"),
        ("results/new/README.md", "# New", "missing from nav: results/new/README.md"),
    ],
)
def test_a_mistake_fails_the_build(page, text, message, small, tmp_path):
    (small / page).parent.mkdir(parents=True, exist_ok=True)
    with (small / page).open("a") as file:
        file.write(f"\n{text}\n")
    with pytest.raises(SystemExit, match=re.escape(message)):
        make_site.build_site(small, tmp_path / "out")


def test_an_entry_without_a_page_fails_the_build(small, tmp_path):
    (small / "docs" / "more.md").unlink()
    (small / "README.md").write_text("# Small\n")
    with pytest.raises(SystemExit, match=r"do not exist: docs/more\.md"):
        make_site.build_site(small, tmp_path / "out")


# --- in a browser


@pytest.fixture(scope="module")
def page():
    with chromium() as page:
        yield page


@pytest.fixture
def browser(page):
    """A page that must request nothing but files, and report no problem."""
    page.requested.clear()
    page.problems.clear()
    yield page
    assert page.problems == []
    assert {url.partition(":")[0] for url in page.requested} <= {"file", "data", "blob"}


@needs_chromium
def test_the_search_works_from_disk(browser, site):
    dialog = "document.activeElement.shadowRoot"
    browser.open(site / "docs" / "faq.html")
    browser.run("document.querySelector('.md-search__button').click()")
    browser.wait_for(f"{dialog}?.activeElement?.matches('input')")
    browser.type("recurrent")
    browser.type(" lstm")
    browser.wait_for(f"{dialog}.querySelector('a')?.innerText.startsWith('Recurrent policies')")
    assert browser.run(f"{dialog}.querySelector('input').value") == "recurrent lstm"
    browser.press_enter()
    browser.wait_for("location.pathname.endsWith('/docs/algorithms/recurrent.html')")
    browser.wait_for("document.querySelector('mark')")


@needs_chromium
@pytest.mark.parametrize("name", ["index", "docs/configuration", "docs/architecture", "results/benchmarks"])
def test_pages_fit_a_phone_and_the_dark(name, browser, site):
    backgrounds = []
    for dark in (False, True):
        browser.open(site / f"{name}.html", width=390, height=844, dark=dark, mobile=True)
        assert browser.run("document.documentElement.scrollWidth") == 390
        backgrounds.append(browser.run("getComputedStyle(document.body).backgroundColor"))
        assert browser.run("[...document.images].every((image) => image.naturalWidth > 0)")
    light, dark = (sum(map(int, re.findall(r"\d+", color)[:3])) for color in backgrounds)
    assert light > 3 * 200
    assert dark < 3 * 50
