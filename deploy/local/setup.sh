#!/bin/sh
# Makes the environment in .venv from the lock. Needs a Python of at least 3.11, and uv or the module venv.
# PYTHON names the interpreter; without it the newest usable one of the usual names is taken.
set -eu

UV_VERSION=0.13.9
UV_HOME=.banyan/uv
MINIMUM="3.11"

fail() {
    printf '✗ %s\n' "$1" >&2
    exit 1
}

usable() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        command -v "$PYTHON" >/dev/null 2>&1 || fail "PYTHON=$PYTHON is no program that can be found"
        usable "$PYTHON" || fail "PYTHON=$PYTHON is $("$PYTHON" --version 2>&1); Banyan needs Python $MINIMUM or newer"
        return
    fi
    for PYTHON in python3 python3.14 python3.13 python3.12 python3.11; do
        if usable "$PYTHON"; then return; fi
    done
    found=$(python3 --version 2>&1) || found="none"
    fail "Banyan needs Python $MINIMUM or newer; python3 here: $found. Install one, or name it: make up PYTHON=/path/to/python3.12"
}

# The lock needs a uv that can read it: one that is older than ours is left alone.
recent() {
    "$1" --version 2>/dev/null | "$PYTHON" -c '
import re, sys
have, want = (tuple(map(int, re.findall(r"\d+", text)[:3])) for text in (sys.stdin.read(), sys.argv[1]))
sys.exit(have < want)' "$UV_VERSION"
}

find_uv() {
    for UV in uv "$UV_HOME/bin/uv"; do
        if command -v "$UV" >/dev/null 2>&1 && recent "$UV"; then return; fi
    done
    echo "uv $UV_VERSION is not here yet: installing it into $UV_HOME"
    rm -rf "$UV_HOME"
    "$PYTHON" -m venv "$UV_HOME" >/dev/null 2>&1 ||
        fail "$PYTHON cannot make an environment: its module venv is missing (Debian, Ubuntu: apt install python3-venv)"
    "$UV_HOME/bin/python" -m pip install --quiet --disable-pip-version-check "uv==$UV_VERSION" ||
        fail "uv could not be installed; is there a network? Another way: install uv and run this again"
    UV="$UV_HOME/bin/uv"
}

find_python
find_uv
# An environment that is active in the caller's shell is none of our business.
unset VIRTUAL_ENV UV_PROJECT_ENVIRONMENT
case "$(cat .venv/.banyan-synced 2>/dev/null || true)" in
    "" | "$PWD") ;;
    *) echo "this folder has moved: making its environment anew" && rm -rf .venv ;;
esac
echo "making the environment in .venv from uv.lock"
quiet=--quiet
if [ -t 2 ]; then quiet=; fi
# shellcheck disable=SC2086 (empty means no argument)
"$UV" sync --frozen $quiet --python "$PYTHON" || fail "the environment could not be made (uv sync --frozen)"
