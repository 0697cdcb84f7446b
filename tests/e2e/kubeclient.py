"""A small Kubernetes client for the tests: JSON over HTTPS with a bearer token, one kept connection per thread.

Knows paths and patches, no caching and no retries of its own (save a kept connection that the server closed).
Used by the cases, the runner and the demo; the program under test has its own client.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
import subprocess
import threading
import urllib.parse
from pathlib import Path
from typing import Any, Iterator

import yaml

EXTENSIONS = "/apis/extensions.gardener.cloud/v1alpha1"
MERGE = "application/merge-patch+json"


class ApiError(Exception):
    def __init__(self, method: str, path: str, code: int, body: str) -> None:
        super().__init__(f"{method} {path}: {code} {body[:300]}")
        self.code = code


def path_of(kind: str, namespace: str = "", name: str = "") -> str:
    """The path of a collection or object of the kinds that the tests handle."""
    group, plural, namespaced = KINDS[kind]
    path = group
    if namespaced and namespace:
        path += f"/namespaces/{namespace}"
    path += f"/{plural}"
    return path + (f"/{name}" if name else "")


KINDS = {
    "Namespace": ("/api/v1", "namespaces", False),
    "Secret": ("/api/v1", "secrets", True),
    "Event": ("/api/v1", "events", True),
    "Lease": ("/apis/coordination.k8s.io/v1", "leases", True),
    "Cluster": (EXTENSIONS, "clusters", False),
    "Infrastructure": (EXTENSIONS, "infrastructures", True),
    "CustomResourceDefinition": ("/apis/apiextensions.k8s.io/v1", "customresourcedefinitions", False),
    "ClusterRole": ("/apis/rbac.authorization.k8s.io/v1", "clusterroles", False),
    "ClusterRoleBinding": ("/apis/rbac.authorization.k8s.io/v1", "clusterrolebindings", False),
}


class KubeClient:
    def __init__(self, url: str, token: str = "", ca_file: str | Path | None = None, cert: tuple[str, str] | None = None,
                 insecure: bool = False) -> None:
        u = urllib.parse.urlsplit(url)
        self.host, self.port, self.tls = u.hostname, u.port or (443 if u.scheme == "https" else 80), u.scheme == "https"
        self.prefix = u.path.rstrip("/")
        self.token = token
        self._local = threading.local()
        self._context = None
        if self.tls:
            self._context = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
            if insecure:
                self._context.check_hostname, self._context.verify_mode = False, ssl.CERT_NONE
            if cert:
                self._context.load_cert_chain(*cert)

    def connect(self, timeout: float = 30) -> http.client.HTTPConnection:
        if self.tls:
            return http.client.HTTPSConnection(self.host, self.port, timeout=timeout, context=self._context)
        return http.client.HTTPConnection(self.host, self.port, timeout=timeout)

    def headers(self, content_type: str | None = None) -> dict[str, str]:
        h = {"Accept": "application/json"}
        if self.token:
            h["Authorization"] = f"Bearer {self.token}"
        if content_type:
            h["Content-Type"] = content_type
        return h

    def request(self, method: str, path: str, body: Any = None, content_type: str = "application/json") -> Any:
        """The decoded answer (text if it is no JSON). ApiError for 4xx and 5xx, OSError if the server cannot be reached."""
        data = json.dumps(body).encode() if body is not None else None
        headers = self.headers(content_type if data is not None else None)
        for attempt in (1, 2):
            kept = getattr(self._local, "connection", None)
            connection = kept or self.connect()
            try:
                connection.request(method, self.prefix + path, body=data, headers=headers)
                answer = connection.getresponse()
                text = answer.read().decode(errors="replace")
                break
            except (OSError, http.client.HTTPException) as e:
                connection.close()
                self._local.connection = None
                if not kept or attempt == 2:
                    raise OSError(f"{method} {path}: {e}") from e
        self._local.connection = None if answer.will_close else connection
        if answer.status >= 400:
            raise ApiError(method, path, answer.status, text)
        try:
            return json.loads(text)
        except ValueError:
            return text

    def get(self, kind: str, namespace: str, name: str) -> dict | None:
        """The object, or None when there is none."""
        try:
            return self.request("GET", path_of(kind, namespace, name))
        except ApiError as e:
            if e.code == 404:
                return None
            raise

    def list(self, kind: str, namespace: str = "") -> dict:
        return self.request("GET", path_of(kind, namespace))

    def create(self, obj: dict) -> dict:
        return self.request("POST", path_of(obj["kind"], obj["metadata"].get("namespace", "")), obj)

    def patch(self, kind: str, namespace: str, name: str, patch: dict, sub: str = "") -> dict:
        return self.request("PATCH", path_of(kind, namespace, name) + sub, patch, MERGE)

    def delete(self, kind: str, namespace: str, name: str) -> bool:
        """Asks for the deletion; False if the object was not there."""
        try:
            self.request("DELETE", path_of(kind, namespace, name))
            return True
        except ApiError as e:
            if e.code == 404:
                return False
            raise

    def apply(self, obj: dict) -> str:
        """Creates the object, or merges its fields into the one that is there. "created" or "configured"."""
        try:
            self.create(obj)
            return "created"
        except ApiError as e:
            if e.code != 409:
                raise
        meta = obj["metadata"]
        self.patch(obj["kind"], meta.get("namespace", ""), meta["name"], obj)
        return "configured"

    def open_watch(self, path: str, resource_version: str) -> "Watch":
        """A watch from that version on; iterate over it for the events, close() it from any thread to end it."""
        return Watch(self, f"{path}?watch=1&resourceVersion={resource_version}")


class Watch:
    def __init__(self, client: KubeClient, path: str) -> None:
        self._connection = client.connect()
        self._connection.request("GET", client.prefix + path, headers=client.headers())
        self._answer = self._connection.getresponse()
        if self._answer.status >= 400:
            text = self._answer.read().decode(errors="replace")
            self._connection.close()
            raise ApiError("WATCH", path, self._answer.status, text)
        self._socket = self._connection.sock or self._answer.fp.raw._sock
        self._socket.settimeout(None)

    def __iter__(self) -> Iterator[dict]:
        rest = b""
        while piece := self._answer.read1(65536):
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                if line.strip():
                    yield json.loads(line)

    def close(self) -> None:
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._connection.close()


def load_yaml(path: str | Path) -> list[dict]:
    with open(path, encoding="utf-8") as f:
        return [d for d in yaml.safe_load_all(f) if d]


def from_kubeconfig(path: str | Path) -> KubeClient:
    """A client from the current context of a kubeconfig file: tokens, token files and client certificates as files or inline."""
    with open(path, encoding="utf-8") as f:
        config = yaml.safe_load(f)
    named = {part: {x["name"]: x for x in config.get(part) or []} for part in ("contexts", "clusters", "users")}
    context = named["contexts"][config["current-context"]]["context"]
    cluster = named["clusters"][context["cluster"]]["cluster"]
    user = (named["users"].get(context.get("user", ""), {}).get("user")) or {}
    base = Path(path).parent
    files = {k: _as_file(src, k, base) for src, k in ((cluster, "certificate-authority"), (user, "client-certificate"),
                                                     (user, "client-key"))}
    token = user.get("token", "")
    if not token and user.get("tokenFile"):
        token = (base / user["tokenFile"]).read_text().strip()
    if not token and not files["client-certificate"]:
        raise ValueError(f"{path}: the user of the current context has neither token nor client certificate")
    cert = (files["client-certificate"], files["client-key"]) if files["client-certificate"] else None
    return KubeClient(cluster["server"], token, files["certificate-authority"], cert,
                      bool(cluster.get("insecure-skip-tls-verify")))


def _as_file(source: dict, key: str, base: Path) -> str | None:
    if source.get(key):
        return str(base / source[key])
    if not source.get(f"{key}-data"):
        return None
    import base64
    import tempfile
    with tempfile.NamedTemporaryFile("wb", delete=False, prefix="kubeconfig-") as f:
        f.write(base64.b64decode(source[f"{key}-data"]))
    import atexit
    atexit.register(lambda: os.path.exists(f.name) and os.unlink(f.name))
    return f.name


def write_kubeconfig(path: Path, url: str, ca_file: Path, user: str, token: str) -> None:
    config = {
        "apiVersion": "v1", "kind": "Config", "current-context": user,
        "clusters": [{"name": "test", "cluster": {"server": url, "certificate-authority": str(ca_file)}}],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [{"name": user, "context": {"cluster": "test", "user": user}}],
    }
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    path.chmod(0o600)


def kubectl(program: str | Path, kubeconfig: Path, *args: str, stdin: str | None = None, check: bool = True) -> str:
    """Runs kubectl and returns its output; its own complaint is part of the exception when it fails."""
    done = subprocess.run([str(program), "--kubeconfig", str(kubeconfig), *args], input=stdin, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=180,
                          env={"PATH": os.environ.get("PATH", ""), "HOME": str(kubeconfig.parent)})
    if check and done.returncode != 0:
        raise AssertionError(f"kubectl {' '.join(args)}: status {done.returncode}: {done.stderr.strip()}")
    return done.stdout
