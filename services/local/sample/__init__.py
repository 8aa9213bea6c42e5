"""The year 2021 in Dongsheng, as data: what was raised, when the sample's clock stops, and who then does what.

`reports.jsonl` and `inspections.jsonl` are generated from `facts.yaml`; `script.jsonl` stands in for the people:
one line per act of a department, the street, a community or supervision, in the order in which they act. How many were
solved is written nowhere: it is what comes of these lines. `article.yaml` is for display only.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Self, TypeVar
from uuid import UUID

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from schemas import action, decision, inspection, report, response
from schemas.event import Code, Fact, Instant, explain

FOLDER = Path(__file__).parent

RowT = TypeVar("RowT", bound=BaseModel)
_INSTANT: TypeAdapter[datetime] = TypeAdapter(Instant)


class InvalidSampleError(ValueError):
    """A file of the sample can't be used; the text names file, line and trouble."""


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Report(_Row):
    """A report, and the tick (UTC) at which its community says it."""

    key: str
    id: UUID
    community: Code
    tick: Instant
    fact: report.Raised


class Inspection(_Row):
    """A round of inspection, and the tick (UTC) at which its community says it."""

    key: str
    id: UUID
    community: Code
    tick: Instant
    fact: inspection.Recorded


class Act(_Row):
    """One line of the script: who does what about which report, at which tick (UTC)."""

    tick: Instant
    by: str = Field(pattern=r"^((department|street|community)\.[a-z][a-z0-9-]*|supervision)$")
    act: str
    report: str = Field(description="The key of a report of the sample.")
    note: str | None = None
    answer: str | None = None
    reason: str | None = None
    department: Code | None = None
    departments: tuple[Code, ...] | None = None
    section: Code | None = None
    kind: decision.CallKind | None = None
    request: decision.Request | None = None
    step: Code | None = None
    until: Instant | None = None
    review_at: Instant | None = None
    holds: bool | None = None
    solved: bool | None = None
    satisfied: bool | None = None
    post: str | None = Field(default=None, description="Which post acts, where it isn't the usual one.")

    @property
    def side(self) -> str:
        """Which kind of party acts: department, street, community or supervision."""
        return self.by.partition(".")[0]

    @property
    def party(self) -> str:
        """The code of whoever acts; empty for supervision."""
        return self.by.partition(".")[2]

    @property
    def owing(self) -> str | None:
        """The department whose obligation the act is about, where it is about one."""
        return self.party if self.side == "department" else self.department

    @cached_property
    def fact(self) -> Fact:
        """What is said on the party's topic; `solve` is a call to one of the street's own sections."""
        kind = _FACTS[self.side][self.act]
        said = self.model_dump(exclude_none=True, exclude={"tick", "by", "act", "report", "post"})
        if self.post:
            said["by"] = self.post
        if "section" in said:
            said["departments"] = (said.pop("section"),)
        strange = said.keys() - kind.model_fields.keys()
        if strange:
            message = f"{', '.join(sorted(strange))} does not belong to the act {self.act!r}"
            raise ValueError(message)
        if self.act == "solve" and not said.get("departments"):
            message = "solve names the section that does the work"
            raise ValueError(message)
        return kind.model_validate(said)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.act not in _FACTS[self.side]:
            message = f"{self.by} has no act {self.act!r}, only: {', '.join(_FACTS[self.side])}"
            raise ValueError(message)
        _ = self.fact
        return self


