"""The commands of the local run; `make` calls them by their names."""

import argparse
import sys
from collections.abc import Callable

from deploy.local import commands, migration
from deploy.local.place import Place, Ports
from deploy.local.screen import RunError, Screen
from deploy.local.servers import ServerFailedError

Command = Callable[[argparse.Namespace, Place, Screen], int | None]


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 when all went well, 1 with a message when it did not, 130 when interrupted."""
    options = _parser().parse_args(arguments)
    run: Command = options.run
    screen = Screen()
    try:
        return run(options, Place.current(), screen) or 0
    except (RunError, ServerFailedError) as error:
        screen.say(f"✗ {error}", style="bold red")
        if advice := getattr(error, "advice", ""):
            screen.say(f"  → {advice}")
        return 1
    except PermissionError as error:
        screen.say(f"✗ {error}", style="bold red")
        screen.say("  → it belongs to another account: was Banyan started with sudo once?")
        return 1
    except KeyboardInterrupt:
        screen.say("interrupted; what has started goes on: make down stops it")
        return 130


def _up(options: argparse.Namespace, place: Place, screen: Screen) -> None:
    from deploy.local.up import (
        say_addresses,
        up,
    )  # imports half the environment, which the other commands can do without

    ports = Ports(options.port or place.ports.gateway, options.base_port or place.ports.base)
    up(place, ports, screen, faults=options.faults)
    say_addresses(Place.current(), screen)


def _trial(options: argparse.Namespace, _: Place, screen: Screen) -> int:
    from deploy.local.trial import trial

    return trial(options.orders, screen)


def _alone(run: Command) -> Command:
    def holding(options: argparse.Namespace, place: Place, screen: Screen) -> int | None:
        with place.alone():
            return run(options, place, screen)

    return holding


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.local", description=__doc__)
    chosen = parser.add_subparsers(required=True, metavar="command")

    def command(name: str, run: Command, text: str, *, service: bool = False) -> argparse.ArgumentParser:
        added = chosen.add_parser(name, help=text)
        added.set_defaults(run=run)
        if service:
            added.add_argument("service")
        return added

    up = command("up", _alone(_up), "start everything, seed it, and let a customer buy")
    up.add_argument("--port", type=int, help="of the gateway (8080, or as last time)")
    up.add_argument("--base-port", type=int, help="where the block of the others begins (8100, or as last time)")
    up.add_argument("--faults", action="store_true", help="let faults be injected (tokens: in the secrets folder)")
    command("down", _alone(lambda _, place, screen: commands.down(place, screen)), "stop everything gracefully")
    command("status", lambda _, place, screen: commands.status(place, screen), "what runs, and is it ready")
    command("clean", _alone(lambda _, place, screen: commands.clean(place, screen)), "stop, and delete what was made")
    command("restart", _alone(commands.restart), "restart one process gracefully", service=True)
    command("replay", commands.replay, "put a consumer's dead letters back on the stream", service=True)
    logs = command("logs", commands.logs, "follow the log of one process", service=True)
    logs.add_argument("--lines", type=int, default=40, help="of the past")
    run = command("run", commands.run, "Python in a service's environment", service=True)
    run.add_argument("arguments", nargs=argparse.REMAINDER)
    migration.add_arguments(
        command("migrate", migration.migrate, "move a capability from the old shop to the new side")
    )
    migration.add_target(
        command("migration", migration.migration, "where the capabilities stand, and who answers how well")
    )
    trial = command("trial", _trial, "a second run beside the first: system tests, traffic, invariants")
    trial.add_argument("--orders", type=int, default=200)
    return parser


if __name__ == "__main__":
    sys.exit(main())
