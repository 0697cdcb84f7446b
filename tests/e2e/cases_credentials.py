"""Cases of credentials that a program named by the kubeconfig gives: exec plugins, here small shell scripts."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import yaml

from .cases_basic import check_succeeded
from .harness import T, case
from .procs import wait_for

V1 = "client.authentication.k8s.io/v1"
HINT = "get it at example.org"


def write_plugin(t: T, body: str) -> Path:
    """A kubeconfig with a plugin beside it that notes each run; $D is their folder, `token` prints a credential."""
    t.secrets.append(t.kube.provider_token)
    config = yaml.safe_load(t.kube.provider_kubeconfig.read_text())
    config["users"][0]["user"] = {"exec": {
        "command": "./plugin", "args": ["one", "$(two)"], "apiVersion": V1, "interactiveMode": "Never",
        "provideClusterInfo": True, "installHint": HINT, "env": [{"name": "ADDED", "value": "yes"}]}}
    path = t.directory / "exec.kubeconfig"
    path.write_text(yaml.safe_dump(config))
    (t.directory / "secret").write_text(t.kube.provider_token)
    plugin = t.directory / "plugin"
    plugin.write_text(f"""#!/bin/sh
D={t.directory}
token() {{ echo "{{\\"kind\\":\\"ExecCredential\\",\\"apiVersion\\":\\"{V1}\\",\\"status\\":{{\\"token\\":\\"$1\\"$2}}}}"; }}
echo run >>$D/runs
{body}
""")
    plugin.chmod(0o700)
    return path


def runs(t: T) -> int:
    path = t.directory / "runs"
    return len(path.read_text().split()) if path.exists() else 0


def said(t: T) -> dict:
    """What `packetctl status` says of the plugin."""
    watchers = t.provider.processes("watcher")
    return watchers[0].get("gauges", {}).get("exec_plugin", {}) if watchers else {}


@case(kubernetes=(10,))
def exec_plugin_gives_the_token(t: T) -> None:
    """The first token is refused with 401 and asked for again at once; each is used until it expires, and shown in status."""
    path = write_plugin(t, """echo "$KUBERNETES_EXEC_INFO" >$D/info; echo "$1|$2|$ADDED|$E2E_GIVEN" >$D/given; echo watch me >&2
[ $(wc -l <$D/runs) = 1 ] && token refused-by-the-server && exit
token $(cat $D/secret) ",\\"expirationTimestamp\\":\\"$(date -u -d '+6 seconds' +%FT%TZ)\\"" """)
    t.start(kubeconfig=path, env={"E2E_GIVEN": "handed down"})
    s = t.shoot().create()
    s.wait_state("Succeeded")
    check_succeeded(t, s)
    t.check(runs(t) >= 2, f"the plugin ran {runs(t)} times")
    info = json.loads((t.directory / "info").read_text())
    t.equal((info["kind"], info["apiVersion"], info["spec"]["interactive"]), ("ExecCredential", V1, False), "what it is told")
    t.equal(info["spec"]["cluster"]["server"], t.kube.url, "the server that it is told")
    t.check(info["spec"]["cluster"]["certificate-authority-data"], "it is told no CA")
    t.equal((t.directory / "given").read_text(), "one|$(two)|yes|handed down\n", "arguments and environment")
    wait_for("the plugin in status", lambda: said(t).get("command") == "plugin" and said(t)["goodUntil"], 20)
    t.check("exec plugin plugin: last run 2" in t.provider.packetctl("status"), "packetctl status does not show the plugin")
    log = t.provider_log()
    t.check("an exec plugin gives the credentials" in log, "the log does not name the plugin at the start")
    t.check("watch me" in log, "what the plugin says is not in the log")
    t.check(KUBE_401 in log, "nothing was answered 401")

    before = runs(t)
    ended = said(t)["goodUntil"]
    wait_for("the credential to expire and be asked for again",
             lambda: t.reconcile(s) is None and runs(t) > before and said(t)["goodUntil"] > ended, 20)
    check_succeeded(t, s, "Reconcile")
    t.equal(said(t)["lastError"], "", "last error")


KUBE_401 = '"status":401'


@case(kubernetes=(10,))
def exec_plugin_fails_and_heals(t: T) -> None:
    """No plugin, no request; the reason stands in log and status; it heals by itself. A killed watcher takes helper and plugin along."""
    path = write_plugin(t, "[ -e $D/slow ] && echo $$ >$D/slow-pid && sleep 1000\n[ -e $D/good ] || exit 3\ntoken $(cat $D/secret)")
    t.start_packet()
    t.start(kubeconfig=path)
    s = t.shoot().create()
    error = wait_for("the failure in status", lambda: said(t).get("lastError"), 20)
    t.check("exit code 3" in error and HINT in error, f"last error: {error}")
    t.check("exit code 3" in t.provider.packetctl("status"), "packetctl status does not show the error")
    t.equal(said(t)["goodUntil"], "", "until when a credential is good that there is not")
    t.equal(t.packet.calls(), [], "calls to Packet")
    (t.directory / "good").touch()
    s.wait_state("Succeeded")
    check_succeeded(t, s)

    (t.directory / "slow").touch()
    t.provider.kill(t.provider.processes("watcher")[0]["pid"])

    def slow_pid() -> int:
        at = t.directory / "slow-pid"
        return int(at.read_text() or 0) if at.exists() else 0
    plugin = wait_for("the slow plugin", slow_pid, 20)
    children = _children(plugin)
    (t.directory / "slow").unlink()
    t.provider.kill(t.provider.processes("watcher")[0]["pid"], signal.SIGKILL)
    wait_for("the plugin and its children to end", lambda: not any(_lives(p) for p in (plugin, *children)), 20)
    t.reconcile(s)
    check_succeeded(t, s, "Reconcile")


def _children(pid: int) -> list[int]:
    return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
