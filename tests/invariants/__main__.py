"""Checks that the books balance: `python -m tests.invariants [--home .banyan] [--json FILE] [--wait 30]`.

Exit code 0, 1 when an invariant is violated, 2 when a database or NATS cannot be reached.
"""

import argparse
import asyncio
import os
import sys
from pathlib import Path

import orjson
from rich.console import Console
from rich.table import Table

from deploy.local.place import Place
from tests.invariants.access import Access, Unreachable, read_secret
from tests.invariants.snapshot import settle, take
from tests.invariants.table import EXAMPLES, Finding, examine


def main() -> int:
    """Entry point of the command."""
    arguments = _arguments()
    console = Console(highlight=False, soft_wrap=True)
    try:
        findings = asyncio.run(_check(_access(arguments), arguments.wait, console))
    except Unreachable as error:
        sys.stderr.write(f"invariants: {error}\n")
        return 2
    except KeyboardInterrupt:
        return 130
    _show(findings, console)
    if arguments.json is not None:
        arguments.json.write_bytes(orjson.dumps(findings, option=orjson.OPT_INDENT_2))
    return int(any(finding.violations for finding in findings))


async def _check(access: Access, wait: float, console: Console) -> list[Finding]:
    with console.status("waiting for work under way to end") as status:
        left = await settle(access, wait, lambda work: status.update(f"under way: {work}"))
    if left:
        console.print(f"still under way after {wait:g} s: {left}", style="yellow", markup=False)
    return examine(await take(access))


def _show(findings: list[Finding], console: Console) -> None:
    table = Table("invariant", box=None, pad_edge=False)
    table.add_column("rows checked", justify="right")
    table.add_column("violations", justify="right")
    for finding in findings:
        count = len(finding.violations)
        row = (str(finding.checked), str(count)) if finding.applicable else ("–", "not applicable")
        style = "bold red" if count else None if finding.applicable else "dim"
        table.add_row(finding.invariant, *row, style=style)
    console.print(table)
    for finding in findings:
        if finding.violations:
            console.print(f"\n{finding.invariant}", style="bold red", markup=False)
            for example in finding.violations[:EXAMPLES]:
                console.print(f"  {example}", markup=False)
            if len(finding.violations) > EXAMPLES:
                console.print(f"  … and {len(finding.violations) - EXAMPLES} more", style="dim", markup=False)
    total = sum(len(finding.violations) for finding in findings)
    applicable = sum(finding.applicable for finding in findings)
    console.print(f"\n{applicable} invariants, {total} violations", style="bold red" if total else "bold green")
    if applicable < len(findings):
        console.print(
            f"{len(findings) - applicable} not applicable: there is no old shop here, or not all of it copied"
        )


def _access(arguments: argparse.Namespace) -> Access:
    """Addresses from the options, else from the environment, else those of the local run."""
    place = Place.current()
    if arguments.home is not None:
        os.environ["BANYAN_HOME"] = str(arguments.home)
        place = Place.current()
    secrets = arguments.secrets or place.secrets / "auditor"
    return Access(
        postgres=arguments.postgres or place.auditor_url("{database}"),
        postgres_password=read_secret(secrets, "database_password"),
        nats=arguments.nats or place.ports.url("nats", "nats"),
        nats_user=arguments.nats_user,
        nats_password=read_secret(secrets, "nats_password"),
        namespace=arguments.namespace,
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.invariants", description=__doc__)
    environment = os.environ.get
    parser.add_argument("--home", type=Path, help="folder of a local run (BANYAN_HOME, else .banyan)")
    parser.add_argument("--json", type=Path, help="write the findings to this file as well")
    parser.add_argument("--wait", type=float, default=30.0, help="seconds for work under way to end (30)")
    other = parser.add_argument_group("another way of running", "each also by the environment variable in brackets")
    other.add_argument(
        "--postgres",
        default=environment("AUDITOR_POSTGRES"),
        help="postgresql://role@host:port/db, where {database} stands for a service's name [AUDITOR_POSTGRES]",
    )
    other.add_argument("--nats", default=environment("AUDITOR_NATS"), help="nats://host:port [AUDITOR_NATS]")
    other.add_argument("--nats-user", default=environment("AUDITOR_NATS_USER", "auditor"), help="[AUDITOR_NATS_USER]")
    secrets = environment("AUDITOR_SECRETS")
    other.add_argument(
        "--secrets",
        type=Path,
        default=Path(secrets) if secrets else None,
        help="folder with the files database_password and nats_password [AUDITOR_SECRETS]",
    )
    other.add_argument("--namespace", default=environment("AUDITOR_NAMESPACE", "shop"), help="[AUDITOR_NAMESPACE]")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
