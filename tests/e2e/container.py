"""Starts the program as a pod's container would be: by crun, from the image, with the restricted security context.

Non-root, read-only root, no capability, no-new-privileges, 64 MiB, 128 tasks, a service account's token with exactly the
rights of deploy/rbac.yaml. Looks at it by exec, as `kubectl exec` does. Same interface as provider.Provider.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import subprocess
import tarfile
import time
import uuid
from pathlib import Path

from .kubeclient import ApiError, KubeClient, load_yaml
from .procs import REPO, Child, Failure, Skip, wait_for
from .provider import Provider
from .realkube import AUDIT_POLICY, RealKube

ACCOUNT = "provider-packet"
USER = 65532
MEMORY, PIDS = 64 << 20, 128         # a process has three tasks, and some cases have 20 workers
RUNTIME = "/run/gardener-extension-provider-packet"
ACCOUNT_DIR = "/var/run/secrets/kubernetes.io/serviceaccount"
CGROUPS = Path("/sys/fs/cgroup")
# crun does not run where both versions of cgroups have controllers: it gets a view in which only the first has.
HYBRID = (CGROUPS / "unified/cgroup.controllers").exists()
VIEW = ["unshare", "-m", "sh", "-c", 'umount /sys/fs/cgroup/unified && exec "$@"', "sh"] if HYBRID else []
CRUN = [*VIEW, "crun"]


def controllers() -> list[str]:
    """Those of the two that limit a container and that this machine has."""
    v2 = CGROUPS / "cgroup.controllers"
    there = v2.read_text().split() if v2.exists() else [p.name for p in CGROUPS.iterdir()]
    return [c for c in ("memory", "pids") if c in there]


class Image:
    """An OCI layout, unpacked once."""

    def __init__(self, layout: Path, to: Path) -> None:
        blob = lambda d: layout / "blobs" / d["digest"].replace(":", "/")
        manifest = json.loads(blob(json.loads((layout / "index.json").read_text())["manifests"][0]).read_text())
        self.config = json.loads(blob(manifest["config"]).read_text())["config"]
        self.root = to
        to.mkdir(mode=0o755)
        with tarfile.open(blob(manifest["layers"][0])) as tar:
            tar.extractall(to)
        for path in ("etc/hosts", "etc/resolv.conf"):       # a container's runtime makes these two
            (to / path).touch()
        (to / ACCOUNT_DIR[1:]).mkdir(parents=True)
        (to / "config").mkdir()
        (to / "record").mkdir()


class AccountKube(RealKube):
    """The real API server; the program is a ServiceAccount, bound to the ClusterRole of deploy/rbac.yaml."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.user = f"system:serviceaccount:garden:{ACCOUNT}"

    def _prepare(self) -> None:
        super()._prepare()
        policy = json.loads(json.dumps(AUDIT_POLICY).replace('"provider-packet"', f'"system:serviceaccount:garden:{ACCOUNT}"'))
        (self.directory / "audit-policy.json").write_text(json.dumps(policy))

    def _apply_basics(self) -> None:
        super()._apply_basics()
        client, path = self.client(), "/api/v1/namespaces/garden/serviceaccounts"
        binding = next(o for o in load_yaml(REPO / "deploy/rbac.yaml") if o["kind"] == "ClusterRoleBinding")
        binding["subjects"] = [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": "garden"}]
        client.request("PUT", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/" + binding["metadata"]["name"], binding)
        client.request("POST", path, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": ACCOUNT}})
        self.provider_token = self.another_token()
        wait_for("the account's rights", self._may, interval=0.1)

    def another_token(self) -> str:
        """As a kubelet asks for one for each pod; the audit log tells them apart."""
        if not self.apiserver:
            return self.provider_token      # the case has taken it away
        got = self.client().request("POST", f"/api/v1/namespaces/garden/serviceaccounts/{ACCOUNT}/token", {
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 43200}})
        return got["status"]["token"]

    def _may(self) -> bool:
        try:
            self.client_of_provider().request("GET", "/apis/extensions.gardener.cloud/v1alpha1/infrastructures?limit=1")
            return True
        except ApiError:
            return False


def bind(source: str | Path, to: str, *more: str) -> dict:
    return {"destination": to, "type": "bind", "source": str(source), "options": ["bind", "nosuid", "nodev", "noexec", *more]}


def way_of(kubeconfig: Path) -> tuple[str, str]:
    """Host and port of its server, and the file with the CA; the rest is the ServiceAccount's, as in any pod."""
    config = load_yaml(kubeconfig)[0]
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    if "token" not in user:
        raise Skip("in a container the program has the pod's ServiceAccount and no other credential")
    return cluster["server"].removeprefix("https://").rstrip("/"), cluster["certificate-authority"]


def pid_space(pid: int) -> str | None:
    try:
        return os.readlink(f"/proc/{pid}/ns/pid")
    except OSError:
        return None


class Container(Provider):
    image: Image
    kube: AccountKube
    started = 0             # how many there were
    namespace = "garden"

    def __init__(self, build: Path, directory: Path, kubeconfig: Path, *args: object, **options: object) -> None:
        super().__init__(build, directory, kubeconfig, *args, **options)
        self.server, self.ca_file = way_of(kubeconfig)
        self.image = type(self).image                   # also when it is started again
        self.given = dict(options.get("env") or {})     # what its environment has of the case
        self.token = self.kube.another_token()
        self.id = f"pp-{uuid.uuid4().hex[:12]}"
        self.state = directory / "crun"
        self.bundle = directory / "bundle"
        self.inside: dict[int, int] = {}        # pid in the container: pid here
        self.in_place = self._programs_of_the_case()    # files of the image, and what is to be in their place

    def crun(self, *args: str, check: bool = True) -> subprocess.CompletedProcess:
        done = subprocess.run([*CRUN, "--root", str(self.state), "--cgroup-manager=cgroupfs", *args], capture_output=True, text=True,
                              timeout=60)
        if check and done.returncode != 0:
            raise Failure(f"crun {' '.join(args)}: {done.stderr.strip()}")
        return done

    # -- what crun is told

    def _bundle(self) -> None:
        record, config, account = (self.directory / name for name in ("record", "config", "account"))
        for folder in (record, config, account, self.bundle):
            folder.mkdir(exist_ok=True)
        (account / "token").write_text(self.token)
        (account / "namespace").write_text(self.namespace)
        shutil.copy(self.ca_file, account / "ca.crt")
        shutil.copy(REPO / "example/00-componentconfig.yaml", config / "config.yaml")
        ca = next((a.split("=", 1)[1] for a in self.argv if a.startswith("--packet-ca-file=")), None)
        if ca:
            shutil.copy(ca, config / "packet-ca.crt")
        os.chown(record, USER, USER)
        # The case's folder is the tester's own; nothing above it is seen from inside.
        (self.bundle / "config.json").write_text(json.dumps(self._specification(record, config, account)))

    def _args(self) -> list[str]:
        """The flags of the program outside, with the paths as they are inside; the socket's folder by default."""
        own = {"--config-file": "/config/config.yaml", "--packet-ca-file": "/config/packet-ca.crt", "--record": "/record"}
        start = next(i for i, a in enumerate(self.argv) if a.endswith("/gardener-extension-provider-packet"))
        flags = [a for a in self.argv[start + 1:] if not a.startswith("--runtime-dir=")]
        return self.image.config["Entrypoint"] + [f"{name}={own.get(name, value)}" for name, _, value in (a.partition("=") for a in flags)]

    def _programs_of_the_case(self) -> dict[str, Path]:
        """A case's own programs take their places in the image; there they are always looked for at the same place."""
        folder = self.given.pop("PROVIDER_PACKET_LIBEXEC", None)
        return {f"/usr/libexec/{p.name}": p.resolve() for p in Path(folder).iterdir()} if folder else {}

    def _volumes(self) -> list[dict]:
        """What it may write."""
        os.chown(self.runtime, USER, USER)
        return [bind(self.runtime, RUNTIME, "rw")]

    def _specification(self, record: Path, config: Path, account: Path) -> dict:
        host, port = self.server.rsplit(":", 1)
        env = {**self.given, **dict(e.split("=", 1) for e in self.image.config["Env"]), "KUBERNETES_SERVICE_HOST": host,
               "KUBERNETES_SERVICE_PORT": port, "LEADER_ELECTION_NAMESPACE": "garden", "E2E_PROVIDER_RUN": self.run_id}
        none: dict[str, list] = {k: [] for k in ("bounding", "effective", "permitted", "inheritable", "ambient")}
        limits = {"memory": {"memory": {"limit": MEMORY, "swap": MEMORY}}, "pids": {"pids": {"limit": PIDS}}}
        return {
            "ociVersion": "1.0.2", "hostname": self.id,
            "process": {"terminal": False, "user": {"uid": USER, "gid": USER}, "args": self._args(),
                        "env": [f"{k}={v}" for k, v in env.items()], "cwd": "/", "capabilities": none, "noNewPrivileges": True},
            "root": {"path": str(self.image.root), "readonly": True},
            "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"},
                       {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755", "size=64k"]},
                       *self._volumes(), bind(record, "/record", "rw"), bind(config, "/config", "ro"),
                       bind(account, ACCOUNT_DIR, "ro"), bind("/etc/hosts", "/etc/hosts", "ro"),
                       *({**bind(ours, there, "ro"), "options": ["bind", "ro"]} for there, ours in self.in_place.items())],
            "linux": {"namespaces": [{"type": t} for t in ("pid", "mount", "ipc", "uts")], "cgroupsPath": f"/{self.id}",
                      "resources": {k: v for c in controllers() for k, v in limits[c].items()}},
        }

    # -- as Provider has it

    def start(self, wait: bool = True) -> "Container":
        self._bundle()
        Container.started += 1
        self.child = Child("provider", [*CRUN, "--root", str(self.state), "--cgroup-manager=cgroupfs", "run", "-b",
                                        str(self.bundle), self.id], self.directory)
        if wait:
            self.wait_ready()
        return self

    @property
    def credential(self) -> str:
        """How the audit log calls its token."""
        claims = self.token.split(".")[1]
        return "JTI=" + json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["jti"]

    def complaints(self, secrets: list[str]) -> list[str]:
        return super().complaints([*secrets, self.token])

    def supervisor(self) -> int:
        self._map()
        return self.inside[1]

    def kill_supervisor(self) -> None:
        os.kill(self.supervisor(), signal.SIGKILL)
        self.child.process.wait()
        self.crun("delete", "-f", self.id, check=False)

    def execute(self, *command: str, env: str = "", check: bool = True) -> subprocess.CompletedProcess:
        """As `kubectl exec`: as the container's user (crun by itself would take root)."""
        return self.crun("exec", f"--user={USER}:{USER}", "--no-new-privs", *(["--env", "PATH=/usr/bin", "--env", env] if env else []), self.id, *command, check=check)

    def ask(self, *args: str) -> subprocess.CompletedProcess:
        return self.execute("packetctl", *args, check=False)

    def status(self, check: bool = True) -> dict:
        """With the pids of this side; the supervisor, which is 1 inside, is known too."""
        got = json.loads(self.packetctl("--json", "status", check=check) or "{}")
        self._map()
        for p in got.get("processes", []):
            p["pid"] = self.inside.get(p.get("pid", 0), 0)
            if p["pid"] > 0:
                self.seen[p["pid"]] = p["role"]
        return got

    def survivors(self) -> list[int]:
        """All of its pid namespace: the supervisor clears its children's environment.

        The namespace is looked up each time. Without its first process it has none any more, and its number may be another
        container's at once.
        """
        found = set(super().survivors())
        spaces = {pid_space(pid) for pid in found} - {None}
        found |= {pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if spaces and pid_space(pid) in spaces}
        return sorted(found)

    def _map(self) -> None:
        self.inside = {}
        for pid in self.survivors():
            try:
                line = next(n for n in Path(f"/proc/{pid}/status").read_text().splitlines() if n.startswith("NSpid:"))
            except (OSError, StopIteration):
                continue
            self.inside[int(line.split()[-1])] = pid
        if 1 in self.inside:
            self.seen[self.inside[1]] = "supervisor"

    def stop(self, sig: int = signal.SIGTERM, expect: int | None = 0) -> None:
        if not self.child:
            return
        begun = time.monotonic()
        self.status(check=False)
        self.crun("kill", self.id, str(int(sig)), check=False)
        try:
            code = self.child.process.wait(30)      # a kubelet waits no longer
        except subprocess.TimeoutExpired:
            raise Failure("the container had not ended 30 s after it was told to") from None
        self.child.stop()
        self.child = None
        if expect is not None and code != expect:
            raise Failure(f"the container ended with status {code}, expected {expect}, after {time.monotonic() - begun:.1f} s")
        self.crun("delete", "-f", self.id, check=False)
        self.assert_nothing_left()

    def abandon(self) -> None:
        if self.child:
            self.crun("delete", "-f", self.id, check=False)
        super().abandon()
