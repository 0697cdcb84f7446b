"""Clients of the control socket that are many, silent or hostile: supervision goes on, and who asks properly is answered."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from pathlib import Path

from .cases_restart import processes
from .crowd import make, size, wait_succeeded
from .harness import T, case
from .procs import wait_for


CLIENTS_MAX = 32                      # as in supervisor/supervisor.h
ASK_STATUS = (0x98, 1, 60, 0, 1, 1, 0, 0, 0x80)     # docs/protocol.md: envelope and an empty body


def memory_kib(pid: int, what: str = "VmRSS") -> int:
    return int(next(line.split()[1] for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith(what)))


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def connect(t: T, n: int) -> tuple[list[socket.socket], int]:
    """n connections, every other one with a packet of garbage; and how often there was no place in the queue."""
    sockets, full = [], 0
    for i in range(n):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        s.setblocking(False)
        try:
            s.connect(str(t.provider.runtime / "control.sock"))
            if i % 2:
                s.send(os.urandom(200))
        except OSError:
            full += 1
        sockets.append(s)
    return sockets, full


@case
def fork_bomb_of_clients(t: T) -> None:
    """A thousand connections to the control socket, half of them silent, the others with garbage: objects are done, a dead worker is replaced, packetctl is answered."""
    n = size("CLIENTS", 1000)
    t.start(workers=2)
    pid = t.provider.supervisor()
    before = (descriptors(pid), memory_kib(pid))
    shoots = make([t.shoot() for _ in range(5)])
    sockets, full = connect(t, n)
    worker = processes(t, "worker")[0]["pid"]
    t.provider.kill(worker)
    sockets += connect(t, n)[0]
    begun = time.monotonic()
    t.provider.packetctl("status")
    took = time.monotonic() - begun
    wait_for("another worker", lambda: all(p["state"] == "ready" and p["pid"] != worker for p in processes(t, "worker")))
    wait_succeeded(t, shoots + make([t.shoot() for _ in range(5)]))
    t.check(descriptors(pid) <= before[0] + CLIENTS_MAX, f"{descriptors(pid)} descriptors, {before[0]} before")
    print(f"      {t.name}: {len(sockets)} connections, {full} of the first {n} found the queue full; descriptors {before[0]}, then "
          f"{descriptors(pid)}; memory {before[1]} KiB, then {memory_kib(pid)}; packetctl answered in {took * 1000:.0f} ms", flush=True)
    for s in sockets:
        s.close()
    wait_for("all descriptors to be given back", lambda: descriptors(pid) <= before[0] + 1)


@case
def who_is_silent_makes_room(t: T) -> None:
    """With all places taken by clients that say nothing, the next one is heard at once; one that does not read costs nobody anything."""
    t.start(workers=1)
    silent, _ = connect(t, 2 * CLIENTS_MAX)
    t.check("ready" in t.provider.packetctl("status"), "no status")
    deaf = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    deaf.connect(str(t.provider.runtime / "control.sock"))
    deaf.setblocking(False)
    question = bytes(ASK_STATUS)
    with contextlib.suppress(OSError):
        for _ in range(5000):
            deaf.send(question)
    t.check("ready" in t.provider.packetctl("status"), "no status beside a client that does not read")
    t.barrier()
    for s in [*silent, deaf]:
        s.close()
