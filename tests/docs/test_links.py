"""Every relative link of every page leads to a file of the repository, and to a heading that is in that file."""

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^(```|~~~).*?^\1\s*$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`[^`\n]*`")
LINK = re.compile(r"\]\((?![a-z][a-z0-9+.-]*:)([^)\s]+)(?:\s+\"[^\"]*\")?\)")
HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)


def _listed(*options: str) -> list[str]:
    command = ["git", "ls-files", "-z", "--cached", *options]
    return subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True).stdout.split("\0")[:-1]


@cache
def known() -> set[Path]:
    """Files of the repository, new ones too, and their folders; what git ignores is nobody's but one machine's."""
    files = {ROOT / name for name in _listed("--others", "--exclude-standard")}
    return files | {folder for file in files for folder in file.parents}


PAGES = sorted(
    name for name in _listed("--others", "--exclude-standard") if name.endswith(".md") and (ROOT / name).exists()
)
if not PAGES:
    pytest.skip("an unpacked archive does not know its files", allow_module_level=True)


def links(text: str) -> list[str]:
    """The targets of all relative links outside of code."""
    plain = FENCE.sub("", text)
    # What a link shows may be code; what it leads to is not.
    return list(LINK.findall(CODE.sub("code", plain)))


def anchors(page: Path) -> set[str]:
    """The addresses of the headings of a page, as GitHub makes them."""
    found: set[str] = set()
    for heading in HEADING.findall(FENCE.sub("", page.read_text())):
        shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", shown.lower()).replace(" ", "-")
        repeated = sum(1 for name in found if re.fullmatch(rf"{re.escape(slug)}(-\d+)?", name))
        found.add(f"{slug}-{repeated}" if repeated else slug)
    return found


def dead(page: Path, text: str) -> list[str]:
    """The links that would lead nowhere if this were the text of the page."""
    wrong = []
    for target in links(text):
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        if there not in known() or (anchor and there.suffix == ".md" and anchor not in anchors(there)):
            wrong.append(target)
    return wrong


@pytest.mark.parametrize("page", PAGES)
def test_every_relative_link_leads_somewhere(page: str) -> None:
    assert dead(ROOT / page, (ROOT / page).read_text()) == []


def test_links_are_seen_and_code_is_not_taken_for_them() -> None:
    text = "[`a`](b.md) [c](https://d) [e](#f) `[g](h)` [i](j.md#k)\n```\n[l](m)\n```\n[mail](mailto:a@b)\n"
    assert links(text) == ["b.md", "#f", "j.md#k"]


def test_a_heading_has_the_address_that_github_gives_it(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# The shop: `orders`, and *more*\n## Again\n## Again\n### [A link](x.md)\n")
    assert anchors(page) == {"the-shop-orders-and-more", "again", "again-1", "a-link"}


def test_a_link_to_nowhere_is_found() -> None:
    text = (
        "[a](patterns.md) [b](nowhere.md) [c](delivery.md#to-go-back) [d](delivery.md#no-such-heading) [e](../chassis)"
    )
    assert dead(ROOT / "docs" / "patterns.md", text) == ["nowhere.md", "delivery.md#no-such-heading"]
