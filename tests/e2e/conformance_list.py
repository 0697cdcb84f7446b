"""The questions that the real API server and the simulator must answer alike; each is one request.

Owns the list only. They run in order on one namespace of each server. `leave_out` says where the simulator differs on
purpose, and why.
"""

from __future__ import annotations

from typing import Any

from .conformance import Ask

NS = "conformance"
INFRAS = f"/apis/extensions.gardener.cloud/v1alpha1/namespaces/{NS}/infrastructures"
CORE = f"/api/v1/namespaces/{NS}"
LEASES = f"/apis/coordination.k8s.io/v1/namespaces/{NS}/leases"
MERGE, JSONPATCH = "application/merge-patch+json", "application/json-patch+json"
STRATEGIC, APPLY = "application/strategic-merge-patch+json", "application/apply-patch+yaml"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
PARTIAL = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io,application/json"
PARTIALS = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json"
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
GO_TEXT = {"body.message": "the text is that of Go's decoder"}
INITIAL = "watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"


def infra(name: str, **more: Any) -> dict:
    meta = {"name": name, **more.pop("metadata", {})}
    spec = {"type": "packet", "region": "ewr1", "secretRef": {"name": "cloudprovider", "namespace": NS}, **more.pop("spec", {})}
    return {"apiVersion": "extensions.gardener.cloud/v1alpha1", "kind": "Infrastructure", "metadata": meta, "spec": spec, **more}


def lease(name: str, **spec: Any) -> dict:
    return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": name}, "spec": spec}


def event(name: str, namespace: str = NS, **more: Any) -> dict:
    return {"apiVersion": "v1", "kind": "Event", "metadata": {"name": name}, "type": "Normal", "reason": "Tested",
            "message": "m", "involvedObject": {"kind": "Infrastructure", "namespace": namespace, "name": "a"}, **more}


def patch(about: str, path: str, body: Any, type: str = MERGE, **more: Any) -> Ask:
    return Ask(about, "PATCH", path, body, type, **more)


CREATE = [
    Ask("a namespace", "POST", "/api/v1/namespaces", {"metadata": {"name": NS}}),
    Ask("the same again", "POST", "/api/v1/namespaces", {"metadata": {"name": NS}}),
    Ask("an object", "POST", INFRAS, infra("a", metadata={"labels": {"x": "y", "n": "1"}}),
        keep={"uid": "metadata.uid", "rv": "metadata.resourceVersion"}),
    Ask("a second", "POST", INFRAS, infra("b", metadata={"labels": {"x": "z"}}), keep={"rv_b": "metadata.resourceVersion"}),
    Ask("a third, with a status", "POST", INFRAS, infra("c", status={"nodesCIDR": "10.0.0.0/8"})),
    Ask("one that is there", "POST", INFRAS, infra("a")),
    Ask("a generated name", "POST", INFRAS, infra("", metadata={"name": "", "generateName": "g-"}),
        keep={"generated": "metadata.name"}),
    Ask("that one goes", "DELETE", INFRAS + "/$generated"),
    Ask("with a resource version", "POST", INFRAS, infra("v", metadata={"resourceVersion": "1"})),
    Ask("in no namespace", "POST", INFRAS.replace(NS, "nowhere"), infra("a")),
    Ask("in a namespace that the body denies", "POST", INFRAS, infra("a2", metadata={"namespace": "default"})),
    Ask("another version", "POST", INFRAS, infra("a2") | {"apiVersion": "extensions.gardener.cloud/v1"}, leave_out={"headers.Warning": "the real server has unknown fields in every version but its own"}),
    Ask("another kind", "POST", INFRAS, infra("a2") | {"kind": "Worker"}),
    Ask("no kind", "POST", INFRAS, {"metadata": {"name": "a2"}}, leave_out=GO_TEXT),
    Ask("no JSON", "POST", INFRAS, "{", leave_out=GO_TEXT),
    Ask("no body", "POST", INFRAS, "", leave_out=GO_TEXT),
    Ask("an unfit name", "POST", INFRAS, infra("A_b")),
    Ask("an unfit label", "POST", INFRAS, infra("l", metadata={"labels": {"x": "-"}})),
    Ask("an unfit label key", "POST", INFRAS, infra("l", metadata={"labels": {"-": "x"}})),
    Ask("a label that is a number", "POST", INFRAS, infra("l", metadata={"labels": {"x": 1}}), leave_out=GO_TEXT),
    Ask("an unfit finalizer", "POST", INFRAS, infra("l", metadata={"finalizers": ["a b"]})),
    Ask("no name", "POST", INFRAS, {"apiVersion": "extensions.gardener.cloud/v1alpha1", "kind": "Infrastructure",
                                    "metadata": {}, "spec": infra("x")["spec"]}),
    Ask("no spec", "POST", INFRAS, {k: v for k, v in infra("l").items() if k != "spec"}),
    Ask("a number for a text", "POST", INFRAS, infra("l", spec={"region": 1})),
    Ask("an unknown field, strict", "POST", INFRAS + "?fieldValidation=Strict", infra("l", spec={"extra": 1})),
    Ask("an unknown field, warned of", "POST", INFRAS + "?fieldValidation=Warn&dryRun=All", infra("l", spec={"extra": 1})),
    Ask("an unknown field, dropped", "POST", INFRAS + "?fieldValidation=Ignore&dryRun=All", infra("l", spec={"extra": 1})),
    Ask("on trial", "POST", INFRAS + "?dryRun=All", infra("trial")),
    Ask("and it is not there", "GET", INFRAS + "/trial"),
    Ask("an unknown dryRun", "POST", INFRAS + "?dryRun=Some", infra("l")),
    Ask("an unknown fieldValidation", "POST", INFRAS + "?fieldValidation=Maybe", infra("l")),
    Ask("an unknown parameter", "POST", INFRAS + "?dryRun=All&colour=blue", infra("l")),
    Ask("a type that is no JSON", "POST", INFRAS, infra("l"), type="text/plain"),
    Ask("a method that is not for collections", "PUT", INFRAS, infra("a")),
    Ask("a method that is not for objects", "POST", INFRAS + "/a", infra("a")),
    Ask("a long fieldManager", "POST", INFRAS + "?dryRun=All&fieldManager=" + 130 * "m", infra("l")),
]

