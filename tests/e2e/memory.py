"""Looks for a text in the memory of running processes, as root: what a token leaves behind where it has no business."""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass

from .procs import Failure

PIECE = 1 << 20
SHADOW = 1 << 36           # a mapping as large as this is a sanitizer's: reserved, not filled, and it holds no text


@dataclass(frozen=True)
class Trace:
    """One place in a process's memory that holds the text."""

    pid: int
    mapping: str               # "[heap]", "[stack]", a file, or "anonymous"
    address: int
    around: bytes              # what stands there, for people: the text itself left out

    def __str__(self) -> str:
        return f"pid {self.pid} {self.mapping} {self.address:#x} near {self.around!r}"


def shapes(text: str) -> list[bytes]:
    """The text itself, and what every base64 of something that contains it has in common, whatever stands before it."""
    raw, found = text.encode(), [text.encode()]
    for before in range(3):
        encoded = base64.b64encode(b"x" * before + raw)
        found.append(encoded[4 if before else 0:len(encoded) // 4 * 4 - 4])
    return found


def find(pid: int, text: str) -> list[Trace]:
    """Every place in the process's writable memory that holds the text in any of its shapes; [] when the process is gone."""
    traces: list[Trace] = []
    try:
        maps = open(f"/proc/{pid}/maps", encoding="utf-8").read().splitlines()
        memory = os.open(f"/proc/{pid}/mem", os.O_RDONLY)
    except FileNotFoundError:
        return []
    except PermissionError as e:
        raise Failure(f"the memory of {pid} cannot be read; this needs root") from e
    try:
        for line in maps:
            parts = line.split(maxsplit=5)
            if "w" in parts[1]:
                begin, end = (int(x, 16) for x in parts[0].split("-"))
                if end - begin >= SHADOW:
                    continue
                traces += search(pid, memory, begin, end, parts[5] if len(parts) > 5 else "anonymous", shapes(text))
    finally:
        os.close(memory)
    return traces


def search(pid: int, memory: int, begin: int, end: int, mapping: str, wanted: list[bytes]) -> list[Trace]:
    """In pieces that overlap, since a text may lie across the border of two."""
    overlap, found = max(map(len, wanted)), {}
    for at in range(begin, end, PIECE):
        try:
            piece = os.pread(memory, min(PIECE + overlap, end - at), at)
        except OSError:            # unmapped meanwhile, or a guard page
            continue
        for text in wanted:
            place = piece.find(text)
            while place >= 0:
                around = piece[max(0, place - 48):place] + b"<...>" + piece[place + len(text):place + len(text) + 24]
                found[at + place] = Trace(pid, mapping, at + place, around)
                place = piece.find(text, place + 1)
    return list(found.values())
