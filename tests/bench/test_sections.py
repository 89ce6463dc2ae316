"""Two commands write one page."""

from tests.bench import sections

PAGE = "# Benchmarks\n\nfigures\n\n## The gateway\n\nfast\n\n## Images\n\nsmall\n"


def test_a_new_page_keeps_the_sections_that_others_wrote() -> None:
    new = "# Benchmarks\n\nnewer figures\n\n## The gateway\n\nfaster\n"
    assert sections.merge(PAGE, new) == new + "\n## Images\n\nsmall\n"


def test_a_section_takes_the_place_of_its_predecessor() -> None:
    assert sections.put(PAGE, "## The gateway\n\nslow\n") == PAGE.replace("fast", "slow")


def test_a_section_that_is_new_comes_last() -> None:
    assert sections.put(PAGE, "## Rollouts\n\ncalm\n") == PAGE + "\n## Rollouts\n\ncalm\n"


def test_an_absent_page_becomes_one() -> None:
    assert sections.put("", "## Images\n\nsmall\n").endswith("## Images\n\nsmall\n")
