"""Switches faults of a service on and off: `docker compose run --rm faults orders --delay 500 --probability 0.3`.

They exist where the shop was started with FAULTS=on. Without a fault it tells which are on. Of replicas it reaches one.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import httpx

TOKENS = Path("/run/secrets")
SECONDS = 5.0
OFF = "faults are off: FAULTS=on docker compose up --detach"


def main() -> int:
    """Entry point of the command; exit code 1 when the service does not answer or refuses."""
    arguments = _parser().parse_args()
    token = TOKENS / arguments.service
    if not token.exists():
        known = sorted(file.name for file in TOKENS.iterdir())
        return _refuse(f"no faults in {arguments.service}: {', '.join(known)} have them" if known else OFF)
    headers = {"Authorization": f"Bearer {token.read_text()}"}
    fault = {} if arguments.off else _fault(arguments)
    method = "DELETE" if arguments.off else "PUT" if fault else "GET"
    try:
        with httpx.Client(timeout=SECONDS, headers=headers) as client:
            answer = client.request(method, f"http://{arguments.service}:8080/faults", json=[fault] if fault else None)
    except httpx.TransportError as error:
        return _refuse(f"{arguments.service} does not answer: {error!r}")
    if answer.is_error:
        return _refuse(f"{arguments.service} refuses: {answer.text}")
    print(answer.text or f"no fault is on in {arguments.service}")
    return 0


def _fault(arguments: argparse.Namespace) -> dict[str, Any]:
    """What was asked for, as `PUT /faults` takes it; empty if nothing was."""
    what = {"delay_ms": arguments.delay, "error": arguments.error, "drop": arguments.drop or None}
    chosen = {name: value for name, value in what.items() if value is not None}
    return {**chosen, "prefix": arguments.prefix, "probability": arguments.probability} if chosen else {}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="docker compose run --rm faults", description=__doc__)
    parser.add_argument("service", help="identity, catalog, inventory, orders, payments, psp, bridge or facade")
    parser.add_argument("--delay", type=int, metavar="MS", help="milliseconds before the work")
    parser.add_argument("--error", type=int, metavar="STATUS", help="answer this status, 500 to 599, without the work")
    parser.add_argument("--drop", action="store_true", help="do the work and lose the answer")
    parser.add_argument("--probability", type=float, default=1.0, metavar="P", help="share of the requests (1.0)")
    parser.add_argument("--prefix", default="/", help="of the paths (/)")
    parser.add_argument("--off", action="store_true", help="switch all of them off")
    return parser


def _refuse(message: str) -> int:
    sys.stderr.write(f"faults: {message}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
