"""Starts a real etcd and kube-apiserver on free loopback ports, with two users and an audit log.

`admin` may everything; `provider-packet` has exactly the rights of deploy/rbac.yaml. Nothing else runs: no controller
manager, no scheduler, so namespaces are never really deleted. Same interface as simkube.SimKube.
"""

from __future__ import annotations

import json
import secrets
import subprocess
import urllib.request
from pathlib import Path

from .audit import AuditLog
from .kubeclient import ApiError, KubeClient, load_yaml, write_kubeconfig
from .procs import REPO, Child, Failure, free_port, wait_for

USER = "provider-packet"
AUDIT_POLICY = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"],
                "rules": [{"level": "Metadata", "users": [USER]}, {"level": "None"}]}


def programs(build: bool = True) -> Path:
    """The folder with kube-apiserver, etcd and kubectl; builds them when they are missing and `build` says so."""
    argv = [str(REPO / "tests/realkube/build")] + ([] if build else ["--where"])
    done = subprocess.run(argv, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise Failure("the real Kubernetes servers are not built (tests/realkube/build)")
    return Path(done.stdout.strip().splitlines()[-1])


class RealKube:
    kind = "real"

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self.bin = programs()
        self.user = USER
        self.audit = AuditLog(directory / "audit.log")
        self.ca_file = directory / "certs/apiserver.crt"
        self.admin_kubeconfig = directory / "admin.kubeconfig"
        self.provider_kubeconfig = directory / "provider.kubeconfig"
        self.admin_token, self.provider_token = secrets.token_hex(16), secrets.token_hex(16)
        self.etcd: Child | None = None
        self.apiserver: Child | None = None
        self.port = 0
        self._prepare()

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def kubectl(self) -> Path:
        return self.bin / "kubectl"

    def start(self) -> "RealKube":
        for attempt in range(3):            # a free port may be taken by someone else before the server binds it
            try:
                self._start_etcd()
                self.port = free_port()
                self.start_apiserver()
                break
            except Failure:
                self.stop()
                if attempt == 2:
                    raise
        write_kubeconfig(self.admin_kubeconfig, self.url, self.ca_file, "admin", self.admin_token)
        write_kubeconfig(self.provider_kubeconfig, self.url, self.ca_file, USER, self.provider_token)
        self._apply_basics()
        return self

    def client(self) -> KubeClient:
        return KubeClient(self.url, self.admin_token, self.ca_file)

    def client_of_provider(self) -> KubeClient:
        return KubeClient(self.url, self.provider_token, self.ca_file)

    def start_apiserver(self) -> None:
        """Starts the API server on the port it had; everything it knew is in etcd."""
        self.apiserver = Child("kube-apiserver", self.arguments(self.port, self.directory, self.audit), self.directory)
        wait_for("kube-apiserver to be ready", self._ready, seconds=90, interval=0.1)

    def arguments(self, port: int, own: Path, audit: AuditLog) -> list[str]:
        """The command line of an API server on this etcd that keeps its certificate in the folder `own`."""
        d = self.directory
        return [
            str(self.bin / "kube-apiserver"), f"--etcd-servers={self._etcd_url}", f"--secure-port={port}",
            "--bind-address=127.0.0.1", f"--cert-dir={own / 'certs'}",
            f"--service-account-key-file={d / 'sa.key'}", f"--service-account-signing-key-file={d / 'sa.key'}",
            "--service-account-issuer=https://kubernetes.default.svc", f"--token-auth-file={d / 'tokens.csv'}",
            "--authorization-mode=RBAC", "--service-cluster-ip-range=10.0.0.0/24",
            "--disable-admission-plugins=ServiceAccount", "--allow-privileged=true",
            f"--audit-policy-file={d / 'audit-policy.json'}", f"--audit-log-path={audit.path}",
            "--shutdown-delay-duration=0s", "--profiling=false",
        ]

    def compact(self) -> int:
        """Makes etcd forget all but the present; returns its revision."""
        def ask(path: str, body: dict) -> dict:
            request = urllib.request.Request(f"{self._etcd_url}/v3/kv/{path}", json.dumps(body).encode())
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)
        revision = int(ask("range", {"key": "AA=="})["header"]["revision"])
        ask("compaction", {"revision": revision, "physical": True})
        return revision

    def breakable_kubeconfig(self) -> Path:
        return self.provider_kubeconfig

    def stop_apiserver(self) -> None:
        """The API server is gone at once, as after a crash: connections break, the port refuses."""
        if self.apiserver:
            self.apiserver.process.kill()
            self.apiserver.stop()
            self.apiserver = None

    def stop(self) -> None:
        self.stop_apiserver()
        if self.etcd:
            self.etcd.process.kill()
            self.etcd.stop()
            self.etcd = None

    def pids(self) -> dict[str, int]:
        return {c.name: c.pid for c in (self.etcd, self.apiserver) if c}

    def _prepare(self) -> None:
        d = self.directory
        subprocess.run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout",
                        "-out", str(d / "sa.key")], check=True, stderr=subprocess.DEVNULL)
        (d / "tokens.csv").write_text(f'{self.admin_token},admin,admin,"system:masters"\n'
                                      f'{self.provider_token},{USER},{USER}\n')
        (d / "tokens.csv").chmod(0o600)
        (d / "audit-policy.json").write_text(json.dumps(AUDIT_POLICY))

    def _start_etcd(self) -> None:
        client, peer = free_port(), free_port()
        self._etcd_url = f"http://127.0.0.1:{client}"
        self.etcd = Child("etcd", [
            str(self.bin / "etcd"), f"--data-dir={self.directory / 'etcd'}", "--unsafe-no-fsync", "--log-level=error",
            f"--listen-client-urls={self._etcd_url}", f"--advertise-client-urls={self._etcd_url}",
            f"--listen-peer-urls=http://127.0.0.1:{peer}", f"--initial-advertise-peer-urls=http://127.0.0.1:{peer}",
            f"--initial-cluster=default=http://127.0.0.1:{peer}",
        ], self.directory)

    def _ready(self) -> bool:
        return _is_ready([self.etcd, self.apiserver], self.url, self.ca_file, self.admin_token)

    def _apply_basics(self) -> None:
        client = self.client()
        for name in ("20-crd-infrastructures.yaml", "20-crd-clusters.yaml", "../deploy/rbac.yaml"):
            for obj in load_yaml(REPO / "example" / name):
                client.apply(obj)
        for path in ("infrastructures", "clusters"):
            wait_for(f"the API of {path}", lambda: _served(client, path), interval=0.1)
        wait_for("the program's rights", lambda: _served(self.client_of_provider(), "infrastructures"), interval=0.1)


