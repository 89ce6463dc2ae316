"""Two trees in, the places at which they differ out."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from facade.comparison.classify import STATUS_NAMES, amount, classify
from facade.comparison.difference import Difference, Kind, Node, shown

# Lists that the contract sorts by the number of what is in them. In the others an order may have a meaning too.
SORTED = frozenset({"body.products", "body.orders", "body.rows"})
PAGED = SORTED | {"body.links"}


def compare(legacy: Node, modern: Node) -> list[Difference]:
    """What differs in two answers that `read` has read. No difference: they mean the same to an old client."""
    return list(_nodes("", legacy, modern))


def _nodes(path: str, legacy: Node, modern: Node) -> Iterator[Difference]:
    if isinstance(legacy, dict) and isinstance(modern, dict):
        yield from _objects(path, legacy, modern)
    elif isinstance(legacy, list) and isinstance(modern, list):
        yield from _lists(path, legacy, modern)
    elif not _equal(legacy, modern):
        yield Difference(path, classify(path, legacy, modern), shown(legacy), shown(modern))


def _equal(legacy: Node, modern: Node) -> bool:
    if type(legacy) is not type(modern):
        return False
    return legacy == modern or ((minor := amount(legacy)) is not None and minor == amount(modern))


def _objects(path: str, legacy: dict[str, Node], modern: dict[str, Node]) -> Iterator[Difference]:
    for name in STATUS_NAMES & legacy.keys() & modern.keys():
        # An answer of another kind differs in everything: to name the kind is enough.
        if path in ("", "body") and not _equal(legacy[name], modern[name]):
            yield from _nodes(_join(path, name), legacy[name], modern[name])
            return
    for name, value in legacy.items():
        where = _join(path, name)
        if name in modern:
            yield from _nodes(where, value, modern[name])
        else:
            yield Difference(where, _absent(path, value), shown(value), None)
    for name in modern.keys() - legacy.keys():
        added = Kind.HEADER if path == "headers" else Kind.NULL_ABSENT if modern[name] is None else Kind.OTHER
        yield Difference(_join(path, name), added, None, shown(modern[name]))


def _absent(path: str, value: Node) -> Kind:
    if path == "headers":
        return Kind.HEADER
    return Kind.NULL_ABSENT if value is None else Kind.FIELD_LOST


def _lists(path: str, legacy: list[Node], modern: list[Node]) -> Iterator[Difference]:
    ours, theirs = _keys(legacy), _keys(modern)
    if ours == theirs or ours is None or theirs is None or not set(ours) & set(theirs):
        yield from _by_place(path, legacy, modern)
        return
    if set(ours) == set(theirs):
        yield Difference(path, _disorder(path, modern), shown(", ".join(ours)), shown(", ".join(theirs)))
    else:
        yield from _members(path, ours, theirs)
    found = dict(zip(theirs, modern, strict=True))
    for key, value in zip(ours, legacy, strict=True):
        if key in found:
            yield from _nodes(f"{path}[{key}]", value, found[key])


def _members(path: str, ours: Sequence[str], theirs: Sequence[str]) -> Iterator[Difference]:
    if path in PAGED and _windows(ours, theirs):
        yield Difference(path, Kind.PAGING, shown(", ".join(ours)), shown(", ".join(theirs)))
        return
    for key in ours:
        if key not in theirs:
            yield Difference(f"{path}[{key}]", Kind.FIELD_LOST, key, None)
    for key in theirs:
        if key not in ours:
            yield Difference(f"{path}[{key}]", Kind.OTHER, None, key)


def _by_place(path: str, legacy: list[Node], modern: list[Node]) -> Iterator[Difference]:
    """Elements that have no names, or none in common."""
    ours, theirs = [_canonical(each) for each in legacy], [_canonical(each) for each in modern]
    if ours != theirs and Counter(ours) == Counter(theirs):
        yield Difference(path, _disorder(path, modern), shown(", ".join(ours)), shown(", ".join(theirs)))
    elif len(ours) == len(theirs):
        for place, (a, b) in enumerate(zip(legacy, modern, strict=True)):
            key = _key(a)
            yield from _nodes(f"{path}[{place if key is None else key}]", a, b)
    elif path in PAGED and _windows(ours, theirs):
        yield Difference(path, Kind.PAGING, shown(", ".join(ours)), shown(", ".join(theirs)))
    else:
        lost, added = Counter(ours) - Counter(theirs), Counter(theirs) - Counter(ours)
        kind = Kind.FIELD_LOST if lost else Kind.OTHER
        yield Difference(path, kind, shown(", ".join(lost)), shown(", ".join(added)))


def _windows(ours: Sequence[str], theirs: Sequence[str]) -> bool:
    """Whether both are cut from one list, at different places: one ends earlier, begins later, or both."""
    shared = [key for key in ours if key in set(theirs)]
    if not shared:
        return bool(ours) != bool(theirs)
    return _contiguous(shared, ours) and _contiguous(shared, theirs) and not _both_sides(shared, ours, theirs)


def _contiguous(part: Sequence[str], whole: Sequence[str]) -> bool:
    start = whole.index(part[0])
    return list(whole[start : start + len(part)]) == list(part)


def _both_sides(shared: Sequence[str], ours: Sequence[str], theirs: Sequence[str]) -> bool:
    """Whether both have something else at the same end: then it is not the same list."""
    before = ours[0] != shared[0] and theirs[0] != shared[0]
    after = ours[-1] != shared[-1] and theirs[-1] != shared[-1]
    return before or after


def _disorder(path: str, modern: Sequence[Node]) -> Kind:
    """Sorted by something else, or not at all? Of two it cannot be told: a sorted list is then called missorted."""
    if path not in SORTED:
        return Kind.LIST_ORDER
    return Kind.SORT if any(_monotone(column) for column in _columns(modern)) else Kind.LIST_ORDER


def _columns(elements: Sequence[Node]) -> Iterator[list[Node]]:
    rows = [each for each in elements if isinstance(each, dict)]
    if len(rows) == len(elements) and rows:
        for name in rows[0]:
            yield [row.get(name) for row in rows]


def _monotone(column: list[Node]) -> bool:
    # A column of few values, as "in stock", is in order by chance.
    if len({_canonical(each) for each in column}) * 4 < len(column) * 3:
        return False
    keys = [_rank(each) for each in column]
    return keys in (sorted(keys), sorted(keys, reverse=True))


def _rank(value: Node) -> tuple[float, str]:
    try:
        return float(str(value)), ""
    except ValueError:
        return 0.0, str(value).casefold()


def _keys(elements: Iterable[Node]) -> list[str] | None:
    """What the elements are called, if each has a name and no two the same."""
    keys = [_key(each) for each in elements]
    named = [key for key in keys if key is not None]
    return named if len(named) == len(keys) == len(set(named)) else None


def _key(element: Node) -> str | None:
    key = element.get("id") if isinstance(element, dict) else None
    return str(key) if isinstance(key, int | str) else None


def _canonical(node: Node) -> str:
    return node if isinstance(node, str) else json.dumps(node, sort_keys=True, ensure_ascii=False)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
