"""One replica of an upstream, served as every service is: `python replica.py`. Says what it carried out, once each."""

import sys

from fastapi import FastAPI, Request

from chassis.lifecycle import Lifecycle, serve
from chassis.service import CloseWhileDraining
from chassis.settings import ServiceSettings, load


class Settings(ServiceSettings):
    """Nothing beyond what every process has."""

    service_name: str = "replica"


def create(settings: Settings) -> tuple[FastAPI, Lifecycle]:
    lifecycle = Lifecycle([])
    app = FastAPI(lifespan=lifecycle.lifespan)
    app.add_middleware(CloseWhileDraining, lifecycle=lifecycle)

    async def carry_out(request: Request) -> dict[str, str]:
        done = (await request.body()).decode()
        sys.stderr.write(f"{done}\n")
        return {"done": done, "by": settings.host}

    app.add_api_route("/api/open", carry_out, methods=["POST"])
    return app, lifecycle


if __name__ == "__main__":
    settings = load(Settings)
    serve(lambda: create(settings), settings)