READ = [
    Ask("an object", "GET", INFRAS + "/a"),
    Ask("any version of it", "GET", INFRAS + "/a?resourceVersion=0"),
    Ask("not older than", "GET", INFRAS + "/a?resourceVersion=$rv"),
    Ask("newer than there is", "GET", INFRAS + "/a?resourceVersion=99999999"),
    Ask("no number", "GET", INFRAS + "/a?resourceVersion=abc"),
    Ask("none such", "GET", INFRAS + "/none"),
    Ask("its status", "GET", INFRAS + "/a/status"),
    Ask("its scale", "GET", INFRAS + "/a/scale"),
    Ask("as a table", "GET", INFRAS + "/a", accept=TABLE),
    Ask("metadata only", "GET", INFRAS + "/a", accept=PARTIAL),
    Ask("as XML", "GET", INFRAS + "/a", accept="application/xml"),
    Ask("with a wrong token", "GET", INFRAS + "/a", token="wrong"),
    Ask("of an unknown kind", "GET", INFRAS.replace("infrastructures", "nothings")),
    Ask("of an unknown group", "GET", "/apis/none.example/v1/things"),
    Ask("an unknown path", "GET", "/none"),
]

LIST = [
    Ask("all", "GET", INFRAS, keep={"list_rv": "metadata.resourceVersion"}),
    Ask("any version", "GET", INFRAS + "?resourceVersion=0"),
    Ask("as a table", "GET", INFRAS, accept=TABLE),
    Ask("metadata only", "GET", INFRAS, accept=PARTIALS),
    Ask("page 1", "GET", INFRAS + "?limit=2", keep={"token": "metadata.continue"}),
    Ask("page 2", "GET", INFRAS + "?limit=2&continue=$token"),
    Ask("a page with a selector", "GET", INFRAS + "?limit=1&labelSelector=x"),
    Ask("limit with any version", "GET", INFRAS + "?limit=1&resourceVersion=0"),
    Ask("exactly that version", "GET", INFRAS + "?resourceVersion=$rv_b&resourceVersionMatch=Exact"),
    Ask("limit at that version", "GET", INFRAS + "?limit=1&resourceVersion=$rv_b"),
    Ask("continue with a version", "GET", INFRAS + "?limit=2&continue=$token&resourceVersion=$rv"),
    Ask("continue with a match", "GET", INFRAS + "?limit=2&continue=$token&resourceVersionMatch=Exact"),
    Ask("a token of our own", "GET", INFRAS + "?limit=2&continue=abc", leave_out=GO_TEXT),
    Ask("match alone", "GET", INFRAS + "?resourceVersionMatch=NotOlderThan"),
    Ask("exactly 0", "GET", INFRAS + "?resourceVersion=0&resourceVersionMatch=Exact"),
    Ask("another match", "GET", INFRAS + "?resourceVersion=$rv&resourceVersionMatch=Best"),
    Ask("newer than there is", "GET", INFRAS + "?resourceVersion=99999999"),
    Ask("no number", "GET", INFRAS + "?resourceVersion=abc"),
    Ask("no limit", "GET", INFRAS + "?limit=abc"),
    Ask("initial events", "GET", INFRAS + "?sendInitialEvents=true"),
    Ask("label =", "GET", INFRAS + "?labelSelector=x%3Dy"),
    Ask("label !=", "GET", INFRAS + "?labelSelector=x!%3Dy"),
    Ask("label in", "GET", INFRAS + "?labelSelector=x+in+(y,z),n"),
    Ask("label notin", "GET", INFRAS + "?labelSelector=x+notin+(y)"),
    Ask("label absent", "GET", INFRAS + "?labelSelector=!x"),
    Ask("label, broken", "GET", INFRAS + "?labelSelector=x%3D%3D%3Dy", leave_out=GO_TEXT),
    Ask("name", "GET", INFRAS + "?fieldSelector=metadata.name%3Db"),
    Ask("not that name", "GET", INFRAS + "?fieldSelector=metadata.name!%3Db"),
    Ask("a field that cannot be selected", "GET", INFRAS + "?fieldSelector=spec.region%3Dewr1"),
    Ask("a field selector, broken", "GET", INFRAS + "?fieldSelector=abc"),
    Ask("a timeout of a list", "GET", INFRAS + "?timeoutSeconds=5"),
]

