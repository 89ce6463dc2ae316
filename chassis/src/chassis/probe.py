"""Health check for an image without a shell: `python -m chassis.probe [PATH]`, by default /readyz.

Asks the process that listens on $PORT (8080) of 127.0.0.1. Exit 0 when it answers 200 within two seconds, else exit 1
and one line that says why.
"""

# It runs every few seconds in every container. `http.client` or `chassis.settings` would cost more than all the rest.
import os
import socket
import sys
import time

HOST = "127.0.0.1"  # also where HOST is 0.0.0.0; a probe from outside would be the balancer's
PORT, PATH = "8080", "/readyz"
SECONDS = 2.0
LONGEST = 64 * 1024


def main(arguments: list[str]) -> int:
    """The exit status."""
    if {"-h", "--help"} & set(arguments):
        sys.stdout.write(__doc__ or "")
        return 0
    if len(arguments) > 1:
        sys.stderr.write("usage: python -m chassis.probe [PATH]\n")
        return 2
    port = os.environ.get("PORT") or PORT
    wrong = problem(int(port), arguments[0] if arguments else PATH) if _is_port(port) else f"PORT is {port!r}"
    if wrong is not None:
        sys.stderr.write(" ".join(wrong.split()) + "\n")
    return 0 if wrong is None else 1


def _is_port(text: str) -> bool:
    # "²" is a digit, and no number.
    return text.isascii() and text.isdecimal() and len(text) <= 5 and int(text) < 65_536


def problem(port: int, path: str) -> str | None:
    """What is wrong, or None."""
    try:
        answer = _get(port, path)
    except OSError as error:
        return f"{HOST}:{port} does not answer: {error.strerror or error}"
    head, _, body = answer.partition(b"\r\n\r\n")
    if head.startswith((b"HTTP/1.1 200 ", b"HTTP/1.0 200 ")):
        return None
    return _told(body) or f"{path} answers {head.splitlines()[0].decode('latin-1') if head else 'nothing'}"


def _get(port: int, path: str) -> bytes:
    deadline = time.monotonic() + SECONDS
    answer = b""
    with socket.create_connection((HOST, port), SECONDS) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {HOST}:{port}\r\nConnection: close\r\n\r\n".encode())
        while len(answer) < LONGEST:
            # Of the whole exchange: the socket's own limit begins anew with each piece.
            connection.settimeout(max(deadline - time.monotonic(), 0.001))
            piece = connection.recv(LONGEST)
            if not piece:
                break
            answer += piece
    return answer


def _told(body: bytes) -> str:
    import json

    try:
        return "; ".join(map(str, json.loads(body)["problems"]))
    except (ValueError, TypeError, KeyError):
        return ""


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
