"""What the fault tests measured, as the table that ARCHITECTURE.md shows."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

_HEAD = (
    "| fault | phase | what happened | seconds without progress | games lost | games analyzed twice "
    "| searches repeated |\n| --- | --- | --- | ---: | ---: | ---: | ---: |\n"
)


@dataclass(frozen=True, slots=True)
class Measured:
    """`seconds`: the longest time without progress from the fault on. Lost and twice are asserted to be 0.

    `repeated`: searches that had come to their end and were made again, of the whole job.
    """

    fault: str
    phase: str
    what: str
    seconds: float
    repeated: int | None = None

    def row(self) -> str:
        repeated = "" if self.repeated is None else str(self.repeated)
        return f"| {self.fault} | {self.phase} | {self.what} | {self.seconds:.1f} | 0 | 0 | {repeated} |"


@dataclass
class Table:
    rows: list[Measured] = field(default_factory=list)

    def add(self, fault: str, phase: str, what: str, seconds: float, repeated: int | None = None) -> None:
        """Call it when everything was checked: the zeros are what the checks say."""
        self.rows.append(Measured(fault, phase, what, seconds, repeated))

    def write(self, path: Path) -> None:
        path.parent.mkdir(exist_ok=True)
        path.write_text(_HEAD + "".join(f"{row.row()}\n" for row in self.rows))
