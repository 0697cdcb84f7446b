"""What a case gets (T), how cases are declared (@case), and how a list of them is run.

Owns the order of start and clean-up and the checks that hold for every case: no secret in logs or objects, no sanitizer
report, an ordered stop with status 0 that leaves nothing behind. Called by tests/e2e/run; cases live in cases_*.py.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
import time
import traceback
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable

from .gardenlet import not_ready
from .packetsim import PacketSim
from .procs import Failure, Skip, tail, wait_for
from .provider import Provider
from .recorder import Recorder
from .shoot import NAME, OPERATION, Shoot

CASES: dict[str, "Case"] = {}


@dataclass(frozen=True)
class Case:
    name: str
    run: Callable[["T"], None]
    about: str
    gardener: tuple[int, ...]      # the items of the Gardener contract's checklist that it shows
    packet: tuple[str, ...]        # those of the Packet contract's: "C-20", "S-21"
    kubernetes: tuple[int, ...]    # those of the Kubernetes contract's
    patient: bool                  # it mostly waits, for minutes: until an open attempt cannot take effect any more
    outside: str                   # why the program cannot be in a container for it (tests/image); "": it can


def case(run: Callable[["T"], None] | None = None, *, gardener: tuple[int, ...] = (),
         packet: tuple[str, ...] = (), kubernetes: tuple[int, ...] = (), patient: bool = False,
         outside: str = "") -> Any:
    """Declares a function as a case; its name is the case's name, its docstring says what must hold."""
    def register(f: Callable[["T"], None]) -> Callable[["T"], None]:
        if f.__name__ in CASES:
            raise ValueError(f"two cases are called {f.__name__}")
        wrong = [item for item in packet if not re.fullmatch(r"[CS]-[1-9]\d?", item)]
        if wrong:
            raise ValueError(f"{f.__name__} names {wrong}, which are no items of the Packet contract")
        if not all(1 <= item <= 72 for item in kubernetes):
            raise ValueError(f"{f.__name__} names items that the Kubernetes contract has not: {kubernetes}")
        CASES[f.__name__] = Case(f.__name__, f, (f.__doc__ or "").strip().splitlines()[0], gardener, packet, kubernetes, patient, outside)
        return f
    return register(run) if run else register


@dataclass
class Run:
    """What all cases of one run share."""

    kube: Any                      # RealKube or SimKube
    build: Path
    directory: Path
    recorder: Recorder = field(init=False)

    def __post_init__(self) -> None:
        self.client = self.kube.client()
        self.recorder = Recorder(self.kube.client()).start()


