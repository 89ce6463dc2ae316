"""One line a request, in the form that every log reader of 2009 knows, with the time it took at the end."""

import sys
from datetime import datetime, timedelta

from flask import Request, Response


def write_line(request: Request, response: Response, took: timedelta) -> None:
    """To standard error. The target is as it was sent, so encoded: nobody can write a second line with it."""
    at = datetime.now().astimezone()
    line = (
        f'{request.remote_addr or "-"} - - [{at:%d/%b/%Y:%H:%M:%S %z}] "{request.method} {_target(request)} '
        f'{request.environ.get("SERVER_PROTOCOL", "-")}" {response.status_code} {response.content_length or 0} '
        f"{took / timedelta(milliseconds=1):.1f}ms\n"
    )
    sys.stderr.write(line)


def _target(request: Request) -> str:
    sent = str(request.environ.get("REQUEST_URI", request.path))
    return "".join(each if each.isascii() and each.isprintable() and each not in ' "' else "?" for each in sent)
