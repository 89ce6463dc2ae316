"""A shared key is rotated under two services that run, without a call that is refused."""

from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from chassis.http_client import HttpClient
from chassis.settings import MountedSecrets
from chassis.shared_key import SharedKey
from tests.servers.mounted import Mounted


class Sharing(MountedSecrets):
    """Settings of either service."""

    api_key: SecretStr


def _mounted(folder: Path, key: str) -> tuple[Mounted, SharedKey]:
    mounted = Mounted(folder, {"api_key": key})
    return mounted, SharedKey.mounted(Sharing(api_key=SecretStr(key), secrets_dir=mounted.path), "api_key")


async def test_a_key_is_rotated_without_a_call_that_is_refused(tmp_path: Path) -> None:
    asking, shown = _mounted(tmp_path / "asking", "of-yesterday")
    asked, known = _mounted(tmp_path / "asked", "of-yesterday")

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200 if known.is_shown_by(request.headers["Authorization"].split()[1]) else 401)

    client = HttpClient(
        "asked", "http://asked", timeout=1, headers=shown.headers, transport=httpx.MockTransport(answer)
    )
    await client.start()
    assert (await client.request("GET", "/")).status_code == 200
    asked.replace({"api_key": "of-yesterday\nof-today\n"})
    assert (await client.request("GET", "/")).status_code == 200
    asking.replace({"api_key": "of-today\n"})
    assert (await client.request("GET", "/")).status_code == 200
    asked.replace({"api_key": "of-today\n"})
    assert (await client.request("GET", "/")).status_code == 200
    await client.stop()
    assert not known.is_shown_by("of-yesterday"), "what was taken out is no key any more"


@pytest.mark.parametrize("sent", ["", "a", "ab\ncd", "ä"])
def test_what_is_no_line_of_the_file_is_no_key(sent: str) -> None:
    assert not SharedKey(lambda: "ab\n\ncd\n").is_shown_by(sent)
