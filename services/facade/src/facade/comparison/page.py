"""A page as a tree of what its reader sees and can do: rows, labelled values, links, forms, text."""

import re
from html.parser import HTMLParser

from facade.comparison.difference import Node

_BLOCKS = frozenset({"p", "div", "h1", "h2", "h3", "br", "table", "tr", "td", "th", "form", "li", "title", "ul"})
_SILENT = frozenset({"style", "script"})
_NUMBER = re.compile(r"/(\d+)$")
# Its presence says that the form is protected; what it says is different each time.
_SECRET = "csrf"  # noqa: S105 - the name of a field


def read_page(markup: str) -> Node:
    """`{"title", "text": […], "rows": [{"id", …}], "fields": {…}, "links": [{"id", "href"}], "forms": [{"id", …}]}`."""
    page = _Page()
    page.feed(markup)
    page.close()
    return page.tree()


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._words: list[str] = []
        self._text: list[Node] = []
        self._rows: list[Node] = []
        self._fields: dict[str, Node] = {}
        self._links: list[Node] = []
        self._forms: list[dict[str, Node]] = []
        self._title = ""
        self._columns: list[str] = []
        self._cells: list[str] | None = None
        self._heads: list[str] | None = None
        self._row_link = ""
        self._link: dict[str, Node] | None = None
        self._silent = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self._silent = self._silent or tag in _SILENT
        if tag in _BLOCKS:
            self._end_block()
        if tag == "table":
            self._columns = []
        elif tag == "tr":
            self._cells, self._heads, self._row_link = [], [], ""
        elif tag == "a":
            self._begin_link(given.get("href", ""))
        elif tag == "form":
            self._forms.append({"id": given.get("action", ""), "method": given.get("method", "get").lower()})
        elif tag == "input" and self._forms:
            self._input(given)

    def handle_endtag(self, tag: str) -> None:
        if tag in _SILENT:
            self._silent = False
        elif tag == "a":
            self._end_link()
        elif tag in ("td", "th") and self._cells is not None and self._heads is not None:
            (self._cells if tag == "td" else self._heads).append(self._take())
        elif tag == "title":
            self._title = self._take()
        elif tag == "tr":
            self._end_row()
        elif tag in _BLOCKS:
            self._end_block()

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self._words.append(data)
            if self._link is not None:
                self._link["id"] = f"{self._link['id']}{data}"

    def tree(self) -> Node:
        self._end_block()
        forms: list[Node] = [*self._forms]
        return {
            "title": self._title,
            "text": self._text,
            "rows": self._rows,
            "fields": self._fields,
            "links": self._links,
            "forms": forms,
        }

    def _take(self) -> str:
        words = " ".join("".join(self._words).split())
        self._words.clear()
        return words

    def _end_block(self) -> None:
        if self._cells is None and (text := self._take()):
            self._text.append(text)

    def _begin_link(self, href: str) -> None:
        if self._cells is None:
            self._link = {"id": "", "href": href}
        else:
            self._row_link = self._row_link or href

    def _end_link(self) -> None:
        if self._link is not None:
            self._link["id"] = " ".join(str(self._link["id"]).split())
            self._links.append(self._link)
            self._link = None

    def _input(self, given: dict[str, str]) -> None:
        name = given.get("name") or given.get("type", "")
        value = "" if name == _SECRET else given.get("value", "")
        form = self._forms[-1]
        form[name] = value
        if name == "id":
            form["id"] = f"{form['id']} {value}"

    def _end_row(self) -> None:
        cells, heads = self._cells or [], self._heads or []
        self._cells = self._heads = None
        self._words.clear()
        if heads:
            self._columns = heads
            self._text.append(" | ".join(heads))
        elif len(cells) == 2 and cells[0].endswith(":"):
            self._fields[cells[0].removesuffix(":")] = cells[1]
        elif cells:
            self._rows.append(self._named(cells))

    def _named(self, cells: list[str]) -> dict[str, Node]:
        number = _NUMBER.search(self._row_link)
        row: dict[str, Node] = {"id": int(number[1]) if number else cells[0], "href": self._row_link}
        for place, cell in enumerate(cells):
            named = len(cells) == len(self._columns) and self._columns[place]
            row[named or f"column {place + 1}"] = cell
        return row
