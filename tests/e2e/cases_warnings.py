"""Cases of what the API server says beside its answers."""

from __future__ import annotations

import json

from .cases_basic import check_succeeded
from .harness import T, case
from .kubeclient import EXTENSIONS, path_of
from .procs import wait_for

WARNING = 'use another version, says "somebody"'


def deprecate(t: T, deprecated: bool) -> None:
    """Every answer about an Infrastructure carries the warning, or none does any more."""
    path = path_of("CustomResourceDefinition", "", "infrastructures.extensions.gardener.cloud")
    changes = [{"op": "add", "path": "/spec/versions/0/deprecated", "value": deprecated}]
    changes.append({"op": "add", "path": "/spec/versions/0/deprecationWarning", "value": WARNING} if deprecated else
                   {"op": "remove", "path": "/spec/versions/0/deprecationWarning"})
    t.client.request("PATCH", path, changes, "application/json-patch+json")

    def shown() -> bool:
        connection = t.client.connect()
        connection.request("GET", f"{EXTENSIONS}/infrastructures?limit=1", headers=t.client.headers())
        header = connection.getresponse().getheader("Warning")
        connection.close()
        return (header is not None) == deprecated
    wait_for("the server to take the change", shown, 20)


@case(kubernetes=(14,))
def a_warning_is_logged_once(t: T) -> None:
    """Each answer carries a 299 warning: everything works, and the log has the text once, whole."""
    deprecate(t, True)
    try:
        t.start()
        shoots = [t.shoot().create() for _ in range(3)]
        for s in shoots:
            s.wait_state("Succeeded")
            check_succeeded(t, s)
    finally:
        deprecate(t, False)
    lines = [json.loads(line) for line in t.provider_log().splitlines() if line.startswith("{")]
    told = [line for line in lines if line["msg"] == "the API server warns"]
    t.equal([(line["level"], line["warning"]) for line in told], [("info", WARNING)], "warnings in the log")