WATCH = [
    Ask("from a version", "GET", INFRAS + "?watch=true&resourceVersion=$rv", events=2),
    Ask("of one name", "GET", INFRAS + "?watch=1&resourceVersion=$rv&fieldSelector=metadata.name%3Dc", events=1),
    Ask("of a label", "GET", INFRAS + "?watch=1&resourceVersion=0&labelSelector=x%3Dz", events=1),
    Ask("as a table", "GET", INFRAS + "?watch=1&resourceVersion=$rv", accept=TABLE, events=2),
    Ask("metadata only", "GET", INFRAS + "?watch=1&resourceVersion=$rv", accept=PARTIAL, events=1),
    Ask("ends at its timeout", "GET", INFRAS + "?watch=1&resourceVersion=$list_rv&timeoutSeconds=1"),
    Ask("initial events", "GET", INFRAS + "?" + INITIAL, events=4),
    Ask("initial events of no kind", "GET", LEASES + "?" + INITIAL, events=1),
    Ask("initial events, no match", "GET", INFRAS + "?watch=1&sendInitialEvents=true&allowWatchBookmarks=true"),
    Ask("initial events, exact", "GET", INFRAS + "?watch=1&sendInitialEvents=true&resourceVersionMatch=Exact"),
    Ask("initial events, false", "GET", INFRAS + "?watch=1&sendInitialEvents=false&resourceVersionMatch=NotOlderThan"
        "&resourceVersion=$rv", events=1),
    Ask("match without initial events", "GET", INFRAS + "?watch=1&resourceVersionMatch=NotOlderThan&resourceVersion=$rv"),
    Ask("initial events not older than the future", "GET", INFRAS + "?" + INITIAL + "&resourceVersion=99999999"),
    Ask("from the future", "GET", INFRAS + "?watch=1&resourceVersion=99999999&timeoutSeconds=1"),
    Ask("a timeout that is no number", "GET", INFRAS + "?watch=1&timeoutSeconds=abc"),
    Ask("initial events of secrets", "GET", CORE + "/secrets?" + INITIAL, events=1),
    Ask("initial events of Events", "GET", CORE + "/events?" + INITIAL, events=1),
    Ask("no number", "GET", INFRAS + "?watch=1&resourceVersion=abc"),
    Ask("a field that cannot be selected", "GET", INFRAS + "?watch=1&fieldSelector=spec.region%3Dewr1"),
]

