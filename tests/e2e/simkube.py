"""Starts the Kubernetes simulator with the same two users and interface as realkube.RealKube.

It keeps everything in memory, so "gone" is a proxy before it that breaks every connection and its port, not a server
that is started again.
"""

from __future__ import annotations

import json
import secrets
import signal
import urllib.parse
from pathlib import Path
from typing import Any

from .audit import AuditLog
from .kubeclient import KubeClient, load_yaml, write_kubeconfig
from .procs import REPO, Child, Failure, Skip
from .proxy import BreakableProxy
from .realkube import USER, programs


class SimKube:
    kind = "sim"

    def __init__(self, build: Path, directory: Path) -> None:
        self.build, self.directory, self.user = build, directory, USER
        (directory / "tls").mkdir(parents=True, exist_ok=True)
        self.audit = AuditLog(directory / "audit.log")
        self.admin_kubeconfig = directory / "admin.kubeconfig"
        self.provider_kubeconfig = directory / "provider.kubeconfig"
        self.admin_token, self.provider_token = secrets.token_hex(16), secrets.token_hex(16)
        self.child: Child | None = None

    @property
    def kubectl(self) -> Path:
        try:
            return programs(build=False) / "kubectl"
        except Failure as e:
            raise Skip("kubectl of the test build is not there (tests/realkube/build)") from e

    def start(self, empty: bool = False) -> "SimKube":
        """Up, with kubeconfigs written; unless `empty` with the CRDs and the Leases' namespace applied too."""
        self.child = Child("sim-kube-apiserver", [
            str(self.build / "tests/sim-kube-apiserver"), f"--tls-self-signed={self.directory / 'tls'}",
            f"--token={self.admin_token}=admin", f"--token={self.provider_token}={USER}",
            f"--audit={self.audit.path}", "--die-with-parent"], self.directory, stdout_pipe=True)
        line = self.child.first_line()
        try:
            self.ready = json.loads(line)
        except ValueError:
            raise Failure(f"sim-kube-apiserver said {line!r} instead of its ready line") from None
        self.url, self.ca_file = self.ready["url"].rstrip("/"), Path(self.ready["caFile"])
        write_kubeconfig(self.admin_kubeconfig, self.url, self.ca_file, "admin", self.admin_token)
        write_kubeconfig(self.provider_kubeconfig, self.url, self.ca_file, USER, self.provider_token)
        client = self.client()
        self._switches = client.request("GET", "/_sim/config")
        if empty:
            return self
        for name in ("20-crd-infrastructures.yaml", "20-crd-clusters.yaml", "../deploy/rbac.yaml"):
            for obj in load_yaml(REPO / "example" / name):
                if not obj["kind"].startswith("ClusterRole"):       # it has no RBAC: the real server shows the rights
                    client.apply(obj)
        return self

    def client(self) -> KubeClient:
        return KubeClient(self.url, self.admin_token, self.ca_file)

    def client_of_provider(self) -> KubeClient:
        return KubeClient(self.url, self.provider_token, self.ca_file)

    # -- the simulator's own path; its --help says what a rule and a switch may be

    def fault(self, action: str, **rule: Any) -> None:
        """Adds a fault rule, struck once unless `count` says otherwise."""
        self.client().request("POST", "/_sim/faults", {"action": action, **rule})

    def switch(self, **switches: Any) -> None:
        """Turns switches, e.g. watchList=False, until the end of the case."""
        self.client().request("POST", "/_sim/config", switches)

    def compact(self) -> None:
        """Forgets all history: watches from before get 410."""
        self.client().request("POST", "/_sim/compact", {})

    def mend(self) -> None:
        """No fault rules, and the switches as they were at the start."""
        self.client().request("DELETE", "/_sim/faults")
        self.switch(**self._switches)

    def breakable_kubeconfig(self) -> Path:
        """The program's kubeconfig for a case that calls stop_apiserver()."""
        parts = urllib.parse.urlsplit(self.url)
        self.proxy = BreakableProxy(parts.hostname, parts.port)
        path = self.directory / "breakable.kubeconfig"
        write_kubeconfig(path, f"https://127.0.0.1:{self.proxy.port}", self.ca_file, USER, self.provider_token)
        return path

    def stop_apiserver(self) -> None:
        self.proxy.break_all()

    def start_apiserver(self) -> None:
        self.proxy.mend()

    def stop(self) -> None:
        if self.child:
            self.child.stop(signal.SIGTERM)
            self.child = None

    def pids(self) -> dict[str, int]:
        return {self.child.name: self.child.pid} if self.child else {}
