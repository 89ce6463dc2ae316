"""The Docker engine: does one answer, and has it got the images."""

from collections.abc import Callable
from urllib.parse import urlsplit

from docker.errors import DockerException, ImageNotFound
from testcontainers.core.config import testcontainers_config
from testcontainers.core.docker_client import DockerClient, get_docker_host

from deploy.local.servers import LOOPBACK
from tests.servers.choice import NoContainersError
from tests.servers.images import Images

ANSWER_SECONDS = 1


def obtain(images: Images, say: Callable[[str], None]) -> None:
    """Have all `images` on the engine of this machine, and `say` what is being fetched; else NoContainersError.

    Ryuk's too, where it is on: Testcontainers would fetch it within the first test.
    """
    _ping()
    client, prefix = DockerClient(), testcontainers_config.hub_image_name_prefix
    ryuk = () if testcontainers_config.ryuk_disabled else (testcontainers_config.ryuk_image,)
    for image in (*(prefix + image for image in images), *ryuk):
        try:
            _fetch(client, image, say)
        except (DockerException, OSError) as failure:
            raise NoContainersError(f"{image.partition('@')[0]} cannot be had: {_one_line(failure)}") from failure


def _ping() -> None:
    host = get_docker_host()
    # The ports are published on the loopback interface, of the machine that the engine runs on.
    if not _is_near(host):
        raise NoContainersError(f"the Docker engine {host} is on another machine")
    try:
        DockerClient(timeout=ANSWER_SECONDS).client.ping()
    except (DockerException, OSError) as failure:
        raise NoContainersError(f"no Docker engine answers{f' at {host}' if host else ''}") from failure


def _is_near(host: str | None) -> bool:
    if host is None:
        return True
    place = urlsplit(host)
    return place.scheme in ("unix", "npipe") or place.hostname in (LOOPBACK, "localhost", "::1")


def _fetch(client: DockerClient, image: str, say: Callable[[str], None]) -> None:
    try:
        client.client.images.get(image)
    except ImageNotFound:
        say(f"fetching {image.partition('@')[0]}")
        client.client.images.pull(image)


def _one_line(failure: Exception) -> str:
    return " ".join(str(getattr(failure, "explanation", None) or failure).split())