_FACTS: dict[str, dict[str, type[Fact]]] = {
    "department": {
        "acknowledge": response.Acknowledged,
        "decline": response.Declined,
        "arrive": response.Arrived,
        "progress": response.Progressed,
        "resolve": response.Resolved,
        "request-extension": response.ExtensionRequested,
        "request-parking": response.ParkingRequested,
    },
    "street": {
        "call": decision.Called,
        "solve": decision.Called,
        "refuse": decision.Refused,
        "insist": decision.Insisted,
        "confirm": decision.Confirmed,
        "send-back": decision.SentBack,
        "withdraw": decision.Withdrawn,
        "answer": decision.Answered,
        "grant": decision.Granted,
        "deny": decision.Denied,
    },
    "community": {
        "verify": report.Verified,
        "confirm": report.Confirmed,
        "send-back": report.SentBack,
        "rate": report.Rated,
    },
    "supervision": {"name": action.LeadNamed, "grant": action.Granted, "deny": action.Denied},
}


class Figure(_Row):
    """A figure of the article; `name` is the path of the counted one in the ledger's JSON, where there is one."""

    value: int
    zh: str
    en: str
    name: str = ""
    derived: bool = False


class Article(_Row):
    """The article's figures: those that the ledger counts too, and those that nothing counts."""

    figures: tuple[Figure, ...]
    context: tuple[Figure, ...] = ()


class Sample(_Row):
    """The whole sample; reports and inspections by kind and number, ticks and script in time."""

    reports: tuple[Report, ...]
    inspections: tuple[Inspection, ...]
    ticks: tuple[Instant, ...]
    script: tuple[Act, ...]
    article: Article

    @classmethod
    def load(cls, script: Path | None = None) -> Sample:
        """Read the sample, with another script if one is given.

        Raises:
            InvalidSampleError: which file, which line, and what is wrong with it.

        """
        ticks = tuple(_INSTANT.validate_python(tick) for tick in json.loads(_text(FOLDER / "ticks.json")))
        known = set(ticks)
        reports = tuple(_rows(FOLDER / "reports.jsonl", lambda row: Report(**_raised(row)), known))
        inspections = tuple(_rows(FOLDER / "inspections.jsonl", lambda row: Inspection(**_recorded(row)), known))
        keys = {each.key for each in reports}
        acts = tuple(_rows(script or FOLDER / "script.jsonl", lambda row: _act(row, keys), known))
        article = Article.model_validate(yaml.safe_load(_text(FOLDER / "article.yaml")))
        # Every part is valid by now, and checking three thousand lines again would only take time.
        return cls.model_construct(reports=reports, inspections=inspections, ticks=ticks, script=acts, article=article)

    @cached_property
    def by_key(self) -> dict[str, Report]:
        """Every report by its key."""
        return {each.key: each for each in self.reports}


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _rows(path: Path, make: Callable[[dict[str, Any]], RowT], ticks: set[datetime]) -> Iterator[RowT]:
    """Yield each line as `make` reads it; a blank line is skipped, and one at no tick is refused."""
    for number, line in enumerate(_text(path).splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            if not isinstance(row, dict):
                raise InvalidSampleError("the line is no JSON object")
            if _INSTANT.validate_python(row.get("tick")) not in ticks:
                raise InvalidSampleError(f"{row['tick']} is not one of the ticks")
            made = make(row)
        except ValidationError as error:
            raise InvalidSampleError(f"{path.name}, line {number}: {explain(error)}") from None
        except ValueError as error:
            raise InvalidSampleError(f"{path.name}, line {number}: {error}") from None
        yield made


def _raised(row: dict[str, Any]) -> dict[str, Any]:
    return _split(row, report.Raised)


def _recorded(row: dict[str, Any]) -> dict[str, Any]:
    return _split(row, inspection.Recorded)


def _split(row: dict[str, Any], kind: type[Fact]) -> dict[str, Any]:
    """Part a line into the fact and what the sample says about it; a key that is neither is refused later."""
    fact = {name: row[name] for name in kind.model_fields if name in row}
    return {name: value for name, value in row.items() if name not in fact} | {"fact": kind.model_validate(fact)}


def _act(row: dict[str, Any], keys: set[str]) -> Act:
    act = Act.model_validate(row)
    if act.report not in keys:
        raise InvalidSampleError(f"{act.report!r} is the key of no report")
    return act
