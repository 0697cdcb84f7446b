"""What the measurements stand on: one API server for the whole run, prepared Shoots, and sessions of the program.

Owns order of start and clean-up. Numbers are taken in rows_*.py; servers and program come from tests/e2e.
"""

from __future__ import annotations

import contextlib
import secrets
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable, Iterator

from e2e.packetsim import PacketSim
from e2e.procs import Failure, tail
from e2e.provider import Provider
from e2e.shoot import Shoot

from .onlooker import Onlooker

HANDS = 4          # threads that create and change objects


class Rig:
    def __init__(self, kube: Any, build: Path, directory: Path, quick: bool, objects: int = 1000) -> None:
        self.kube, self.build, self.directory, self.quick = kube, build, directory, quick
        self.objects = objects      # how many "many" are
        self.client = kube.client()
        self.onlooker = Onlooker(kube.client())
        self.token, self.project = "token-" + secrets.token_hex(12), str(uuid.uuid4())
        self.troubles: list[str] = []
        self._shoots: list[Shoot] = []
        self._sessions = 0

    def close(self) -> None:
        self.onlooker.stop()

    def size(self, full: int, quick: int) -> int:
        return quick if self.quick else full

    def shoots(self, count: int) -> list[Shoot]:
        """So many Shoots with Namespace, Secret and Cluster, without Infrastructure; the same ones for every measurement."""
        missing = [Shoot(self.client, f"shoot--bench--{n:05d}", self.token, self.project)
                   for n in range(len(self._shoots), count)]

        def prepare(s: Shoot) -> None:
            s.make_namespace()
            s.make_secret({"apiToken": s.token, "projectID": s.project})
            s.make_cluster()
        each(missing, prepare)
        self._shoots += missing
        return self._shoots[:count]

    @contextlib.contextmanager
    def session(self, workers: int = 5, latency_ms: int = 50, packet: tuple[str, ...] = (), wait: bool = True,
                **options: Any) -> Iterator["Session"]:
        """The program between the API server and a fresh Packet simulator; ended in order, all objects removed."""
        self._sessions += 1
        directory = self.directory / f"session-{self._sessions}"
        sim = PacketSim(self.build, directory / "packet", latency_ms, packet, self.project, self.token).start()
        session = Session(self, sim, directory, workers, options)
        try:
            if wait:
                session.start()
            yield session
        finally:
            session.end()
            sim.stop()
            self.clear()

    def clear(self) -> None:
        """Takes every Infrastructure away, without the program."""
        def remove(obj: dict) -> None:
            namespace, name = obj["metadata"]["namespace"], obj["metadata"]["name"]
            if obj["metadata"].get("finalizers"):
                self.client.patch("Infrastructure", namespace, name, {"metadata": {"finalizers": None}})
            self.client.delete("Infrastructure", namespace, name)
        each(self.client.list("Infrastructure")["items"], remove)
        time.sleep(0.2)
        self.onlooker.forget()


class Session:
    def __init__(self, rig: Rig, packet: PacketSim, directory: Path, workers: int, options: dict) -> None:
        self.rig, self.packet, self.directory = rig, packet, directory
        self.onlooker = rig.onlooker
        self._workers, self._options = workers, options
        self._starts = 0
        self.provider: Provider | None = None

    def start(self, wait: bool = True, **more: Any) -> Provider:
        """Starts the program (again)."""
        self._starts += 1
        options = {"workers": self._workers, "log_level": "info", **self._options, **more}
        self.provider = Provider(self.rig.build, self.directory / f"provider-{self._starts}", self.rig.kube.provider_kubeconfig,
                                 self.packet.url, self.packet.ca_file, **options)
        return self.provider.start(wait)

    def end(self) -> None:
        """Ordered stop. What goes wrong in it is told at the end of the run; it spoils no number."""
        if not self.provider:
            return
        try:
            self.provider.stop()
        except Failure as e:
            self.rig.troubles.append(f"the stop of {self.directory.name}: {e}")
        finally:
            self.provider.abandon()
            self.provider = None

    def tree(self) -> list[tuple[str, int]]:
        """(role, pid) of every process of the program, the supervisor first."""
        found = [(p["role"], p["pid"]) for p in self.provider.processes() if p["pid"] > 0]
        return [("supervisor", self.provider.child.pid), *(f for f in found if f[0] != "supervisor")]

    def pids(self) -> list[int]:
        return [pid for _, pid in self.tree()]

    def create(self, shoot: Shoot) -> None:
        shoot.make_infrastructure()

    def create_and_wait(self, shoot: Shoot, seconds: float = 60) -> float:
        """Seconds from the sight of the new object to the sight of Succeeded."""
        shoot.make_infrastructure()
        begin, end = self.onlooker.wait_run(shoot.namespace, seconds=seconds)
        return end.at - begin.at

    def reconcile_and_wait(self, shoot: Shoot, seconds: float = 60) -> float:
        version = int(shoot.annotate("reconcile")["metadata"]["resourceVersion"])
        begin, end = self.onlooker.wait_run(shoot.namespace, version, seconds=seconds)
        return end.at - begin.at

    def delete_and_wait(self, shoot: Shoot, seconds: float = 60) -> float:
        shoot.delete()
        begin, end = self.onlooker.wait_gone(shoot.namespace, seconds)
        return end.at - begin.at

    def last_words(self) -> str:
        return tail(self.provider.log, 6) if self.provider else ""


def each(items: list, do: Callable[[Any], Any]) -> list:
    """do(item) for all, several at once, as soon as possible."""
    with ThreadPoolExecutor(HANDS) as pool:
        return list(pool.map(do, items))
