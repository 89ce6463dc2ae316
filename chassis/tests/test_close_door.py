"""The door of a process that has no descriptor left, or hardly one, closes all the same: who got in is served."""

import asyncio
import subprocess
import sys

import pytest

# Clients connect while the loop is busy with them: they are in the queue, which only `close_door` then empties.
SHORT = """
import asyncio, contextlib, os, resource, socket, sys
import uvloop
from chassis.lifecycle import close_door

class Greeting(asyncio.Protocol):
    def connection_made(self, transport):
        transport.write(b"hello")
        transport.close()

async def serve(spare):
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    listener = await asyncio.get_running_loop().create_server(Greeting, "127.0.0.1", 0)
    address = listener.sockets[0].getsockname()
    clients = [socket.create_connection(address, 5) for _ in range(5)]
    fillers = []
    with contextlib.suppress(OSError):
        while True:
            fillers.append(os.dup(0))
    for _ in range(spare):
        os.close(fillers.pop())
    await close_door(listener, Greeting)
    for each in fillers:
        os.close(each)
    with contextlib.suppress(ConnectionRefusedError):
        socket.create_connection(address, 5)
        print("the door is open")
    for client in clients:
        with contextlib.suppress(ConnectionResetError):
            print(client.recv(5).decode() or "nothing")

loops = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
with asyncio.Runner(loop_factory=loops[sys.argv[1]]) as runner:
    runner.run(serve(int(sys.argv[2])))
"""


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize(("spare", "served"), [(0, 0), (1, 1), (3, 3), (9, 5)])
async def test_without_descriptors_the_door_closes_and_who_got_in_is_served(loop: str, spare: int, served: int) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", SHORT, loop, str(spare)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    told, _ = await asyncio.wait_for(process.communicate(), 20)
    assert (told.decode().split(), process.returncode) == (["hello"] * served, 0)
