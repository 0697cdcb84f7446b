"""Starts the program with tests/e2e/saboteur.c loaded into each child, behind a wrapper that can refuse to start it, or start it late."""

from __future__ import annotations

from .harness import T
from .procs import Skip

ROLES = ("worker", "watcher", "packet-gateway", "exporter")
SLOW_SECONDS = 15                     # longer than a start may take
WRAPPER = """#!/bin/sh
[ -e {dir}/refuse-{role} ] && exit 1
[ -e {dir}/slow-{role} ] && exec sleep {seconds}
export LD_PRELOAD={saboteur}
exec {real}/{role} "$@"
"""


def library(t: T) -> str:
    """What is to be loaded before everything else."""
    if "san" in t.build.name:
        raise Skip("a sanitizer has to be the first that is loaded")
    return str((t.build / "tests/saboteur.so").resolve())


def with_saboteur(t: T, **options: object) -> None:
    """While a file refuse-ROLE or slow-ROLE is in the case's directory, that role does not start as it should."""
    saboteur = library(t)
    if t.build.name == "lean":
        raise Skip("the lean programs have ZeroMQ and jansson inside: nothing can be loaded in their place")
    libexec, real = t.directory / "libexec", t.own_programs("real")
    libexec.mkdir()
    for role in ROLES:
        wrapper = libexec / role
        wrapper.write_text(WRAPPER.format(dir=t.directory, role=role, seconds=SLOW_SECONDS, real=real, saboteur=saboteur))
        wrapper.chmod(0o755)
    t.start(env={"PROVIDER_PACKET_LIBEXEC": str(libexec)}, **options)
