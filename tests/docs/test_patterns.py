"""docs/patterns.md and the README name files and tests; they must be there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROW = re.compile(
    r"^\| (?P<pattern>[^|]+) \| [^|]+ \| \[`[^`]+`\]\((?P<file>[^)]+)\) "
    r"\| \[`(?P<test>\w+)`\]\((?P<path>[^)]+)\) \| `make watch TEST=(?P=test)` \|$"
)
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)[^)]*\)")
PAGES = sorted(
    page
    for pattern in ("README.md", "docs/**/*.md", "chassis/README.md", "deploy/**/README.md", "services/*/README.md")
    for page in ROOT.glob(pattern)
)
REQUIRED = {
    "breaker",
    "half-open",
    "retry budget",
    "deadline",
    "idempotency key",
    "outbox",
    "inbox",
    "relay order, one at a time",
    "dead letter",
    "compensation",
    "drain",
    "optimistic lock",
}
ROWS = [m for line in (ROOT / "docs/patterns.md").read_text().splitlines() if (m := ROW.match(line))]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["pattern"])
def test_the_test_of_a_pattern_exists_where_the_page_says(row: re.Match[str]) -> None:
    assert (ROOT / "docs" / row["file"]).is_file()
    assert f"def {row['test']}(" in (ROOT / "docs" / row["path"]).read_text()


def test_the_page_holds_every_pattern_that_the_shop_rests_on() -> None:
    assert {row["pattern"] for row in ROWS} >= REQUIRED


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    dead = [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()]
    assert dead == []
