"""One Shoot's objects on the seed: Namespace, Secret, Cluster, Infrastructure, made and changed the way gardenlet does.

Knows shapes only; what the program must do with them is in the cases.
"""

from __future__ import annotations

import base64
import datetime
import os
import struct
import time

from .kubeclient import KubeClient
from .procs import Failure, wait_for

FINALIZER = "extensions.gardener.cloud/infrastructure"
OPERATION = "gardener.cloud/operation"
TIMESTAMP = "gardener.cloud/timestamp"
CONFIRM = "confirmation.gardener.cloud/deletion"
PROVIDER_API = "packet.provider.extensions.gardener.cloud/v1alpha1"
NAME = "infrastructure"


def new_key() -> str:
    """A fresh authorized_keys line, well-formed like gardenlet's (the private half never existed)."""
    def field(b: bytes) -> bytes:
        return struct.pack(">I", len(b)) + b
    blob = field(b"ssh-ed25519") + field(os.urandom(32))
    return "ssh-ed25519 " + base64.b64encode(blob).decode()


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def now_nano() -> str:
    ns = time.time_ns()
    t = datetime.datetime.fromtimestamp(ns // 10**9, datetime.timezone.utc)
    return t.strftime("%Y-%m-%dT%H:%M:%S") + f".{ns % 10**9:09d}Z"


class Shoot:
    """Handles of one Shoot. Nothing is created until create() or one of the make_* calls."""

    def __init__(self, client: KubeClient, namespace: str, token: str, project: str) -> None:
        self.client, self.namespace, self.token, self.project = client, namespace, token, project
        self.key = new_key()
        self.label = f"{namespace}-ssh-publickey"

    # -- what gardenlet creates

    def create(self, secret: dict[str, str] | None = None, cluster: bool = True, annotations: dict | None = None,
               shoot_state: str = "Succeeded", **spec: object) -> "Shoot":
        """All objects in gardenlet's order. spec members override the default; None leaves one out."""
        self.make_namespace()
        if secret is None:
            secret = {"apiToken": self.token, "projectID": self.project}
        if secret:
            self.make_secret(secret)
        if cluster:
            self.make_cluster(shoot_state)
        self.make_infrastructure(annotations, **spec)
        return self

    def make_namespace(self) -> None:
        self.client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {
            "name": self.namespace, "labels": {"gardener.cloud/role": "shoot", "shoot.gardener.cloud/provider": "packet"}}})

    def make_secret(self, data: dict[str, str]) -> None:
        """Creates the Secret or replaces all of its data."""
        body = {"apiVersion": "v1", "kind": "Secret", "type": "Opaque",
                "metadata": {"name": "cloudprovider", "namespace": self.namespace},
                "data": {k: b64(v) for k, v in data.items()}}
        old = self.client.get("Secret", self.namespace, "cloudprovider")
        if old is None:
            self.client.create(body)
            return
        gone = {k: None for k in old.get("data") or {} if k not in data}
        self.client.patch("Secret", self.namespace, "cloudprovider", {"data": {**body["data"], **gone}})

    def make_cluster(self, state: str = "Succeeded") -> None:
        self.client.create({
            "apiVersion": "extensions.gardener.cloud/v1alpha1", "kind": "Cluster", "metadata": {"name": self.namespace},
            "spec": {
                "cloudProfile": {"apiVersion": "core.gardener.cloud/v1beta1", "kind": "CloudProfile"},
                "seed": {"apiVersion": "core.gardener.cloud/v1beta1", "kind": "Seed"},
                "shoot": {"apiVersion": "core.gardener.cloud/v1beta1", "kind": "Shoot",
                          "metadata": {"name": self.namespace.removeprefix("shoot--"), "namespace": "garden-e2e",
                                       "uid": f"uid-of-{self.namespace}"},
                          "status": {"lastOperation": {"type": "Create", "state": state, "progress": 100,
                                                       "description": "by the test",
                                                       "lastUpdateTime": "2026-01-01T00:00:00Z"}}}}})

    def set_shoot_state(self, state: str) -> None:
        self.client.patch("Cluster", "", self.namespace,
                          {"spec": {"shoot": {"status": {"lastOperation": {"state": state}}}}})

    def make_infrastructure(self, annotations: dict | None = None, **spec: object) -> None:
        full = {"type": "packet", "region": "ewr1", "sshPublicKey": b64(self.key),
                "secretRef": {"name": "cloudprovider", "namespace": self.namespace},
                "providerConfig": {"apiVersion": PROVIDER_API, "kind": "InfrastructureConfig"}, **spec}
        meta: dict = {"name": NAME, "namespace": self.namespace}
        if annotations:
            meta["annotations"] = annotations
        self.client.create({"apiVersion": "extensions.gardener.cloud/v1alpha1", "kind": "Infrastructure", "metadata": meta,
                            "spec": {k: v for k, v in full.items() if v is not None}})

    # -- what gardenlet changes

    def patch(self, patch: dict) -> dict:
        return self.client.patch("Infrastructure", self.namespace, NAME, patch)

    def annotate(self, operation: str | None, **more: str) -> dict:
        """Sets (or takes off) the operation annotation together with a fresh timestamp, as gardenlet does."""
        return self.patch({"metadata": {"annotations": {OPERATION: operation, TIMESTAMP: now_nano(), **more}}})

    def set_key(self, line: str | None, operation: str | None = None) -> dict:
        patch: dict = {"spec": {"sshPublicKey": b64(line) if line is not None else None}}
        if operation:
            patch["metadata"] = {"annotations": {OPERATION: operation, TIMESTAMP: now_nano()}}
        if line is not None:
            self.key = line
        return self.patch(patch)

    def delete(self) -> None:
        """Confirmation, new timestamp, DELETE: gardenlet's Destroy."""
        self.patch({"metadata": {"annotations": {CONFIRM: "true", TIMESTAMP: now_nano()}}})
        self.client.delete("Infrastructure", self.namespace, NAME)

    def remove_by_force(self) -> None:
        """Takes everything away without asking the program (cleaning up after a case)."""
        if self.client.get("Infrastructure", self.namespace, NAME):
            self.client.delete("Infrastructure", self.namespace, NAME)
            if self.get():
                self.patch({"metadata": {"finalizers": None}})
        self.client.delete("Secret", self.namespace, "cloudprovider")
        self.client.delete("Cluster", "", self.namespace)

    # -- what can be seen

    def get(self) -> dict | None:
        return self.client.get("Infrastructure", self.namespace, NAME)

    def status(self) -> dict:
        return (self.get() or {}).get("status", {})

    def key_id(self) -> str | None:
        return (self.status().get("providerStatus") or {}).get("sshKeyID")

    def wait_state(self, state: str, kind: str | None = None, seconds: float = 60) -> dict:
        """The object as soon as its lastOperation is in that state (and of that type) for the present generation."""
        def probe() -> dict | None:
            obj = self.get()
            if not obj:
                return None
            s = obj.get("status", {})
            op = s.get("lastOperation", {})
            if op.get("state") != state or (kind and op.get("type") != kind):
                return None
            if state == "Succeeded" and (s.get("observedGeneration") != obj["metadata"].get("generation")
                                         or OPERATION in obj["metadata"].get("annotations", {})):
                return None
            return obj
        try:
            return wait_for(f"{self.namespace} to be {kind or 'any'}/{state}", probe, seconds)
        except Failure as e:
            raise Failure(f"{e}; its status is {self.status()}") from None

    def wait_gone(self, seconds: float = 60) -> None:
        try:
            wait_for(f"{self.namespace}'s Infrastructure to be gone", lambda: self.get() is None, seconds)
        except Failure as e:
            raise Failure(f"{e}; it is {self.get()}") from None
