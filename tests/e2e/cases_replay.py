"""Recorded jobs: shown, run again offline with the same answers, and told apart when an answer is another."""

from __future__ import annotations

import subprocess
from pathlib import Path

from .harness import T, case
from .procs import wait_for


def replay(t: T, *files: Path) -> subprocess.CompletedProcess:
    return subprocess.run([t.provider.build / "libexec/worker", "--replay", *files], capture_output=True, text=True)


@case(gardener=(58,))
def replay_of_a_job(t: T) -> None:
    """A create's messages are kept without secrets, replay to the byte, also cut off or empty; another answer, or garbage, is told."""
    t.start(workers=1)
    s = t.shoot().create()
    s.wait_state("Succeeded")
    file = wait_for("a recording", lambda: next(iter(t.provider.recordings()), None))
    wait_for("its end", lambda: "identical" in replay(t, file).stdout and "before the job does" not in replay(t, file).stdout)
    t.equal(t.secrets_in(file), [], "secrets in the recording")
    t.equal(oct(file.stat().st_mode & 0o777), "0o600", "mode of the file")
    shown = replay(t, file)
    t.equal(shown.returncode, 0, "exit status")
    for words in ("watcher -> JOB", "-> packet-gateway: SEARCH", "-> watcher: PATCH", "-> packet-gateway: CREATE", "-> watcher: DONE"):
        t.check(words in shown.stdout, f"no {words!r} in {shown.stdout}")

    data = file.read_bytes()
    other = t.provider.directory / "other"
    other.write_bytes(data.replace(b"Succeeded", b"Sicceeded", 1))
    changed = replay(t, other)
    t.equal(changed.returncode, 1, "exit status for another answer")
    t.check("DIFFERENT: then it said" in changed.stdout, changed.stdout)
    other.write_bytes(data[:len(data) * 2 // 3])
    cut = replay(t, other)
    t.check(cut.returncode == 0 and "the recording ends before the job does" in cut.stdout, cut.stdout)
    other.write_bytes(b"")
    killed = replay(t, other)
    t.check(killed.returncode == 0 and "nothing was said" in killed.stdout, f"{killed.stdout}{killed.stderr}")
    other.write_bytes(b"\xde\xad\xbe\xef" * 100)
    garbage = replay(t, other)
    t.equal(garbage.returncode, 2, "exit status for garbage")
    t.check("not a recording" in garbage.stderr, garbage.stderr)
    t.equal(replay(t, t.provider.directory / "missing").returncode, 2, "exit status for no file")
