"""Phrases of PromQL that many panels use. Grafana fills in `$__rate_interval`, four scrapes at least."""


def rate(selector: str, by: str) -> str:
    """Per second, summed by labels."""
    return f"sum by ({by}) (rate({selector}[$__rate_interval]))"


def quantile(share_of_all: float, buckets: str, by: str = "") -> str:
    """The value that this share stays below."""
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({share_of_all}, sum by ({labels}) (rate({buckets}[$__rate_interval])))"


def share(part: str, whole: str) -> str:
    """Of the whole; 0 where the part never happened and so has no series yet."""
    return f"(sum(rate({part}[$__rate_interval])) or vector(0)) / sum(rate({whole}[$__rate_interval]))"