def _is_ready(children: list[Child | None], url: str, ca_file: Path, token: str) -> bool:
    """Whether that API server says so; a failure when one of its processes has ended."""
    for child in children:
        if child and not child.alive():
            raise Failure(f"{child.name} ended while starting; see {child.log}")
    if not ca_file.exists():
        return False
    try:
        return KubeClient(url, token, ca_file).request("GET", "/readyz") == "ok"
    except (OSError, ApiError):
        return False


def _served(client: KubeClient, plural: str) -> bool:
    try:
        client.request("GET", f"/apis/extensions.gardener.cloud/v1alpha1/{plural}?limit=1")
        return True
    except ApiError as e:
        if e.code in (403, 404, 503):
            return False
        raise


class AnotherApiServer:
    """One more kube-apiserver on the same etcd, with flags of its own: it may be odd, and end, while the first goes on.

    without: a flag of the first that this one has not.
    """

    def __init__(self, kube: RealKube, directory: Path, *flags: str, without: str = "") -> None:
        directory.mkdir(parents=True)
        self.kube, self.directory, self.flags, self.port = kube, directory, flags, free_port()
        self.without = without
        self.audit = AuditLog(directory / "audit.log")
        self.ca_file = directory / "certs/apiserver.crt"
        self.kubeconfig = directory / "provider.kubeconfig"
        self.child: Child | None = None

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def start(self) -> "AnotherApiServer":
        """Up and ready; again on the port that it had."""
        arguments = [a for a in self.kube.arguments(self.port, self.directory, self.audit) if a != self.without]
        self.child = Child("kube-apiserver", [*arguments, *self.flags], self.directory)
        wait_for("the other kube-apiserver to be ready", self._ready, seconds=90, interval=0.1)
        write_kubeconfig(self.kubeconfig, self.url, self.ca_file, USER, self.kube.provider_token)
        return self

    def stop(self) -> None:
        """Gone at once, as after a crash."""
        if self.child:
            self.child.process.kill()
            self.child.stop()
            self.child = None

    def _ready(self) -> bool:
        return _is_ready([self.child], self.url, self.ca_file, self.kube.admin_token)
