"""Reads an API server's audit log (JSON lines of audit.k8s.io/v1 events, level Metadata) and counts requests.

Both servers write the same lines, so the counts of the cases and the bench mean the same on either.
Long-lived and background requests (list, watch, Lease, Event) are kept apart from those about an object.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

CREDENTIAL = "authentication.kubernetes.io/credential-id"


@dataclass(frozen=True)
class Request:
    """One finished request (a watch: one that has begun)."""

    user: str
    verb: str
    resource: str        # "infrastructures", "infrastructures/status", "secrets", ...
    namespace: str
    name: str
    code: int
    at: str              # when it was received, RFC 3339 with microseconds
    source: str = ""     # the address it came from, where the server notes it
    uri: str = ""
    credential: str = ""  # which token of a ServiceAccount it came with: "JTI=..."

    def apart(self) -> bool:
        return self.verb in ("list", "watch", "deletecollection") or self.resource.split("/")[0] in ("leases", "events")

    def about(self, namespace: str, name: str) -> bool:
        """Is it about this Infrastructure, its Cluster, or a Secret or the Namespace that belongs to it?"""
        if self.resource.startswith("infrastructures"):
            return self.namespace == namespace and self.name == name
        if self.resource in ("clusters", "namespaces"):
            return self.name == namespace
        return self.namespace == namespace

    def __str__(self) -> str:
        return f"{self.verb} {self.resource} {self.namespace}/{self.name} -> {self.code}"


class AuditLog:
    def __init__(self, path: Path) -> None:
        self.path = path

    def mark(self) -> int:
        """Where the log ends now; give it to requests() to see only what comes later."""
        return self.path.stat().st_size if self.path.exists() else 0

    def requests(self, user: str, since: int = 0) -> list[Request]:
        if not self.path.exists():
            return []
        with open(self.path, "rb") as f:
            f.seek(since)
            lines = f.read().split(b"\n")
        events = (json.loads(line) for line in lines[:-1] if line.strip())
        return [r for r in map(_request, events) if r and r.user == user]

    def pages(self, user: str, since: int = 0) -> list[str]:
        """The URIs of that user's lists of Infrastructures by pages."""
        return self._uris(user, "list", since)

    def streams(self, user: str, since: int = 0) -> list[str]:
        """The URIs of its watches of Infrastructures, those that are lists at first among them."""
        return self._uris(user, "watch", since)

    def lists(self, user: str, since: int = 0) -> list[str]:
        """The URIs of its lists, those that came as a stream and those by pages."""
        return [u for u in self.streams(user, since) if "sendInitialEvents=true" in u] + self.pages(user, since)

    def _uris(self, user: str, verb: str, since: int) -> list[str]:
        """Without those that a busy server has refused: one that has just started may be slow to have its cache."""
        return [r.uri for r in self.requests(user, since)
                if (r.verb, r.resource) == (verb, "infrastructures") and r.code != 429]


def _request(event: dict) -> Request | None:
    stage, verb = event.get("stage"), event.get("verb", "")
    if stage != ("ResponseStarted" if verb == "watch" else "ResponseComplete"):
        return None
    ref = event.get("objectRef") or {}
    resource = ref.get("resource", "") + ("/" + ref["subresource"] if ref.get("subresource") else "")
    return Request(event.get("user", {}).get("username", ""), verb, resource, ref.get("namespace", ""),
                   ref.get("name", ""), int((event.get("responseStatus") or {}).get("code", 0)),
                   event.get("requestReceivedTimestamp", ""), (event.get("sourceIPs") or [""])[0],
                   event.get("requestURI", ""), (event.get("user", {}).get("extra", {}).get(CREDENTIAL) or [""])[0])
