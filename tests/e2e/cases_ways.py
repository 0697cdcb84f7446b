"""Cases of the way to the API server: bytes that come singly, late or not at all, and servers that are set up in other ways.

The real server's own oddities (compaction, GOAWAY, no streaming lists, tokens that end) are brought about on a second
kube-apiserver on the same etcd, so that the cases' own client does not notice them.
"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Iterator

from .harness import T, case
from .kubeclient import ApiError, KubeClient, write_kubeconfig
from .mangler import Mangler
from .procs import Skip, wait_for
from .realkube import AnotherApiServer
from .shoot import NAME, new_key


@contextlib.contextmanager
def another(t: T, *flags: str) -> Iterator[AnotherApiServer]:
    if t.kube.kind != "real":
        raise Skip("only the real server has these flags")
    server = AnotherApiServer(t.kube, t.directory / "another", *flags)
    try:
        yield server.start()
    finally:
        server.stop()


@contextlib.contextmanager
def spoilt(t: T) -> Iterator[tuple[Mangler, Path]]:
    """A way that can be spoilt, and a kubeconfig that leads over it."""
    port = int(t.kube.url.rsplit(":", 1)[1].rstrip("/"))
    way, kubeconfig = Mangler(t.directory / "mangler", port, t.kube.ca_file), t.directory / "mangled.kubeconfig"
    write_kubeconfig(kubeconfig, way.url, way.ca_file, t.kube.user, t.kube.provider_token)
    try:
        yield way, kubeconfig
    finally:
        way.stop()


def life(t: T) -> None:
    """Objects are made, rotated and deleted, and each step is seen to its end."""
    kept, gone = t.shoot().create(), t.shoot().create()
    kept.wait_state("Succeeded")
    gone.wait_state("Succeeded")
    kept.set_key(new_key(), "reconcile")
    gone.delete()
    gone.wait_gone()
    kept.wait_state("Succeeded", "Reconcile")
    t.equal(len(t.keys(kept)), 1, "keys of the one that stays")


@case(kubernetes=(17,))
def every_byte_by_itself(t: T) -> None:
    """Answers and watch come one byte at a time: nothing is read wrong, nothing is listed or watched again."""
    since = t.kube.audit.mark()
    with spoilt(t) as (way, kubeconfig):
        way.bytewise = True
        t.start(kubeconfig=kubeconfig)
        life(t)
        t.check(way.bytes_sent > 20000, f"only {way.bytes_sent} bytes went by themselves")
        t.equal(len(t.kube.audit.streams(t.kube.user, since)), 1, "streams")
        t.equal(t.kube.audit.pages(t.kube.user, since), [], "pages")


@case(kubernetes=(20,))
def cut_within_an_event(t: T) -> None:
    """The watch breaks off within an event: it is taken up from the last version, without a list, and the event comes again."""
    audit, user = t.kube.audit, t.kube.user
    with spoilt(t) as (way, kubeconfig):
        t.start(kubeconfig=kubeconfig)
        life(t)
        since = audit.mark()
        for cuts, after in enumerate((1, 100, 700, 1500), 1):
            time.sleep(1.1)         # a stream that is younger and had no event would be waited for (kubernetes 2.5)
            way.cut_watch_after(after)
            t.shoot().create().wait_state("Succeeded")
            t.equal(way.cuts, cuts, "cuts")
        wait_for("the watch after the last cut", lambda: len(audit.streams(user, since)) >= 4)
        t.barrier()
        t.equal(audit.lists(user, since), [], "lists after the cuts")


@case(kubernetes=(20,))
def held_back_for_a_while(t: T) -> None:
    """No answer and no event comes through for some seconds: what was asked and what happened is dealt with afterwards, once."""
    audit, user = t.kube.audit, t.kube.user
    with spoilt(t) as (way, kubeconfig):
        t.start(kubeconfig=kubeconfig)
        life(t)
        since = audit.mark()
        way.hold()
        s = t.shoot().create()
        time.sleep(3)
        t.check(not s.get().get("status"), "an event came through")
        way.release()
        s.wait_state("Succeeded")
        t.equal(len(t.keys(s)), 1, "keys")
        t.equal(audit.lists(user, since), [], "lists")


@case(kubernetes=(18, 19))
def restarted_and_compacted(t: T) -> None:
    """The API server starts anew without the past that the watch wants to go on from: one list at the last version, nothing is missed."""
    with another(t) as server:
        t.start(kubeconfig=server.kubeconfig)
        old = t.shoot().create()
        old.wait_state("Succeeded")
        server.stop()
        t.shoot().make_namespace()       # the present is newer than anything that the watch has seen
        old.set_key(new_key(), "reconcile")
        fresh = t.shoot().create()
        t.kube.compact()
        since = server.audit.mark()
        server.start()
        fresh.wait_state("Succeeded", seconds=60)
        old.wait_state("Succeeded", "Reconcile", seconds=60)
        listed = server.audit.lists(t.kube.user, since)
        t.equal(len(listed), 1, f"lists ({listed})")
        t.check("resourceVersion=0" not in listed[0] and "resourceVersion=" in listed[0], f"the list was {listed[0]}")
        t.equal([len(t.keys(s)) for s in (old, fresh)], [1, 1], "keys")


@case(kubernetes=(26,))
def odd_api_server(t: T) -> None:
    """A server without streaming lists that ends connections at random: lists come by pages, everything is done once."""
    with another(t, "--goaway-chance=0.02", "--min-request-timeout=1", "--feature-gates=WatchList=false") as server:
        t.start(kubeconfig=server.kubeconfig)
        shoots = [t.shoot().create() for _ in range(60)]
        for s in shoots:
            s.wait_state("Succeeded")
        t.equal([len(t.keys(s)) for s in shoots], [1] * len(shoots), "keys of each")
        t.equal(sum(e["method"] == "POST" for e in t.packet.ledger()), len(shoots), "POSTs to Packet")
        t.check(all("limit=500" in u for u in server.audit.pages(t.kube.user)), "pages of another size")
        t.equal(len(server.audit.pages(t.kube.user)), 1, "lists by pages")
        for s in shoots:
            went = t.recorder.operations(s.namespace, NAME)
            t.equal(went, ["none", "Create/Processing", "Create/Succeeded"], f"what {s.namespace} went through")


ACCOUNT = {"kind": "ServiceAccount", "name": "provider-packet", "namespace": "garden"}
CORE = "/api/v1/namespaces/garden"


def give_account(client: KubeClient) -> None:
    """A ServiceAccount with exactly the program's rights."""
    client.request("POST", f"{CORE}/serviceaccounts", {"metadata": {"name": ACCOUNT["name"]}})
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "extensions.gardener.cloud:provider-packet"}
    client.create({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
                   "metadata": {"name": "account"}, "roleRef": role, "subjects": [ACCOUNT]})


