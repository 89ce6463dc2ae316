"""Every rule holds for every overlay that it is for, and notices the one thing that is broken for it."""

import re
from collections import Counter
from pathlib import Path

import pytest

from tests.deploy.conftest import Render
from tests.deploy.left_out import LEFT_OUT
from tests.deploy.rules import RULES, Rule

FOLDER = Path(__file__).parent
TOOLS = {"polaris", "kube-score", "kubescape", "banyan"}


HELD = [pytest.param(rule, overlay, id=f"{rule.title}-{overlay}") for rule in RULES for overlay in rule.overlays]


@pytest.mark.parametrize(("rule", "overlay"), HELD)
def test_a_rule_holds(rule: Rule, overlay: str, rendered: Render) -> None:
    assert sorted(rule.findings(rendered(overlay))) == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.title)
def test_a_rule_notices_when_it_is_broken(rule: Rule, rendered: Render) -> None:
    whole = rendered(rule.overlays[-1])
    broken = whole.copy()
    assert rule.breaks is not None, "nobody knows whether it would notice anything"
    rule.breaks(broken)
    assert broken.objects != whole.objects
    assert rule.findings(broken) - rule.findings(whole) != set()


def test_each_rule_of_a_tool_is_asked_once_or_left_out_for_a_reason() -> None:
    named = Counter(name for rule in RULES for name in rule.names if name != "banyan")
    assert [name for name, times in named.items() if times > 1] == []
    assert {name.split(": ")[0] for name in named} | {"banyan"} == TOOLS
    assert named.keys() & LEFT_OUT.keys() == set()


def test_no_two_rules_have_one_name() -> None:
    assert len({rule.title for rule in RULES}) == len(RULES)


def test_a_reason_to_leave_a_rule_out_names_rules_that_there_are() -> None:
    titles, texts = {rule.title for rule in RULES}, " ".join(LEFT_OUT.values())
    named = set(re.findall(r"[a-z]+(?:_[a-z]+){3,}", texts))
    assert named - titles == set()
    assert all((FOLDER / file).is_file() for file in re.findall(r"rules/\w+\.py", texts))
