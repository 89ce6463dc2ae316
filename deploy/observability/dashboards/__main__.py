"""Writes the dashboards: `python -m deploy.observability.dashboards`, after a change of a table."""

import json
from pathlib import Path

from deploy.observability.dashboards.calls import BREAKERS, GATEWAY
from deploy.observability.dashboards.checkouts import JETSTREAM, MESSAGES, SAGA
from deploy.observability.dashboards.databases import POSTGRES
from deploy.observability.dashboards.panels import Dashboard

BOARDS = (GATEWAY, BREAKERS, SAGA, MESSAGES, JETSTREAM, POSTGRES)
FOLDER = Path(__file__).parent.parent / "grafana" / "dashboards"


def files() -> dict[str, str]:
    """The text of each file by its name."""
    return {f"{board.uid}.json": _text(board) for board in BOARDS}


def _text(board: Dashboard) -> str:
    return json.dumps(board.draw(), indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in files().items():
        (FOLDER / name).write_text(text)


if __name__ == "__main__":
    main()
