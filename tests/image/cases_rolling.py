"""A rolling update from the image of the commit before to this one, two replicas, while objects come, change and go."""

from __future__ import annotations

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Iterator

from e2e.cases_basic import check_succeeded
from e2e.cases_leader import SHORT, leadership, two_trees
from e2e.cases_migrate import arrive, migrated
from e2e.chaos import verify_no_key_twice
from e2e.container import Container, Image
from e2e.crowd import check_keys, wait_succeeded
from e2e.harness import T, case
from e2e.procs import Skip, wait_for
from e2e.shoot import Shoot, new_key
from image.cases_container import one_writer

previous: Image | None = None       # set by tests/image/run


@contextmanager
def image(which: Image) -> Iterator[None]:
    ours, Container.image = Container.image, which
    try:
        yield
    finally:
        Container.image = ours


class Load:
    """Creates an object every 0.2 s; changes the key of an older one, and deletes another, now and then."""

    def __init__(self, t: T) -> None:
        self.t, self.alive, self.made, self.changed, self.deleted = t, [], 0, 0, 0
        self._end = threading.Event()
        self._pool = ThreadPoolExecutor(1)
        self._done = self._pool.submit(self._run)

    def _run(self) -> None:
        for n in itertools.count():
            if self._end.wait(0.2):
                return
            self.alive.append(self.t.shoot().create())
            self.made += 1
            if n % 3 == 2:
                self.alive[n // 2 % len(self.alive)].set_key(new_key(), "reconcile")
                self.changed += 1
            if n % 5 == 4:
                self.alive.pop(0).delete()
                self.deleted += 1

    def end(self) -> list[Shoot]:
        self._end.set()
        self._done.result()
        self._pool.shutdown()
        return self.alive


def start_new(t: T, name: str) -> Container:
    p = Container(t.build, t.directory / name, t.kube.provider_kubeconfig, t.packet.url, t.packet.ca_file,
                  leader_election=True, flags=(*SHORT, f"--packet-consumer-token={name}"))
    t.others.append(p)
    return p.start()


def moved(t: T, s: Shoot) -> tuple[Shoot, str, dict]:
    """An object that the old one let go, and the state that it left."""
    s.wait_state("Succeeded")
    key, state = s.key_id(), migrated(t, s)["status"]["state"]
    s.delete()
    s.wait_gone()
    return s, key, state


@case(gardener=(54, 60, 66))
def rolling_update(t: T) -> None:
    """New ones start, old ones are told to stop, one by one, amid work: one key each, nothing lost, the old ones' states are read."""
    if not previous:
        raise Skip("there is no image of the commit before: tests/image/previous")
    mark = t.kube.audit.mark()
    with image(previous):
        old = list(two_trees(t))
    quiet = [t.shoot().create() for _ in range(5)]          # nobody touches them before the new ones lead
    gone, key, state = moved(t, t.shoot().create())
    for s in quiet:
        s.wait_state("Succeeded")
    written = {s.namespace: (s.key_id(), s.status()["state"]) for s in quiet}
    load = Load(t)
    wait_for("some load", lambda: load.made >= 10)
    new = []
    for n, p in enumerate(old):
        new.append(start_new(t, f"new-{n}"))        # and ready
        p.stop()
    wait_for("a new one to lead", lambda: any(leadership(p).get("leading") for p in new), 60)
    wait_for("more load", lambda: load.made >= 40)
    alive = load.end()
    wait_succeeded(t, [*alive, *quiet])
    posts = t.packet.calls().count("POST project-keys")
    verify_no_key_twice(t.packet.ledger(), [*alive, *quiet, gone])
    said = one_writer(t, dict(zip(("first", "second", "new-0", "new-1"), old + new)), mark)
    print(f"      {t.name}: {load.made} made, {load.changed} changed, {load.deleted} deleted meanwhile; {said}", flush=True)
    t.provider, t.second = new[0], new[1]
    t.others[:] = old
    for n, id_ in enumerate([key, *(k for k, _ in written.values())]):      # only the ids in the old ones' states lead to them now
        t.packet.alter_key(id_, label=f"hidden-{n}", key=new_key(), tags=[])
    for s in quiet:
        t.reconcile(s)
        t.equal((check_succeeded(t, s, "Reconcile"), s.status()["state"]), written[s.namespace], "key and state")
    arrive(gone, state)
    gone.wait_state("Succeeded", "Restore")
    t.equal(check_succeeded(t, gone, "Restore"), key, "the id that was carried over")
    wait_succeeded(t, [*alive, *quiet, gone])
    t.equal(t.packet.calls().count("POST project-keys"), posts, "POSTs for what the old ones left")
    wait_for("the deleted ones' keys to be gone", lambda: len(t.packet.keys()) == len(alive) + len(quiet) + 1)
    check_keys(t, [*alive, *quiet, gone])