class T:
    """One case at work. Everything made through it is cleaned up after it."""

    kind: type[Provider] = Provider     # how the program is started: tests/image/run does it in a container

    def __init__(self, run: Run, name: str) -> None:
        self._run, self.name = run, name
        self.kube, self.client, self.recorder = run.kube, run.client, run.recorder
        self.build = run.build
        self.directory = run.directory / name
        self.directory.mkdir(parents=True)
        self.packet: PacketSim | None = None
        self.provider: Provider | None = None
        self.second: Provider | None = None     # another whole tree on the same API server and the same Packet
        self.others: list[Provider] = []        # further trees, that a case makes by itself
        self.shoots: list[Shoot] = []
        self.secrets: list[str] = []
        self._mark = self.kube.audit.mark()

    # -- making things

    def start_packet(self, **options: Any) -> PacketSim:
        self.packet = PacketSim(self.build, self.directory / "packet", **options).start()
        self.secrets.append(self.packet.token)
        return self.packet

    def start(self, packet: dict | None = None, kubeconfig: Path | None = None, **options: Any) -> Provider:
        """Packet simulator (unless there is one) and the program; options as in Provider."""
        if not self.packet:
            self.start_packet(**(packet or {}))
        self.provider = self.kind(self.build, self.directory / "provider", kubeconfig or self.kube.provider_kubeconfig,
                                 self.packet.url, self.packet.ca_file, **options)
        return self.provider.start()

    def start_second(self, **options: Any) -> Provider:
        """A second tree beside the first; it is looked after like the first."""
        options.pop("packet", None)
        self.second = self.kind(self.build, self.directory / "second", self.kube.provider_kubeconfig, self.packet.url,
                               self.packet.ca_file, **options)
        return self.second.start()

    def own_programs(self, name: str = "libexec") -> Path:
        """A copy of the children's programs for this case to change; PROVIDER_PACKET_LIBEXEC names it."""
        return Path(shutil.copytree(self.build / "libexec", self.directory / name))

    def provider_log(self) -> str:
        return self.provider.log.read_text(errors="replace") if self.provider and self.provider.log.exists() else ""

    def shoot(self, token: str | None = None, project: str | None = None) -> Shoot:
        """A Shoot of its own namespace, with the simulator's good credentials unless others are given."""
        short = re.sub(r"[^a-z0-9]", "-", self.name)[:24]
        s = Shoot(self.client, f"shoot--e2e--{short}-{uuid.uuid4().hex[:8]}", token or self.packet.token,
                  project or self.packet.project)
        if token:
            self.secrets.append(token.strip())
        self.shoots.append(s)
        return s

    # -- looking

    def keys(self, shoot: Shoot) -> list[dict]:
        """The keys in the simulator that carry this Shoot's label or material."""
        return [k for k in self.packet.keys() if k["label"] == shoot.label or k["key"].split()[:2] == shoot.key.split()[:2]]

    def reconcile(self, shoot: Shoot, **annotations: str) -> None:
        """Asks for a run by the annotation and waits until that very run has succeeded."""
        since = int(shoot.annotate("reconcile", **annotations)["metadata"]["resourceVersion"])
        self.wait_run(shoot, since)

    def wait_run(self, shoot: Shoot, since: int, state: str = "Succeeded") -> dict:
        """The version in which a run that began after `since` ended: Processing first, then the state."""
        def probe() -> dict | None:
            begun = False
            for v in self.recorder.versions(shoot.namespace, NAME):
                if int(v["metadata"]["resourceVersion"]) <= since:
                    continue
                op = v.get("status", {}).get("lastOperation", {}).get("state")
                if begun and op == state:
                    return v
                begun = begun or op == "Processing"
            return None
        return wait_for(f"a whole run of {shoot.namespace} to end {state}", probe)

    def barrier(self) -> None:
        """Returns when the program has dealt with a new object of its own kind: whatever came before has been seen too."""
        s = self.shoot()
        s.create()
        s.wait_state("Succeeded")

    def barrier_kubernetes(self) -> None:
        """Like barrier(), for times in which Packet cannot be reached: until a new object without a key is done."""
        s = self.shoot()
        s.create(secret={})
        s.wait_state("Error")

    # -- judging

    @staticmethod
    def check(condition: Any, text: str) -> None:
        if not condition:
            raise Failure(text)

    @staticmethod
    def equal(got: Any, wanted: Any, what: str) -> None:
        if got != wanted:
            raise Failure(f"{what}: got {got!r}, wanted {wanted!r}")

    def check_error(self, obj: dict, kind: str, phrase: str, codes: list[str], *words: str) -> None:
        """The whole shape of a failure: both texts, progress, codes (sorted, absent when none), generation, times."""
        status = obj["status"]
        op, err = status["lastOperation"], status.get("lastError")
        self.check(err, f"no lastError beside {op}")
        self.equal((op["type"], op["state"], op["progress"]), (kind, "Error", 50), "lastOperation")
        self.equal(err["description"], op["description"], "text of lastError")
        self.check(op["description"].startswith(phrase + ": "), f"text {op['description']!r} does not begin with {phrase!r}")
        self.equal(err.get("codes"), codes or None, f"codes (text: {op['description']})")
        self.equal(status.get("observedGeneration"), obj["metadata"]["generation"], "observedGeneration")
        for word in words:
            self.check(word.lower() in op["description"].lower(), f"{op['description']!r} does not speak of {word!r}")
        for stamp in (op["lastUpdateTime"], err["lastUpdateTime"]):
            self.check(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", stamp), f"time {stamp!r}")

    def check_never(self, shoot: Shoot, state: str) -> None:
        for v in self.recorder.versions(shoot.namespace, NAME):
            op = v.get("status", {}).get("lastOperation", {})
            self.check(op.get("state") != state, f"{shoot.namespace} showed {op}")

    def check_untouched(self, shoot: Shoot) -> None:
        """No finalizer, no status, nothing sent to Packet about it."""
        obj = shoot.get()
        self.check(not obj["metadata"].get("finalizers"), f"finalizers {obj['metadata'].get('finalizers')}")
        self.check(not obj.get("status"), f"status {obj.get('status')}")
        self.equal(self.keys(shoot), [], "keys")

    # -- the end

    def finish(self, failed: bool) -> None:
        """The checks of every case, then clean-up. After a failure only the clean-up."""
        try:
            if not failed:
                self._check_objects()
                self._check_rights()
                for p in self._trees():
                    p.stop()
                self._check_log()
                self._check_recordings()
        finally:
            self._clean()

    def _check_objects(self) -> None:
        for s in self.shoots:
            text = json.dumps(self.recorder.versions(s.namespace, NAME)) + json.dumps(self.client.list("Event", s.namespace))
            for secret in self.secrets:
                self.check(secret not in text, f"a secret stands in the object or an Event of {s.namespace}")
            self._check_successes(s)

    def _check_successes(self, s: Shoot) -> None:
        """Whenever a success was written gardenlet would have been content, unless somebody had asked for more meanwhile."""
        before: dict = {}
        for v in self.recorder.versions(s.namespace, NAME):
            status, meta = v.get("status") or {}, v["metadata"]
            written = status != before.get("status") and (status.get("lastOperation") or {}).get("state") == "Succeeded"
            asked_for_more = OPERATION in (meta.get("annotations") or {}) or status.get("observedGeneration") != meta.get("generation")
            if written and not asked_for_more and "deletionTimestamp" not in meta:
                self.equal(not_ready(v), "", f"what gardenlet says to version {meta['resourceVersion']} of {s.namespace}")
            before = v

    def _check_rights(self) -> None:
        """The rights of deploy/rbac.yaml suffice: nothing was ever forbidden."""
        forbidden = [str(r) for r in self.kube.audit.requests(self.kube.user, self._mark) if r.code in (401, 403)]
        self.check(not forbidden, f"requests that the server forbade: {forbidden[:5]}")

    def forgive_refusals(self) -> None:
        """What the API server has forbidden so far does not count."""
        self._mark = self.kube.audit.mark()

    def _check_log(self) -> None:
        for p in self._trees():
            for complaint in p.complaints(self.secrets):
                raise Failure(complaint)

    def _check_recordings(self) -> None:
        """Every job that was recorded gives the same messages again, to the byte."""
        for p in self._trees():
            files = [f for f in p.recordings() if self.secrets_in(f) == []]
            self.equal(files, p.recordings(), "recordings without a secret")
            for at in range(0, len(files), 500):
                again = subprocess.run([p.build / "libexec/worker", "--replay", *files[at:at + 500]], capture_output=True, text=True)
                self.check(again.returncode == 0, f"a recorded job does not replay: {again.stdout[-2000:]}{again.stderr[-500:]}")

    def secrets_in(self, file: Path) -> list[str]:
        data = file.read_bytes()
        return [s for s in self.secrets if s.encode() in data]

    def _trees(self) -> list[Provider]:
        return [p for p in (self.provider, self.second, *self.others) if p]

    def _clean(self) -> None:
        if self.kube.kind == "sim":
            self.kube.mend()
        for p in self._trees():
            p.abandon()
        if self.packet:
            self.packet.stop()
        for s in self.shoots:
            try:
                s.remove_by_force()
            except Exception as e:      # the next case must start all the same
                print(f"      (cleaning up {s.namespace}: {e})")


def select(cases: list[Case], words: str) -> list[Case]:
    """For each word the case of exactly that name, else every case that contains it; no word: all."""
    wanted = [w for w in words.split(",") if w]
    names = {c.name for c in cases}
    return [c for c in cases if not wanted or any(w == c.name or (w not in names and w in c.name) for w in wanted)]


def run_cases(make_kube: Callable[[Path], Any], build: Path, cases: list[Case], keep: bool = False) -> int:
    """Runs the cases one after the other, prints a line for each and the sum at the end. Returns the exit status."""
    directory = Path(tempfile.mkdtemp(prefix="e2e-"))
    counts = {"ok": 0, "FAIL": 0, "skip": 0}
    kube = make_kube(directory / "kube")
    try:
        run = Run(kube.start(), build, directory)
        for c in cases:
            counts[_run_one(run, c)] += 1
        run.recorder.stop()
    finally:
        kube.stop()
        if counts["FAIL"] == 0 and not keep:
            shutil.rmtree(directory, ignore_errors=True)
        else:
            print(f"logs and data of this run: {directory}")
    print(f"{counts['ok']} passed, {counts['FAIL']} failed, {counts['skip']} skipped")
    return 1 if counts["FAIL"] or not counts["ok"] else 0


def _run_one(run: Run, c: Case) -> str:
    begun, t, verdict, text = time.monotonic(), T(run, c.name), "ok", ""
    failed = True
    try:
        c.run(t)
        failed = False
    except Skip as e:
        verdict, text = "skip", str(e)
    except Exception as e:
        verdict, text = "FAIL", _reason(e)
    try:
        t.finish(failed)
    except Exception as e:
        if verdict == "ok":
            verdict, text = "FAIL", _reason(e)
    seconds = time.monotonic() - begun
    print(f"{verdict:<5} {run.kube.kind} {c.name} ({seconds:.1f} s)" + (f": {text}" if text else ""), flush=True)
    if verdict == "FAIL":
        print(f"      about: {c.about}\n      data: {t.directory}")
        if t.provider:
            print("      the program's last words:")
            for line in tail(t.provider.log).splitlines():
                print("        " + line[:400])
    else:
        shutil.rmtree(t.directory, ignore_errors=True)
    return verdict


def _reason(e: Exception) -> str:
    if isinstance(e, Failure) and not os.environ.get("E2E_TRACE"):
        place = traceback.extract_tb(e.__traceback__)
        where = next((f for f in reversed(place) if "/cases_" in f.filename), place[-1])
        return f"{e} [{Path(where.filename).name}:{where.lineno}]"
    return "".join(traceback.format_exception(e)).strip()
