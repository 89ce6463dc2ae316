"""The command: its table, its exit codes, and its one line when there is nothing to check."""

import asyncio
import json
import sys
from pathlib import Path

from deploy.local.place import ROOT
from tests.invariants.access import Access
from tests.invariants.table import INVARIANTS, OVER_BOTH_SHOPS
from tests.invariants.tiny_shop import TinyShop


async def _run(access: Access, folder: Path, *more: str) -> tuple[int, str, str]:
    (folder / "database_password").write_text(access.postgres_password)
    (folder / "nats_password").write_text(access.nats_password)
    options = {
        "--postgres": access.postgres,
        "--nats": access.nats,
        "--nats-user": access.nats_user,
        "--namespace": access.namespace,
        "--secrets": str(folder),
        "--wait": "0",
    }
    arguments = [part for option in options.items() for part in option]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.invariants", *arguments, *more, cwd=ROOT, stdout=-1, stderr=-1
    )
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


async def test_balanced_books_give_a_table_of_zeros_and_exit_code_0(shop: TinyShop, tmp_path: Path) -> None:
    code, out, _ = await _run(shop.access, tmp_path)
    assert code == 0
    assert all(invariant in out for invariant, _ in INVARIANTS)
    assert f"{len(INVARIANTS)} invariants, 0 violations" in out


async def test_what_needs_an_old_shop_is_called_not_applicable_where_there_is_none(
    shop: TinyShop, tmp_path: Path
) -> None:
    _, out, _ = await _run(shop.access, tmp_path, "--json", str(tmp_path / "findings.json"))
    lines = [line for line in out.splitlines() if line.endswith("not applicable")]
    assert len(lines) == len(OVER_BOTH_SHOPS)
    assert f"{len(OVER_BOTH_SHOPS)} not applicable: there is no old shop here" in out
    findings = json.loads((tmp_path / "findings.json").read_text())
    assert [f["invariant"] for f in findings if not f["applicable"]] == [name for name, _ in OVER_BOTH_SHOPS]


async def test_over_both_shops_all_are_checked(both: TinyShop, tmp_path: Path) -> None:
    code, out, _ = await _run(both.access, tmp_path)
    assert code == 0
    assert f"{len(INVARIANTS) + len(OVER_BOTH_SHOPS)} invariants, 0 violations" in out
    assert "not applicable" not in out


async def test_a_violation_is_shown_with_an_example_and_gives_exit_code_1(shop: TinyShop, tmp_path: Path) -> None:
    await shop.execute("inventory", "UPDATE stock SET reserved = 3 WHERE isbn = '{utopia}'")
    code, out, _ = await _run(shop.access, tmp_path, "--json", str(tmp_path / "findings.json"))
    assert code == 1
    assert "9799001000027: 3 reserved, 0 held" in out
    findings = json.loads((tmp_path / "findings.json").read_text())
    assert [f["invariant"] for f in findings if f["violations"]] == ["stock reserved = lines held"]


async def test_an_order_under_way_is_waited_for_and_then_named(shop: TinyShop, tmp_path: Path) -> None:
    await shop.execute("orders", "UPDATE saga SET direction = 'forward' WHERE order_id = '{confirmed}'")
    code, out, _ = await _run(shop.access, tmp_path)
    assert code == 1
    assert "still under way after 0 s: 1 sagas" in out


async def test_servers_that_do_not_answer_give_one_line_and_exit_code_2(shop: TinyShop, tmp_path: Path) -> None:
    postgres, nats = "postgresql://auditor@127.0.0.1:1/{database}", "nats://127.0.0.1:1"
    nowhere = (Access(postgres, "p", nats, "n", "p"), Access(shop.access.postgres, "wrong", nats, "n", "p"))
    for access in nowhere:
        code, out, err = await _run(access, tmp_path)
        assert (code, out.strip()) == (2, "")
        assert len(err.splitlines()) == 1
        assert err.startswith("invariants: no access to postgresql://")


async def test_without_a_bus_there_is_one_line_too(shop: TinyShop, tmp_path: Path) -> None:
    access = Access(shop.access.postgres, shop.access.postgres_password, "nats://127.0.0.1:1", "n", "p")
    code, _, err = await _run(access, tmp_path)
    assert code == 2
    assert err.startswith("invariants: no access to nats://127.0.0.1:1")
    assert len(err.splitlines()) == 1
