"""Watches the Infrastructures from outside and notes when each step was seen. All times of the bench come from here.

Keeps a few words of each version, not the version. Beginning and end of a run are both seen through the same watch, so
what the watch itself takes falls out of the difference.
"""

from __future__ import annotations

import http.client
import threading
import time
from dataclasses import dataclass
from typing import Callable

from e2e.kubeclient import ApiError, KubeClient, path_of
from e2e.procs import SCALE, Failure
from e2e.shoot import NAME


@dataclass(frozen=True)
class Seen:
    at: float              # time.monotonic()
    version: int
    state: str             # of lastOperation; "" without one
    deleting: bool
    gone: bool


class Onlooker:
    def __init__(self, client: KubeClient) -> None:
        self._client, self._ended, self._watch = client, False, None
        self._changed = threading.Condition()
        self._seen: dict[str, list[Seen]] = {}
        self._since = client.list("Infrastructure")["metadata"]["resourceVersion"]
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._ended = True
        if self._watch:
            self._watch.close()
        self._thread.join(5)

    def forget(self) -> None:
        with self._changed:
            self._seen.clear()

    def seen(self, namespace: str) -> list[Seen]:
        with self._changed:
            return list(self._seen.get(namespace, []))

    def everything(self) -> dict[str, list[Seen]]:
        with self._changed:
            return {k: list(v) for k, v in self._seen.items()}

    def wait(self, what: str, probe: Callable[[], object], seconds: float = 60) -> object:
        """What probe answers as soon as that is something true; probe is asked after every event."""
        end = time.monotonic() + seconds * SCALE
        with self._changed:
            while True:
                got = probe()
                if got:
                    return got
                left = end - time.monotonic()
                if left <= 0:
                    raise Failure(f"waited {seconds * SCALE:.0f} s in vain for {what}")
                self._changed.wait(min(left, 1))

    def wait_run(self, namespace: str, version: int = 0, state: str = "Succeeded", seconds: float = 60) -> tuple[Seen, Seen]:
        """The version that asked for the run (the first not older than `version`) and the one in which it ended."""
        return self.wait(f"{namespace} to end {state}",
                         lambda: whole_run(self._seen.get(namespace, []), version, state), seconds)

    def wait_gone(self, namespace: str, seconds: float = 60) -> tuple[Seen, Seen]:
        """The version in which the deletion was asked for, and the end."""
        def probe() -> tuple[Seen, Seen] | None:
            seen = self._seen.get(namespace, [])
            if not seen or not seen[-1].gone:
                return None
            return next((s for s in seen if s.deleting), seen[-1]), seen[-1]
        return self.wait(f"{namespace} to be gone", probe, seconds)

    def wait_count(self, namespaces: list[str], state: str, seconds: float) -> None:
        """Until the newest version of each is in that state ("gone": deleted)."""
        waiting = set(namespaces)

        def probe() -> bool:
            done = {n for n in waiting if (s := self._seen.get(n)) and (s[-1].gone if state == "gone" else s[-1].state == state)}
            waiting.difference_update(done)
            return not waiting
        try:
            self.wait(f"all to be {state}", probe, seconds)
        except Failure as e:
            raise Failure(f"{e}; {len(waiting)} of {len(namespaces)} are not, as {sorted(waiting)[0]}") from None

    def errors(self) -> int:
        """How often a version came into the state Error."""
        return sum(1 for seen in self.everything().values() for a, b in zip([None, *seen], seen)
                   if b.state == "Error" and (a is None or a.state != "Error"))

    def _run(self) -> None:
        path = path_of("Infrastructure")
        while not self._ended:
            try:
                self._watch = self._client.open_watch(path, self._since)
                for event in self._watch:
                    self._take(event)
            except (OSError, http.client.HTTPException, ApiError, ValueError, AttributeError):
                time.sleep(0.05)

    def _take(self, event: dict) -> None:
        at, obj = time.monotonic(), event["object"]
        if event["type"] not in ("ADDED", "MODIFIED", "DELETED"):
            self._since = self._client.list("Infrastructure")["metadata"]["resourceVersion"]
            raise ValueError("the watch has to begin anew")
        meta = obj["metadata"]
        self._since = meta["resourceVersion"]
        if meta["name"] != NAME:
            return
        one = Seen(at, int(meta["resourceVersion"]), obj.get("status", {}).get("lastOperation", {}).get("state", ""),
                   "deletionTimestamp" in meta, event["type"] == "DELETED")
        with self._changed:
            self._seen.setdefault(meta["namespace"], []).append(one)
            self._changed.notify_all()


def whole_run(seen: list[Seen], version: int = 0, state: str = "Succeeded") -> tuple[Seen, Seen] | None:
    begin, processing = None, False
    for s in seen:
        if s.gone:
            begin, processing = None, False
        elif begin is None:
            begin = s if s.version >= version else None
        if begin and s.state == state and processing:
            return begin, s
        processing = processing or (begin is not None and s.state == "Processing")
    return None