WRITE = [
    Ask("without a version", "PUT", INFRAS + "/a", infra("a")),
    Ask("with an old version", "PUT", INFRAS + "/b", infra("b", metadata={"resourceVersion": "1"})),
    Ask("no number as version", "PUT", INFRAS + "/b", infra("b", metadata={"resourceVersion": "abc"})),
    Ask("with another uid", "PUT", INFRAS + "/a", infra("a", metadata={"resourceVersion": "$rv", "uid": "u"})),
    Ask("another name", "PUT", INFRAS + "/a", infra("b", metadata={"resourceVersion": "$rv"})),
    Ask("none such", "PUT", INFRAS + "/none", infra("none", metadata={"resourceVersion": "$rv"})),
    Ask("as it should be", "PUT", INFRAS + "/a", infra("a", metadata={"resourceVersion": "$rv", "labels": {"x": "y"}},
                                                    spec={"region": "ams1"}), keep={"rv2": "metadata.resourceVersion"}),
    Ask("nothing new", "PUT", INFRAS + "/a", infra("a", metadata={"resourceVersion": "$rv2", "labels": {"x": "y"}},
                                                  spec={"region": "ams1"})),
    Ask("on trial", "PUT", INFRAS + "/a?dryRun=All", infra("a", metadata={"resourceVersion": "$rv2"})),
    Ask("status in the main object", "PUT", INFRAS + "/a", infra("a", metadata={"resourceVersion": "$rv2"},
                                                                spec={"region": "ams1"}, status={"nodesCIDR": "1.0.0.0/8"})),
    patch("labels", INFRAS + "/a", {"metadata": {"labels": {"x": None, "y": "z"}}}),
    patch("spec", INFRAS + "/a", {"spec": {"region": "ewr1"}}, keep={"rv3": "metadata.resourceVersion"}),
    patch("nothing", INFRAS + "/a", {}),
    patch("status in the main object", INFRAS + "/a", {"status": {"nodesCIDR": "10.0.0.0/8"}}),
    patch("status", INFRAS + "/a/status", {"status": {"nodesCIDR": "10.0.0.0/8"}}),
    patch("everything else at status", INFRAS + "/a/status", {"metadata": {"labels": {"q": "q"}}, "spec": {"region": "x"}}),
    patch("with an old version", INFRAS + "/a", {"metadata": {"resourceVersion": "$rv", "labels": {"w": "w"}}}),
    patch("status with an old version", INFRAS + "/a/status", {"metadata": {"resourceVersion": "$rv"},
                                                              "status": {"nodesCIDR": "11.0.0.0/8"}}),
    patch("another uid", INFRAS + "/a", {"metadata": {"uid": "00000000-0000-0000-0000-000000000000"}}),
    patch("another name", INFRAS + "/a", {"metadata": {"name": "q"}}),
    patch("generation", INFRAS + "/a", {"metadata": {"generation": 99}}),
    patch("a number for a text", INFRAS + "/a", {"spec": {"region": 5}}),
    patch("no object", INFRAS + "/a", "[]", leave_out=GO_TEXT),
    patch("no JSON", INFRAS + "/a", "{", leave_out=GO_TEXT),
    patch("of none", INFRAS + "/none", {"metadata": {"labels": {"x": "y"}}}),
    patch("on trial", INFRAS + "/a?dryRun=All", {"metadata": {"labels": {"t": "t"}}}),
    patch("strict", INFRAS + "/a?fieldValidation=Strict", {"spec": {"extra": 1}},
          leave_out={**GO_TEXT, "body.details.causes.0.message": "the real server puts the whole object into it"}),
    patch("warned of", INFRAS + "/a?fieldValidation=Warn", {"spec": {"extra": 1}}),
    patch("JSON patch", INFRAS + "/a", [{"op": "add", "path": "/metadata/labels/j", "value": "1"},
                                        {"op": "test", "path": "/spec/region", "value": "ewr1"}], JSONPATCH),
    patch("a test that fails", INFRAS + "/a", [{"op": "test", "path": "/spec/region", "value": "no"}], JSONPATCH),
    patch("a path that is not there", INFRAS + "/a", [{"op": "remove", "path": "/spec/none"}], JSONPATCH),
    patch("an unknown operation", INFRAS + "/a", [{"op": "turn", "path": "/spec"}], JSONPATCH),
    patch("an object as JSON patch", INFRAS + "/a", {"op": "add"}, JSONPATCH, leave_out=GO_TEXT),
    patch("strategic", INFRAS + "/a", {"metadata": {"labels": {"s": "s"}}}, STRATEGIC),
    patch("plain JSON as a patch", INFRAS + "/a", {"metadata": {"labels": {"s": "s"}}}, "application/json"),
]

