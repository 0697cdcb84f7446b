"""Network namespaces that a test makes for itself, each with one link to the host that can be cut, and a way in that can be slow.

A program started in one reaches the host's loopback servers only through a Way on the link's host side. Owns the namespaces
and removes them; touches nothing else. Used by cases_pods.py.
"""

from __future__ import annotations

import collections
import os
import select
import socket
import struct
import subprocess
import threading
import time

from .procs import Skip

BUFFER = 1 << 20        # bytes that a Way holds for one direction before it reads no more


def ip(*args: str) -> None:
    subprocess.run(["ip", *args], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


class Namespace:
    """`number` (0 to 63) tells the namespaces of one test apart, also in the address that its Ways call from."""

    def __init__(self, number: int) -> None:
        self.name = f"e2e-{os.getpid()}-{number}"
        self._device = f"e2e{os.getpid() % 100000}h{number}"
        net = f"10.{200 + os.getpid() % 50}.{os.getpid() // 50 % 250}"
        self.host, self.inside = f"{net}.{4 * number + 1}", f"{net}.{4 * number + 2}"
        self.source = f"127.0.0.{number + 2}"

    def open(self) -> "Namespace":
        peer = self._device + "p"
        try:
            ip("netns", "add", self.name)
            ip("link", "add", self._device, "type", "veth", "peer", "name", peer)
            ip("link", "set", peer, "netns", self.name)
            ip("addr", "add", f"{self.host}/30", "dev", self._device)
            ip("link", "set", self._device, "up")
            ip("-n", self.name, "link", "set", "lo", "up")
            ip("-n", self.name, "addr", "add", f"{self.inside}/30", "dev", peer)
            ip("-n", self.name, "link", "set", peer, "up")
        except (OSError, subprocess.CalledProcessError) as e:
            self.close()
            why = e.stderr.decode().strip() if isinstance(e, subprocess.CalledProcessError) else str(e)
            raise Skip(f"no network namespaces here: {why}") from None
        return self

    def close(self) -> None:
        """The link goes with its namespace; what still runs inside goes on without one."""
        subprocess.run(["ip", "link", "del", self._device], stderr=subprocess.DEVNULL)
        subprocess.run(["ip", "netns", "del", self.name], stderr=subprocess.DEVNULL)

    def cut(self) -> None:
        ip("link", "set", self._device, "down")

    def heal(self) -> None:
        ip("link", "set", self._device, "up")

    @property
    def prefix(self) -> tuple[str, ...]:
        return ("ip", "netns", "exec", self.name)


class Way:
    """A TCP forwarder from the link's host side to a server on loopback, which it calls from the namespace's own address.

    It delays by `delay` seconds or, while `held`, hands nothing on. What a side has not been handed when the other one gives up
    is thrown away: a connection that is closed does not go on speaking.
    """

    def __init__(self, namespace: Namespace, port: int) -> None:
        self.delay, self.held = 0.0, False
        self._target, self._source = ("127.0.0.1", port), (namespace.source, 0)
        self._listener = socket.create_server((namespace.host, 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self.held = False
        _shut(self._listener)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(self._target, source_address=self._source)
            except OSError:
                _reset(near)
                continue
            threading.Thread(target=self._forward, args=(near, far), daemon=True).start()

    def _forward(self, near: socket.socket, far: socket.socket) -> None:
        waiting = {near: collections.deque(), far: collections.deque()}     # what came from it, and when it goes on
        other = {near: far, far: near}
        try:
            while True:
                readable = [s for s in other if sum(len(d) for _, d in waiting[s]) < BUFFER]
                for s in select.select(readable, [], [], self._patience(waiting))[0]:
                    data = s.recv(65536)
                    if not data:
                        if s is far:
                            self._rest(waiting[far], near)
                        return
                    waiting[s].append((time.monotonic() + self.delay, data))
                for s, queue in waiting.items():
                    while queue and not self.held and queue[0][0] <= time.monotonic():
                        other[s].sendall(queue.popleft()[1])
        except OSError:
            pass
        finally:
            _reset(near)
            _reset(far)

    def _patience(self, waiting: dict) -> float:
        if self.held:
            return 0.02
        due = [queue[0][0] for queue in waiting.values() if queue]
        return max(0.0, min(0.2, min(due) - time.monotonic())) if due else 0.2

    def _rest(self, queue: collections.deque, to: socket.socket) -> None:
        """The server has closed after its answer."""
        for due, data in queue:
            while self.held or due > time.monotonic():
                time.sleep(0.01)
            to.sendall(data)
        to.shutdown(socket.SHUT_WR)
        to.settimeout(5)
        to.recv(1)


def _reset(s: socket.socket) -> None:
    try:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.close()
    except OSError:
        pass


def _shut(s: socket.socket) -> None:
    try:
        s.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
