"""What the facade tells of itself to Prometheus."""

from prometheus_client import Counter, Gauge, Histogram

from facade.domain import PATHS, Capability, Side, Standing

REQUESTS = Counter("facade_requests_total", "Answers to customers, by who made them", ["capability", "side"])
FAILURES = Counter("facade_failures_total", "Customers' requests that a side could not answer", ["capability", "side"])
PARKED = Histogram(
    "facade_parked_seconds",
    "How long writes were held",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 1.5, 2, 3),
)
STAGE = Gauge("facade_stage", "1 for the stage at which a capability stands", ["capability", "stage"])
PERCENT = Gauge("facade_canary_percent", "Customers that the new side answers in canary", ["capability"])
GENERATION = Gauge("facade_generation", "Changes of a capability's standing", ["capability"])

# Made at once: a rate needs the zero before the first.
for _capability in Capability:
    for _side in Side:
        REQUESTS.labels(_capability.value, _side.value)
        FAILURES.labels(_capability.value, _side.value)


def seen(standing: Standing) -> None:
    """This replica goes by another standing from now on."""
    name = standing.capability.value
    for stage in PATHS[standing.capability]:
        STAGE.labels(name, stage.value).set(stage is standing.stage)
    PERCENT.labels(name).set(standing.percent)
    GENERATION.labels(name).set(standing.generation)
