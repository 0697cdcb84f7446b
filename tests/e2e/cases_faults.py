"""The faults and switches of the simulated API server as they arrive at a client: what each does to the bytes.

What they do inside is tested in tests/unit/test_kube_sim_faults.c and test_kube_sim_watch.c.
"""

from __future__ import annotations

import http.client
import json
import socket
import time
import zlib
from typing import Any, Callable

from .cases_traps import need_sim
from .harness import T, case
from .kubeclient import ApiError, path_of
from .procs import wait_for

PROBE = "probe=1"                # the harness lists and watches, too; its requests have no such parameter
LIST = path_of("Infrastructure") + "?" + PROBE


class Answer:
    """One request on a connection of its own; the body is read by who wants it."""

    def __init__(self, t: T, path: str = LIST, seconds: float = 30, **headers: str) -> None:
        self.connection = t.client.connect(seconds)
        self.connection.request("GET", path, headers={**t.client.headers(), **headers})
        self.got = self.connection.getresponse()

    def until(self, wanted: int) -> bytes:
        """The next so many lines of a watch."""
        return b"".join(self.got.readline() for _ in range(wanted))


def must_break(t: T, what: str, action: Callable[[], Any], *errors: type[BaseException]) -> None:
    try:
        action()
    except errors:
        return
    t.check(False, f"{what}: the client noticed nothing")


def fault(t: T, action: str, **rule: Any) -> None:
    t.kube.fault(action, query=PROBE, **rule)


def watch(t: T, seconds: float = 30, **headers: str) -> Answer:
    return Answer(t, f"{LIST}&watch=1&resourceVersion=0&allowWatchBookmarks=true", seconds, **headers)


@case(kubernetes=(72,))
def faults_of_answers(t: T) -> None:
    """Each fault of a plain answer at a client: status with and without Retry-After, 401 once, drops, silence, cut bodies."""
    need_sim(t)
    for code, after in ((429, 1), (500, None), (503, 2), (503, None), (504, None), (401, None)):
        fault(t, "status", code=code, **({"retryAfter": after} if after else {}), verb="list")
        a = Answer(t)
        t.equal((a.got.status, a.got.headers["Retry-After"]), (code, str(after) if after else None), "status, Retry-After")
        t.equal(Answer(t).got.status, 200, f"the next after {code}")
    fault(t, "tooLarge", verb="list")
    a = Answer(t)
    t.equal((a.got.status, a.got.headers["Retry-After"]), (504, "1"), "too large")
    t.check("ResourceVersionTooLarge" in a.got.read().decode(), "the cause is missing")
    for action in ("reset", "resetAfter"):
        fault(t, action, verb="list")
        must_break(t, action, lambda: Answer(t), http.client.HTTPException, OSError)
    for action in ("hang", "hangAfter"):
        fault(t, action, verb="list")
        must_break(t, action, lambda: Answer(t, seconds=0.5), socket.timeout)
    for action in ("truncate", "badLength"):
        fault(t, action, verb="list")
        must_break(t, action, lambda: Answer(t).got.read(), http.client.IncompleteRead, OSError)
    fault(t, "stall", verb="list")
    must_break(t, "stall", lambda: Answer(t, seconds=0.5).got.read(), socket.timeout)
    fault(t, "delay", verb="list", delayMs=300)
    begun = time.monotonic()
    Answer(t)
    t.check(time.monotonic() - begun >= 0.3, "the delay was none")
    fault(t, "status", code=503, forMs=3000, verb="list")
    t.equal(Answer(t).got.status, 503, "slow start")
    wait_for("the slow start to be over", lambda: Answer(t).got.status == 200)


