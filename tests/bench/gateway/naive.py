"""The proxy that one writes first: FastAPI in, httpx out, nothing checked. `python -m tests.bench.gateway.naive`."""

import argparse

import httpx
import uvicorn
from fastapi import FastAPI, Request, Response


def create_app(upstream: str) -> FastAPI:
    """The application; it forwards everything to `upstream`."""
    app = FastAPI()
    client = httpx.AsyncClient(base_url=upstream)

    @app.api_route("/{path:path}", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
    async def forward(path: str, request: Request) -> Response:
        headers = {name: value for name, value in request.headers.items() if name != "host"}
        answer = await client.request(request.method, f"/{path}", headers=headers, content=await request.body())
        return Response(answer.content, answer.status_code, media_type=answer.headers.get("content-type"))

    return app


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--upstream", required=True)
    arguments = parser.parse_args()
    uvicorn.run(create_app(arguments.upstream), port=arguments.port, log_level="error", access_log=False)


if __name__ == "__main__":
    main()
