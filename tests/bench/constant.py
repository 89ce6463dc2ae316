"""The yardstick of the catalog benchmark: a bare FastAPI route that answers a constant of a book's shape."""

import argparse

import uvicorn
from fastapi import FastAPI

from tests.bench.gateway.upstream import SMALL_PATH

BOOK = {
    "isbn": SMALL_PATH.rsplit("/", 1)[1],
    "title": "The Praise of Folly",
    "price": {"amount": 2499, "currency": "EUR"},
    "version": 1,
    "author": "Desiderius Erasmus",
    "year": 1511,
}

app = FastAPI()


@app.get("/api/catalog/books/{isbn}")
async def read(isbn: str) -> dict[str, object]:
    """The same answer for every ISBN."""
    return BOOK


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    port = parser.parse_args().port
    uvicorn.run(app, port=port, http="httptools", loop="uvloop", access_log=False, log_level="warning")


if __name__ == "__main__":
    main()