@case(kubernetes=(72,))
def faults_of_connections(t: T) -> None:
    """GOAWAY's stand-in closes after a whole answer; stale reads at version 0; a large list is compressed when asked."""
    need_sim(t)
    fault(t, "goaway", verb="list")
    a = Answer(t)
    t.equal((a.got.status, a.got.headers["Connection"], a.got.will_close), (200, "close", True), "goaway")
    json.loads(a.got.read())
    t.equal(Answer(t).got.will_close, False, "the next answer closes")
    s = t.shoot(token="none", project="none")
    s.make_namespace()
    s.make_infrastructure()
    fault(t, "stale", verb="list", lag=1)
    stale = json.loads(Answer(t, LIST + "&resourceVersion=0").got.read())
    t.check(s.namespace not in json.dumps(stale["items"]), "the stale list shows the newest object")
    t.check(s.namespace in json.dumps(t.client.request("GET", LIST)), "a list of the newest does not")
    t.kube.switch(gzipMin=10)
    a = Answer(t, **{"Accept-Encoding": "gzip"})
    t.equal(a.got.headers["Content-Encoding"], "gzip", "encoding")
    t.check(s.namespace.encode() in zlib.decompress(a.got.read(), 31), "the list within")
    t.equal(Answer(t).got.headers["Content-Encoding"], None, "encoding unasked")


@case(kubernetes=(72,))
def faults_of_watches(t: T) -> None:
    """Each fault of a watch at a client: cut within an event, silence, short, twice, ERROR events, gzip members, odd chunks."""
    need_sim(t)
    s = t.shoot(token="none", project="none")
    s.make_namespace()
    s.make_infrastructure()
    whole = watch(t).until(1)
    fault(t, "cutEvent", verb="watch")
    must_break(t, "cutEvent", lambda: watch(t).got.read(), http.client.IncompleteRead, OSError)
    fault(t, "silent", verb="watch")
    must_break(t, "silent", lambda: watch(t, 1).until(1), socket.timeout)
    fault(t, "short", verb="watch")
    t.equal(watch(t).got.read(), b"", "a very short watch")
    fault(t, "duplicate", verb="watch")
    t.equal(watch(t).until(2), 2 * whole, "an event twice")
    for action, more, code, reason in (("expire", {}, 410, "Expired"), ("errorEvent", {"code": 500}, 500, "InternalError"),
                                       ("errorEvent", {"code": 429}, 429, "TooManyRequests")):
        fault(t, action, verb="watch", afterEvents=1, **more)
        lines = watch(t).got.read().splitlines()
        last = json.loads(lines[-1])
        t.equal((len(lines), last["type"], last["object"]["code"], last["object"]["reason"]), (2, "ERROR", code, reason), action)
    t.kube.switch(gzipWatch=True)
    a = watch(t, **{"Accept-Encoding": "gzip"})
    t.client.request("POST", "/_sim/bookmark", {})
    packed, texts = b"", []
    while len(texts) < 2:                # a member for each event, as libcurl cannot read it (trap 1)
        member = zlib.decompressobj(31)
        texts.append(b"")
        while not member.eof:
            packed = packed or a.got.read1()
            texts[-1] += member.decompress(packed)
            packed = member.unused_data
    t.equal(texts[0], whole, "the first member")
    t.check(b"BOOKMARK" in texts[1], "the second member is no bookmark")
    t.kube.switch(gzipWatch=False, watchSplitBytes=3)
    a = watch(t)
    pieces = [a.got.read1() for _ in range(20)]
    t.check(all(1 <= len(p) <= 3 for p in pieces) and whole.startswith(b"".join(pieces)), f"chunks: {pieces}")
    t.kube.switch(watchSplitBytes=0, watchMaxMs=200)
    t.equal(watch(t).got.read().splitlines(True)[:1], [whole], "a watch of 200 ms")
    t.kube.switch(watchMaxMs=0, bookmarkMs=100)
    t.check(b"BOOKMARK" in watch(t).until(2), "no bookmark")
    t.kube.switch(watchList=False)
    try:
        t.client.request("GET", LIST + "&watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan")
        t.check(False, "watch-list is still offered")
    except ApiError as e:
        t.equal(e.code, 422, "watch-list switched off")
