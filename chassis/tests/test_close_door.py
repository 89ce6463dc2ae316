"""A door closes without resetting anybody, and also in a process that has hardly a descriptor left."""

import asyncio
import socket
import subprocess
import sys

import pytest

from chassis import lifecycle

# Clients connect while the loop is busy with them: as many as there are descriptors can be let in.
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
@pytest.mark.parametrize("spare", [0, 1, 3, 9])
async def test_without_descriptors_the_door_closes_and_who_got_in_is_served(loop: str, spare: int) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", SHORT, loop, str(spare)), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    told, _ = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 0
    assert b"open" not in told
    assert told.count(b"hello") >= min(spare, 5), told


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system offers no way")
def test_while_a_door_closes_nobody_new_enters_the_queue_and_nobody_leaves_it() -> None:
    """Whoever did would be reset: between the last look at the queue and its end there is always a moment."""
    with socket.create_server(("127.0.0.1", 0)) as door, socket.create_connection(door.getsockname()) as early:
        lifecycle._let_nobody_queue(door.fileno())
        with pytest.raises(TimeoutError):
            socket.create_connection(door.getsockname(), timeout=0.2)
        let_in, _ = door.accept()
        with let_in:
            early.send(b"good morning")
            assert let_in.recv(100) == b"good morning"
        door.setblocking(False)
        with pytest.raises(BlockingIOError):
            door.accept()
