"""Writes the dashboards and the rules of the objectives from tables: `.venv/bin/python -m deploy.observability`."""

import json
from pathlib import Path

from deploy.observability import objectives
from deploy.observability.dashboards.calls import BREAKERS, GATEWAY
from deploy.observability.dashboards.checkouts import JETSTREAM, MESSAGES, SAGA
from deploy.observability.dashboards.databases import POSTGRES
from deploy.observability.dashboards.panels import Dashboard

BOARDS = (GATEWAY, BREAKERS, SAGA, MESSAGES, JETSTREAM, POSTGRES)
FOLDER = Path(__file__).parent
DASHBOARDS = FOLDER / "grafana" / "dashboards"
OBJECTIVES = FOLDER / "prometheus" / "objectives.yml"


def files() -> dict[Path, str]:
    """The text of each file."""
    return {DASHBOARDS / f"{board.uid}.json": _text(board) for board in BOARDS} | {OBJECTIVES: objectives.rules()}


def _text(board: Dashboard) -> str:
    return json.dumps(board.draw(), indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    DASHBOARDS.mkdir(parents=True, exist_ok=True)
    for file, text in files().items():
        file.write_text(text)


if __name__ == "__main__":
    main()
