"""Fills the shelves and lets a first customer buy: `python -m deploy.compose.seed`.

Exit code 0 once an order was confirmed; a second run adds what is missing, and another customer buys.
"""

import asyncio
import os
import sys
from pathlib import Path

from deploy.local.programs import OPERATOR_EMAIL
from deploy.local.screen import RunError, Screen
from deploy.local.seed import read_books, seed
from deploy.local.shop import Shop
from deploy.local.walk import walk

PASSWORD = Path("/run/secrets/operator_password")


def main() -> int:
    """Entry point of the command."""
    screen = Screen()
    try:
        asyncio.run(_fill_and_walk(os.environ["BANYAN_URL"], PASSWORD.read_text().strip(), screen))
    except RunError as error:
        sys.stderr.write(f"seed: {error}\n")
        return 1
    return 0


async def _fill_and_walk(url: str, password: str, screen: Screen) -> None:
    async with Shop(url) as shop:
        with screen.step("books and stock") as step:
            await shop.login(OPERATOR_EMAIL, password)
            books = read_books()
            new = await seed(shop, books, lambda done, total: step.note("through the public API", done, total))
            step.detail = f"{len(books)} titles ({new} new)"
    await walk(url, screen)


if __name__ == "__main__":
    sys.exit(main())
