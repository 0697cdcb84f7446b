"""Cases of the process tree: command line, signals, deaths and hangs of each role, what is left behind."""

from __future__ import annotations

import signal
import subprocess

from .cases_basic import check_succeeded
from .harness import T, case
from .procs import REPO, SCALE, wait_for
from .shoot import new_key


def replaced(t: T, role: str, slot: int, before: int, seconds: float = 60) -> None:
    def probe() -> bool:
        found = [p for p in t.provider.status(check=False).get("processes", []) if p["role"] == role and p["slot"] == slot]
        return bool(found) and found[0]["incarnation"] > before and found[0]["state"] == "ready"
    wait_for(f"{role} {slot} to be replaced", probe, seconds)


@case(kubernetes=(34,))
def each_role_dies_once(t: T) -> None:
    """SIGKILL of each role: a successor with a new incarnation, work goes on, no object shows Error."""
    t.start()
    shoots = [t.shoot().create()]
    shoots[0].wait_state("Succeeded")
    for role in ("worker", "packet-gateway", "watcher"):
        victim = t.provider.processes(role)[0]
        t.check(t.provider.kill(victim["pid"]), f"{role} was gone")
        replaced(t, role, victim["slot"], victim["incarnation"])
        shoots.append(t.shoot().create())
        shoots[-1].wait_state("Succeeded")
    for s in shoots:
        check_succeeded(t, s)
        t.check_never(s, "Error")
    t.check(t.provider.child.alive(), "the supervisor ended")


@case
def hung_worker_is_replaced(t: T) -> None:
    """A worker that stops beating is noticed, killed and replaced; work goes on meanwhile."""
    t.start()
    s = t.shoot().create()
    s.wait_state("Succeeded")
    victim = t.provider.processes("worker")[0]
    t.provider.kill(victim["pid"], signal.SIGSTOP)
    others = [t.shoot().create() for _ in range(6)]
    for o in others:
        o.wait_state("Succeeded", seconds=120)
    replaced(t, "worker", victim["slot"], victim["incarnation"], seconds=120)


@case
def supervisor_dies(t: T) -> None:
    """SIGKILL of the supervisor: every child ends with it; the next start in the same runtime directory converges."""
    first = t.start()
    first.status()
    s = t.shoot().create()
    s.wait_state("Succeeded")
    pending = [t.shoot().create() for _ in range(5)]
    first.kill_supervisor()
    wait_for("the children to end", lambda: not first.survivors(), seconds=15)
    t.start(runtime=first.runtime)
    for p in pending:
        p.wait_state("Succeeded")
        check_succeeded(t, p, None)
    s.set_key(new_key(), "reconcile")
    s.wait_state("Succeeded", "Reconcile")


@case(gardener=(66,), kubernetes=(70,))
def stop_by_packetctl(t: T) -> None:
    """packetctl stop ends the program in order, with status 0."""
    t.start()
    t.provider.packetctl("stop")
    wait_for("the program to end", lambda: not t.provider.child.alive(), seconds=40)
    t.equal(t.provider.child.process.returncode, 0, "exit status")
    t.provider.assert_nothing_left()
    t.start()


@case(gardener=(66,))
def stop_by_sigint(t: T) -> None:
    """SIGINT in the middle of work is an ordered stop as well, and the next start finishes the work."""
    first = t.start(packet={"latency_ms": 100})
    shoots = [t.shoot().create() for _ in range(8)]
    first.stop(signal.SIGINT)
    t.start()
    for s in shoots:
        s.wait_state("Succeeded")
        check_succeeded(t, s, None)
    t.equal(len(t.packet.keys()), len(shoots), "number of keys")


def refused(t: T, *argv: str) -> str:
    """Runs the program with these flags; it must end by itself with a status other than 0. Returns what it said."""
    done = subprocess.run([str(t.build / "bin/gardener-extension-provider-packet"), *argv], text=True, timeout=30 * SCALE,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          env={"KUBECONFIG": str(t.kube.provider_kubeconfig), "LEADER_ELECTION_NAMESPACE": "garden",
                               "PATH": "/usr/bin:/bin", "XDG_RUNTIME_DIR": str(t.directory)})
    t.check(done.returncode > 0, f"{argv}: status {done.returncode}: {done.stdout[:300]}")
    return done.stdout


@case(gardener=(62,))
def wrong_command_lines(t: T) -> None:
    """Unknown flags, names and values, a missing config file and contradicting worker counts end the start with a reason."""
    config = f"--config-file={REPO / 'example/00-componentconfig.yaml'}"
    t.check("config" in refused(t).lower(), "no word about the config file")
    t.check("no-such-flag" in refused(t, config, "--no-such-flag=1"), "the unknown flag is not named")
    for wrong in ("--log-level=loud", "--log-format=xml", "--controllers=nosuch", "--disable-controllers=nosuch",
                  "--heartbeat-renew-interval-seconds=0", "--workers=0", "--leader-election=perhaps"):
        t.check(refused(t, config, wrong).strip(), f"{wrong}: no reason was given")
    both = refused(t, config, "--workers=3", "--infrastructure-max-concurrent-reconciles=4")
    t.check("workers" in both, f"contradicting worker counts: {both[:200]}")
    t.check(refused(t, "--config-file=/nonexistent").strip(), "a config file that is not there: no reason was given")


@case
def versions(t: T) -> None:
    """--version of every binary and the first line of the log say what stands in VERSION."""
    version = (REPO / "VERSION").read_text().strip()
    for program in ("bin/gardener-extension-provider-packet", "bin/packetctl", "libexec/watcher", "libexec/worker",
                    "libexec/packet-gateway", "libexec/exporter"):
        done = subprocess.run([str(t.build / program), "--version"], text=True, timeout=30, stdout=subprocess.PIPE)
        t.equal(done.returncode, 0, f"status of {program} --version")
        t.check(version in done.stdout, f"{program} --version says {done.stdout!r}")
    t.start()
    first = t.provider.log.read_text().splitlines()[0]
    t.check(version in first, f"first line of the log: {first}")
    t.equal(t.provider.status()["version"], version, "version in packetctl status")
    s = t.shoot().create()
    s.wait_state("Succeeded")
    agents = {e["headers"].get("user-agent", "") for e in t.packet.ledger()}
    t.check(all(version in a for a in agents), f"User-Agent {agents}")
