"""How a command of this folder ends: 0, 1 with one line that says what to do, 130 when it is interrupted."""

from collections.abc import Callable

from deploy.local.screen import RunError, Screen


def ended(act: Callable[[Screen], object]) -> int:
    """Run it, and give its exit code; what it raises beside `RunError` is a mistake of ours and stays one."""
    screen = Screen()
    try:
        act(screen)
    except RunError as error:
        screen.say(f"✗ {error}" + (f": {error.advice}" if error.advice else ""), style="bold red")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0
