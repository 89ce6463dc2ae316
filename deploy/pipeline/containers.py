"""The shop in containers, for what is measured of it: up, healthy, with its books."""

import os

from deploy.compose import project
from deploy.local.programs import commit
from deploy.local.screen import RunError
from deploy.pipeline.tools import Failed

# A first time builds all images.
UP_SECONDS, SEED_SECONDS = 1800.0, 120.0


def up() -> str:
    """As README.md says it, with images named by the commit. Raises `Failed`."""
    os.environ.setdefault("COMPOSE_PROJECT_NAME", "banyan")
    os.environ.setdefault("COMMIT", commit())
    try:
        project.compose("up", "--detach", "--wait", seconds=UP_SECONDS)
        seed = project.container("seed")
        # It has no health, so nothing has waited for it; a load before it would find no book.
        project.wait_until(lambda: seed.pid == 0, SEED_SECONDS, lambda: f"seed is not done: {seed.log()}")
        if seed.inspect()["State"]["ExitCode"] != 0:
            raise Failed(f"seed: {seed.log()}")
        return f"{project.project_name()} is up: {project.url()}"
    except RunError as error:
        raise Failed(str(error)) from error
