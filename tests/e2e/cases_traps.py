"""Traps of the Kubernetes contract's section 0, each of them once; most need a server that misbehaves on demand.

The others have unit tests: test_K_42_K_72_lost (2) and test_K_5_K_72_only_the_configured_authority (3); the heartbeat case is trap 9.
"""

from __future__ import annotations

import signal
import time

from .harness import T, case
from .procs import Skip, wait_for
from .shoot import FINALIZER


def need_sim(t: T) -> None:
    if t.kube.kind != "sim":
        raise Skip("the real server cannot be told to do this")


@case(kubernetes=(25, 72))
def trap_gzip_watch(t: T) -> None:
    """A server that would gzip watches member by member is not asked to: one watch serves all events (trap 1)."""
    need_sim(t)
    t.kube.switch(gzipWatch=True)
    since = t.kube.audit.mark()
    t.start()
    for _ in range(3):
        s = t.shoot().create()
        s.wait_state("Succeeded")
    audit, user = t.kube.audit, t.kube.user
    t.equal((len(audit.pages(user, since)), len(audit.streams(user, since))), (0, 1), "pages and streams")


@case(kubernetes=(18, 72))
def trap_gone_in_the_stream(t: T) -> None:
    """410 as an event of a stream that was answered 200: a list at the last version, then a watch from there (trap 4)."""
    need_sim(t)
    t.kube.switch(watchMaxMs=1500)
    t.start()
    t.shoot().create().wait_state("Succeeded")
    since = t.kube.audit.mark()
    t.shoot().make_namespace()           # the last version seen of Infrastructures is older than the compaction
    t.kube.compact()
    listed = wait_for("a list after the compaction", lambda: t.kube.audit.lists(t.kube.user, since), seconds=20)
    t.kube.switch(watchMaxMs=0)
    t.check("resourceVersion=0" not in listed[0] and "resourceVersion=" in listed[0], f"the list was {listed[0]}")
    s = t.shoot().create()
    s.wait_state("Succeeded")
    time.sleep(1)
    t.equal(len(t.kube.audit.lists(t.kube.user, since)), 1, "lists after the compaction")
    t.check('"level":"error"' not in t.provider_log(), "a watch that is too old was logged as an error")


@case(kubernetes=(38, 72))
def trap_foreign_finalizer(t: T) -> None:
    """A finalizer that came between our read and our write stays: the write is locked by the version (trap 8)."""
    p = t.start(workers=1)
    worker = p.processes("worker")[0]["pid"]
    s = t.shoot()
    since = t.kube.audit.mark()
    p.kill(worker, signal.SIGSTOP)       # it will decide on the object that is handed to it now
    s.create()
    wait_for("Secret and Cluster to be read", lambda: {"secrets", "clusters"} <= {
        r.resource for r in t.kube.audit.requests(t.kube.user, since) if r.verb == "get" and r.code == 200})
    time.sleep(0.5)
    t.check(not s.get()["metadata"].get("finalizers"), "the own finalizer was there before the worker went on")
    s.patch({"metadata": {"finalizers": ["example.org/other"]}})
    p.kill(worker, signal.SIGCONT)
    s.wait_state("Succeeded")
    t.equal(sorted(s.get()["metadata"]["finalizers"]), ["example.org/other", FINALIZER], "finalizers")
    s.patch({"metadata": {"finalizers": [FINALIZER]}})