APPLIES = [
    patch("apply without a manager", INFRAS + "/p", infra("p"), APPLY),
    patch("apply that creates", INFRAS + "/p?fieldManager=one", infra("p"), APPLY),
    patch("apply again", INFRAS + "/p?fieldManager=one", infra("p"), APPLY),
    patch("apply by another", INFRAS + "/p?fieldManager=two", infra("p", spec={"region": "ams1"}), APPLY),
    patch("apply by another, forced", INFRAS + "/p?fieldManager=two&force=true", infra("p", spec={"region": "ams1"}), APPLY),
    patch("apply with managedFields", INFRAS + "/p?fieldManager=one", infra("p", metadata={"managedFields": [{}]}), APPLY),
    patch("force without apply", INFRAS + "/p?force=true", {"metadata": {"labels": {"x": "y"}}}),
    Ask("that goes", "DELETE", INFRAS + "/p"),
]

DELETE = [
    patch("a finalizer", INFRAS + "/a", {"metadata": {"finalizers": ["example.com/hold"]}}),
    Ask("another uid", "DELETE", INFRAS + "/a", {"preconditions": {"uid": "00000000-0000-0000-0000-000000000000"}}),
    Ask("another version", "DELETE", INFRAS + "/a", {"preconditions": {"resourceVersion": "1"}}),
    Ask("on trial", "DELETE", INFRAS + "/b?dryRun=All"),
    Ask("an unknown policy", "DELETE", INFRAS + "/a", {"propagationPolicy": "Sideways"}),
    Ask("no JSON", "DELETE", INFRAS + "/a", "{", leave_out=GO_TEXT),
    Ask("with the finalizer", "DELETE", INFRAS + "/a", {"kind": "DeleteOptions", "apiVersion": "v1",
                                                      "preconditions": {"uid": "$uid"}}, keep={"rv4": "metadata.resourceVersion"}),
    Ask("again", "DELETE", INFRAS + "/a", {"propagationPolicy": "Background"}),
    patch("another finalizer", INFRAS + "/a", {"metadata": {"finalizers": ["example.com/hold", "example.com/more"]}}),
    patch("a label meanwhile", INFRAS + "/a", {"metadata": {"labels": {"late": "yes"}}}),
    Ask("one with that name", "POST", INFRAS, infra("a")),
    patch("the finalizer goes", INFRAS + "/a", {"metadata": {"finalizers": None}}),
    Ask("its label meanwhile, gone with it", "GET", INFRAS + "/a/status"),
    Ask("and so does it", "GET", INFRAS + "/a"),
    Ask("again", "DELETE", INFRAS + "/a"),
    Ask("its last events", "GET", INFRAS + "?watch=1&resourceVersion=$rv4", events=2),
    patch("its scale", INFRAS + "/b/scale", {"spec": {}}),
    Ask("without options", "DELETE", INFRAS + "/b"),
    Ask("by a selector", "DELETE", INFRAS + "?labelSelector=none"),
    Ask("all that is left", "DELETE", INFRAS),
    Ask("which is nothing", "GET", INFRAS),
]

