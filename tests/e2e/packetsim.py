"""Starts the Packet API simulator and speaks to its administrative side: keys, faults, switches, ledger, counters.

The ledger is the simulator's own record of every request; what the cases claim about calls comes from there.
"""

from __future__ import annotations

import json
import secrets
import signal
import subprocess
import uuid
from pathlib import Path
from typing import Any

from .kubeclient import KubeClient
from .procs import Child, Failure


def make_certificate(cert: Path, key: Path, addresses: tuple[str, ...]) -> None:
    names = ",".join(f"IP:{a}" for a in ("127.0.0.1", *addresses))
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "2", "-subj", "/CN=packet simulator", "-addext", f"subjectAltName={names}",
                    "-out", str(cert), "-keyout", str(key)], check=True, stderr=subprocess.DEVNULL)


class PacketSim:
    def __init__(self, build: Path, directory: Path, latency_ms: int = 0, flags: tuple[str, ...] = (),
                 project: str | None = None, token: str | None = None, addresses: tuple[str, ...] = ()) -> None:
        """addresses: the certificate is for these besides 127.0.0.1."""
        self.directory = directory
        (directory / "tls").mkdir(parents=True, exist_ok=True)
        self.token, self.project = token or "token-" + secrets.token_hex(12), project or str(uuid.uuid4())
        self.ca_file = directory / "tls/ca.crt"
        tls = [f"--tls-self-signed={directory / 'tls'}"]
        if addresses:
            key = directory / "tls/key.pem"
            make_certificate(self.ca_file, key, addresses)
            tls = [f"--tls-cert={self.ca_file}", f"--tls-key={key}"]
        self.argv = [str(build / "tests/sim-packet-api"), *tls,
                     f"--project={self.project}", f"--token={self.token}", f"--ledger={directory / 'ledger.jsonl'}",
                     f"--latency-ms={latency_ms}", "--die-with-parent", *flags]
        self.child: Child | None = None

    def start(self) -> "PacketSim":
        self.child = Child("sim-packet-api", self.argv, self.directory, stdout_pipe=True)
        line = self.child.first_line()
        try:
            self.ready = json.loads(line)
        except ValueError:
            raise Failure(f"sim-packet-api said {line!r} instead of its ready line") from None
        self.url = self.ready["url"].rstrip("/")
        self._admin = KubeClient(self.ready["adminURL"].removesuffix("/_sim"))
        return self

    def stop(self) -> None:
        if self.child:
            self.child.stop(signal.SIGTERM)
            self.child = None

    def admin(self, method: str, path: str, body: Any = None) -> Any:
        return self._admin.request(method, f"/_sim/{path}", body)

    def configure(self, **switches: Any) -> None:
        self.admin("POST", "config", switches)

    def fault(self, fault: dict | str, count: int = -1, skip: int = 0, percent: int = 100, **match: str) -> None:
        """Adds a fault rule for requests that match (method, path, kind, token); fault is a preset's name or its members."""
        members = {"preset": fault} if isinstance(fault, str) else fault
        self.admin("POST", "faults",
                   {"match": match, "count": count, "skip": skip, "percent": percent, "fault": members})

    def clear_faults(self) -> None:
        self.admin("DELETE", "faults")

    def pause(self) -> None:
        """Nobody listens at the API's port any more."""
        self.configure(sunset="refused")

    def resume(self) -> None:
        self.configure(sunset="off")

    def add_token(self, kind: str = "user", project: str | None = None) -> str:
        token = "token-" + secrets.token_hex(12)
        self.admin("POST", "tokens", {"token": token, "kind": kind, **({"project": project} if project else {})})
        return token

    def add_project(self) -> str:
        project = str(uuid.uuid4())
        self.admin("POST", "projects", {"id": project})
        return project

    def keys(self) -> list[dict]:
        """The keys that exist now, whatever lists would show."""
        return self.admin("GET", "state")["keys"]

    def put_key(self, label: str, line: str) -> str:
        """Makes a key behind the program's back; returns its id."""
        return self.admin("POST", "keys", {"op": "put", "project": self.project, "label": label, "key": line})["id"]

    def alter_key(self, key_id: str, **members: Any) -> None:
        """Changes label, key or tags behind the program's back."""
        self.admin("POST", "keys", {"op": "alter", "id": key_id, **members})

    def delete_key(self, key_id: str) -> None:
        self.admin("POST", "keys", {"op": "delete", "id": key_id})

    def counters(self) -> dict:
        return self.admin("GET", "counters")

    def ledger(self) -> list[dict]:
        """Every request of the API so far, in the order of execution; times are milliseconds since 1970."""
        lines = (self.directory / "ledger.jsonl").read_bytes().split(b"\n")
        return [json.loads(line) for line in lines[:-1] if line.strip()]

    def ledger_tail(self, size: int = 16384) -> list[dict]:
        """The newest requests only, for who looks often."""
        with open(self.directory / "ledger.jsonl", "rb") as f:
            f.seek(max(0, f.seek(0, 2) - size))
            lines = f.read().split(b"\n")
        return [json.loads(line) for line in lines[1:-1] if line.strip()]

    def calls(self, since: int = 0) -> list[str]:
        """"GET project-keys", "POST project-keys", "DELETE key" ... of the requests after the first `since` ones."""
        return [f"{e['method']} {e['kind']}" for e in self.ledger()[since:]]
