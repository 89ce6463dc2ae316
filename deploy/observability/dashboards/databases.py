"""PostgreSQL: the numbers that deploy/observability/collector/databases.yaml asks for."""

from deploy.observability.dashboards.panels import Dashboard, Panel
from deploy.observability.dashboards.promql import rate

_HIT = rate("postgres_blocks_hit_total", "database")
_READ = rate("postgres_blocks_read_total", "database")

POSTGRES = Dashboard(
    "postgres",
    "PostgreSQL",
    [
        Panel("Commits", {"{{database}}": rate("postgres_commits_total", "database")}, "ops"),
        Panel(
            "Rolled back",
            {"{{database}}": rate("postgres_rollbacks_total", "database")},
            "ops",
            "Some are business: the second of two messages, a conflict.",
        ),
        Panel("Deadlocks", {"{{database}}": "sum by (database) (increase(postgres_deadlocks_total[5m]))"}, limit=1),
        Panel(
            "Connections",
            {"{{database}} {{state}}": "sum by (database, state) (postgres_connections)"},
            why="Idle in transaction should never last.",
        ),
        Panel(
            "Connections, of the limit",
            {
                "{{database}}": "sum by (database) (postgres_connections)"
                " / max by (database) (postgres_connections_limit)"
            },
            "percentunit",
            limit=0.8,
        ),
        Panel("Longest transaction", {"{{database}}": "max by (database) (postgres_longest_transaction_seconds)"}, "s"),
        Panel("Waiting for a lock", {"{{database}}": "sum by (database) (postgres_waiting_for_locks)"}),
        Panel(
            "Found in memory",
            {"{{database}}": f"{_HIT} / ({_HIT} + {_READ})"},
            "percentunit",
            "Blocks that needed no read. Far below 99 %: the working set does not fit.",
        ),
        Panel("Size", {"{{database}}": "max by (database) (postgres_database_bytes)"}, "bytes"),
        Panel(
            "Largest tables",
            {"{{database}} {{table}}": "topk(10, max by (database, table) (postgres_table_bytes))"},
            "bytes",
            width=12,
        ),
        Panel(
            "Dead rows",
            {"{{database}} {{table}}": "topk(10, max by (database, table) (postgres_table_dead_rows))"},
            why="Left by updates and deletes until autovacuum comes. The outbox makes the most.",
            width=12,
        ),
    ],
)