def token_bound_to(client: KubeClient, secret: str) -> str:
    """A token of the account that ends when that Secret is deleted."""
    client.request("POST", f"{CORE}/secrets", {"metadata": {"name": secret}})
    uid = client.get("Secret", "garden", secret)["metadata"]["uid"]
    spec = {"expirationSeconds": 3600, "boundObjectRef": {"kind": "Secret", "apiVersion": "v1", "name": secret, "uid": uid}}
    review = client.request("POST", f"{CORE}/serviceaccounts/{ACCOUNT['name']}/token", {"spec": spec})
    return review["status"]["token"]


def is_refused(t: T, token: str) -> bool:
    try:
        KubeClient(t.kube.url, token, t.kube.ca_file).request("GET", "/api")
        return False
    except ApiError as e:
        return e.code == 401


@case(gardener=(64,), kubernetes=(7,), outside="it makes a ServiceAccount of its own")
def token_of_an_account_ends(t: T) -> None:
    """A ServiceAccount's token is replaced in its file, empty for a moment, and the old one ends: the new one is used, nothing is lost."""
    if t.kube.kind != "real":
        raise Skip("only the real server has ServiceAccounts")
    give_account(t.client)
    file = t.directory / "token"
    first, second = token_bound_to(t.client, "first"), token_bound_to(t.client, "second")
    t.secrets += [first, second]
    file.write_text(first)
    path = t.directory / "account.kubeconfig"
    write_kubeconfig(path, t.kube.url, t.kube.ca_file, "account", "")
    path.write_text(path.read_text().replace("token: ''", f"tokenFile: {file}"))
    t.start(kubeconfig=path)
    t.shoot().create().wait_state("Succeeded")
    file.write_text("")
    t.client.delete("Secret", "garden", "first")
    wait_for("the end of the first token", lambda: is_refused(t, first), seconds=60)
    s = t.shoot().create()      # the watch that is open goes on, its work is refused
    time.sleep(1)
    t.check(s.get().get("status", {}).get("lastOperation", {}).get("state") != "Succeeded", "it works without a token")
    file.write_text(second)
    s.wait_state("Succeeded", seconds=150)
    t.equal(len(t.keys(s)), 1, "keys")
    t.forgive_refusals()
