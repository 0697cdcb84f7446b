"""The table: rows with our numbers beside the targets of section 11 of the design, printed and as JSON.

Decides only whether a limit is kept. The numbers come from rows_*.py.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

HEAD = ("what", "ours", "target", "to bare", "unit", "")


@dataclass
class Row:
    """values and limits stand in pairs; a limit is an upper one, or with at_least a lower one; None: not judged."""

    name: str
    values: list[float | None]
    unit: str = ""
    target: str = ""
    limits: list[float | None] = field(default_factory=list)
    at_least: bool = False
    ratio: float | None = None      # ours by the bare generator's, measured in the same run
    ratio_limit: float | None = None
    note: str = ""

    def missed(self) -> bool | None:
        """None: nothing to judge."""
        pairs = [(v, lim, self.at_least) for v, lim in zip(self.values, self.limits) if lim is not None]
        if self.ratio_limit is not None:
            pairs.append((self.ratio, self.ratio_limit, self.at_least))
        if not pairs:
            return None
        return any(v is None or (v < lim if least else v > lim) for v, lim, least in pairs)

    def cells(self) -> tuple[str, ...]:
        mark = {True: "MISSED", False: "ok", None: ""}[self.missed()]
        ratio = f"{self.ratio:.2f}" if self.ratio is not None else ""
        return (self.name, " / ".join(map(number, self.values)), self.target, ratio, self.unit, mark)


def number(v: float | None) -> str:
    if v is None:
        return "-"
    if v == int(v) or abs(v) >= 1000:
        return f"{v:.0f}"
    return f"{v:.1f}" if abs(v) >= 20 else f"{v:.2f}" if abs(v) >= 0.1 else f"{v:.3f}"


class Table:
    def __init__(self) -> None:
        self.rows: list[Row] = []

    def add(self, row: Row) -> None:
        """Keeps the row and says it at once, so that a long run shows how it goes."""
        self.rows.append(row)
        name, ours, target, ratio, unit, mark = row.cells()
        print(f"  {name}: {ours} {unit}" + (f", to bare {ratio}" if ratio else "") + (f"  (target {target})" if target else "")
              + (f"  {mark}" if mark else ""), flush=True)

    def print(self) -> None:
        print_columns([HEAD, *(r.cells() for r in self.rows)])
        for r in self.rows:
            if r.note:
                print(f"* {r.name}: {r.note}")
        missed = [r.name for r in self.rows if r.missed()]
        judged = [r for r in self.rows if r.missed() is not None]
        print(f"\n{len(judged)} rows with a target, {len(missed)} missed" + (": " + "; ".join(missed) if missed else ""))

    def values(self) -> dict[str, tuple[str, str]]:
        """Each row's numbers and mark, by its name."""
        return {r.name: (r.cells()[1], r.cells()[5]) for r in self.rows}

    def write(self, path: Path, about: dict) -> None:
        rows = [{**asdict(r), "missed": r.missed()} for r in self.rows]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({**about, "rows": rows}, indent=1) + "\n")


def print_columns(cells: list[tuple[str, ...]]) -> None:
    """A table whose first row is its head."""
    widths = [max(len(c[i]) for c in cells) for i in range(len(cells[0]))]
    print()
    for c in [cells[0], tuple("-" * w for w in widths), *cells[1:]]:
        print("  ".join(text.ljust(w) for text, w in zip(c, widths)).rstrip())


def print_beside(tables: dict[str, Table]) -> None:
    """The numbers of several builds, taken in turns in one run, side by side."""
    by_build = {build: table.values() for build, table in tables.items()}
    names = list(dict.fromkeys(name for values in by_build.values() for name in values))
    print_columns([("what", *by_build), *((n, *(" ".join(v.get(n, ("-", ""))).strip() for v in by_build.values())) for n in names)])


def percentile(values: list[float], p: float) -> float | None:
    """The value that p percent do not exceed (nearest rank)."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-len(ordered) * int(p) // 100) - 1))]


def middle_and_tail(values: list[float], scale: float = 1000) -> list[float | None]:
    """p50 and p99, in milliseconds when the values are seconds."""
    got = [percentile(values, 50), percentile(values, 99)]
    return [v * scale if v is not None else None for v in got]
