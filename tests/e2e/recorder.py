"""Watches all Infrastructures as an onlooker and keeps every version that it sees.

So a case can ask not only what an object is now, but what it ever was: an `Error` that was shown for a moment, a status
that carried a secret. Sees what a watch sees; versions that the server never sent do not exist for it.
"""

from __future__ import annotations

import http.client
import threading
import time

from .kubeclient import ApiError, KubeClient, path_of
from .procs import wait_for


class Recorder:
    def __init__(self, client: KubeClient) -> None:
        self._client, self._stop = client, threading.Event()
        self._watch = None
        self._lock = threading.Lock()
        self._versions: dict[tuple[str, str], list[dict]] = {}
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> "Recorder":
        self._thread.start()
        return self

    def stop(self) -> None:
        self._stop.set()
        if self._watch:
            self._watch.close()
        self._thread.join(5)

    def versions(self, namespace: str, name: str) -> list[dict]:
        """Every version seen, oldest first; versions of a deleted predecessor of the same name too."""
        with self._lock:
            return list(self._versions.get((namespace, name), []))

    def whole(self, namespace: str, name: str) -> list[dict]:
        """The same, once the watch has shown what a read shows now; for who asks after the end."""
        obj = self._client.get("Infrastructure", namespace, name)
        now = obj["metadata"]["resourceVersion"] if obj else None
        if obj:
            wait_for(f"the recorder to see version {now} of {namespace}",
                     lambda: any(v["metadata"]["resourceVersion"] == now for v in self.versions(namespace, name)))
        return self.versions(namespace, name)

    def last(self, namespace: str, name: str) -> dict | None:
        with self._lock:
            seen = self._versions.get((namespace, name))
            return seen[-1] if seen else None

    def operations(self, namespace: str, name: str) -> list[str]:
        """The sequence of "Type/State" that lastOperation went through, repetitions removed."""
        steps: list[str] = []
        for v in self.versions(namespace, name):
            op = v.get("status", {}).get("lastOperation")
            step = f"{op['type']}/{op['state']}" if op else "none"
            if not steps or steps[-1] != step:
                steps.append(step)
        return steps

    def codes(self, namespace: str, name: str) -> set[str]:
        """Every error code that was ever shown."""
        return {c for v in self.versions(namespace, name)
                for c in (v.get("status", {}).get("lastError") or {}).get("codes", [])}

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                listed = self._client.list("Infrastructure")
                for obj in listed["items"]:
                    self._add(obj)
                self._watch = self._client.open_watch(path_of("Infrastructure"), listed["metadata"]["resourceVersion"])
                for event in self._watch:
                    if event["type"] in ("ADDED", "MODIFIED", "DELETED"):
                        self._add(event["object"])
                    elif event["type"] == "ERROR":
                        break
            except (OSError, http.client.HTTPException, ApiError, ValueError, AttributeError, KeyError):
                time.sleep(0.1)

    def _add(self, obj: dict) -> None:
        meta = obj["metadata"]
        with self._lock:
            seen = self._versions.setdefault((meta["namespace"], meta["name"]), [])
            if not seen or seen[-1]["metadata"]["resourceVersion"] != meta["resourceVersion"]:
                seen.append(obj)