BUILT_IN = [
    Ask("a secret", "POST", CORE + "/secrets", {"metadata": {"name": "s"}, "stringData": {"a": "b"}, "data": {"c": "ZA=="}}),
    Ask("a secret's broken base64", "POST", CORE + "/secrets", {"metadata": {"name": "t"}, "data": {"c": "*"}}),
    patch("a secret's type", CORE + "/secrets/s", {"type": "other"}),
    patch("a secret, strategic", CORE + "/secrets/s", {"data": {"a": None, "e": "ZA=="}}, STRATEGIC),
    Ask("secrets", "GET", CORE + "/secrets"),
    Ask("secrets as a table", "GET", CORE + "/secrets", accept=TABLE),
    Ask("a map", "POST", CORE + "/configmaps", {"metadata": {"name": "m"}, "data": {"a": "b"}}),
    Ask("a map of a number", "POST", CORE + "/configmaps", {"metadata": {"name": "n"}, "data": {"a": 1}}, leave_out=GO_TEXT),
    patch("a map", CORE + "/configmaps/m", {"data": {"c": "d"}}),
    Ask("a map without a version", "PUT", CORE + "/configmaps/m", {"metadata": {"name": "m"}, "data": {"x": "y"}}),
    Ask("a map's scale", "GET", CORE + "/configmaps/m/scale"),
    Ask("a method that is not for a map", "POST", CORE + "/configmaps/m", {"metadata": {"name": "m"}}),
    Ask("a method that is not for maps", "PUT", CORE + "/configmaps", {"metadata": {"name": "m"}}),
    Ask("a map, another kind", "POST", CORE + "/configmaps", {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "m"}},
        leave_out=GO_TEXT),
    Ask("a map goes, on trial", "DELETE", CORE + "/configmaps/m", {"propagationPolicy": "Background", "dryRun": ["All"]}),
    Ask("a map's options without sense", "DELETE", CORE + "/configmaps/m", "{", leave_out=GO_TEXT),
    Ask("a lease", "POST", LEASES, lease("l", holderIdentity="h", leaseDurationSeconds=15, leaseTransitions=0,
                                         acquireTime="2026-01-01T00:00:00.000000Z", renewTime="2026-01-01T00:00:00.000000Z"),
        keep={"lease_rv": "metadata.resourceVersion"}),
    Ask("a lease's coarse time", "POST", LEASES, lease("k", renewTime="2026-01-01T00:00:00Z")),
    Ask("a lease's fine time", "POST", LEASES, lease("k", renewTime="2026-01-01T00:00:00.000000000Z"), leave_out=GO_TEXT),
    Ask("a lease's time with an offset", "POST", LEASES + "?dryRun=All", lease("k", renewTime="2026-01-01T02:00:00.000000+02:00"),
        leave_out={"body.spec.renewTime": "the real server stores UTC, the simulator the text"}),
    Ask("a lease of no time", "POST", LEASES, lease("k", leaseDurationSeconds=0)),
    Ask("a lease without a version", "PUT", LEASES + "/l", lease("l", holderIdentity="i")),
    Ask("a lease, renewed", "PUT", LEASES + "/l", {**lease("l", holderIdentity="i", renewTime="2026-01-01T00:00:01.000000Z"),
                                                  "metadata": {"name": "l", "resourceVersion": "$lease_rv"}}),
    Ask("a lease, renewed too late", "PUT", LEASES + "/l", {**lease("l", holderIdentity="j"),
                                                           "metadata": {"name": "l", "resourceVersion": "$lease_rv"}}),
    Ask("leases", "GET", LEASES, accept="application/json"),
    Ask("an event", "POST", CORE + "/events", event("e", count=1, firstTimestamp="2026-01-01T00:00:00Z",
                                                   lastTimestamp="2026-01-01T00:00:00Z", source={"component": "c"})),
    Ask("an event of another namespace", "POST", CORE + "/events", event("f", "default")),
    Ask("an event's coarse time", "POST", CORE + "/events", event("f", eventTime="2026-01-01T00:00:00Z")),
    patch("an event counts", CORE + "/events/e", {"count": 2}, STRATEGIC),
    Ask("events of an object", "GET", CORE + "/events?fieldSelector=involvedObject.name%3Da,involvedObject.kind%3DInfrastructure"),
    Ask("events as a table", "GET", CORE + "/events", accept=TABLE),
    Ask("maps as a table", "GET", CORE + "/configmaps", accept=TABLE),
    Ask("leases as a table", "GET", LEASES, accept=TABLE),
    Ask("a namespace as a table", "GET", f"/api/v1/namespaces/{NS}", accept=TABLE),
    Ask("CRDs as a table", "GET", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/infrastructures.extensions.gardener.cloud",
        accept=TABLE),
    Ask("events of another", "GET", CORE + "/events?fieldSelector=involvedObject.name%3Dz"),
    Ask("what may I", "POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
        {"spec": {"resourceAttributes": {"namespace": NS, "verb": "list", "group": "extensions.gardener.cloud",
                                         "resource": "infrastructures"}}},
        leave_out={"body.status.reason": "it names the real server's authorizer", "body.metadata": "the real one adds null fields"}),
    Ask("the group", "GET", "/apis/extensions.gardener.cloud"),
    Ask("the group's resources", "GET", "/apis/extensions.gardener.cloud/v1alpha1",
        leave_out={"body.resources.*.storageVersionHash": "a hash of names in the real server's storage"}),
    Ask("an unknown group", "GET", "/apis/none.example"),
    Ask("the core group, aggregated", "GET", "/api", accept=AGGREGATED,
        leave_out={"body.items.0.versions.0.resources": "the simulator has fewer kinds"}),
    Ask("healthz", "GET", "/healthz"),
    Ask("readyz", "GET", "/readyz"),
]

ALL = [*CREATE, *READ, *LIST, *WATCH, *WRITE, *APPLIES, *DELETE, *BUILT_IN]
