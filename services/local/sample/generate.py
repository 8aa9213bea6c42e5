"""Write the sample's reports and inspections from `facts.yaml`: the same bytes each time.

`python -m services.local.sample.generate` writes `reports.jsonl` and `inspections.jsonl` beside this file. Choices that
the facts leave open are made by a hash of what is being chosen for, so that adding one report changes no other.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime, time, timedelta
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar
from uuid import NAMESPACE_URL, UUID, uuid5

import yaml

NAMESPACE = uuid5(NAMESPACE_URL, "whistle:sample:dongsheng")
FOLDER = Path(__file__).parent
# People speak of what happened lately: nothing is older than this when it is said.
MEMORY = timedelta(days=14)

Row = dict[str, Any]
T = TypeVar("T")


def identify(key: str) -> UUID:
    """Return the id of the report or inspection of that key."""
    return uuid5(NAMESPACE, key)


def number(*salt: object) -> int:
    """Return a number that looks random and is the same for the same salt."""
    return int.from_bytes(sha256(":".join(map(str, salt)).encode()).digest()[:6])


def pick(options: Sequence[T], *salt: object) -> T:
    """Choose one of `options`, all alike."""
    return options[number(*salt) % len(options)]


def weigh(weights: Mapping[T, float], *salt: object) -> T:
    """Choose one key of `weights`, by its share of their sum."""
    left = number(*salt) / 2**48 * sum(weights.values())
    for option, weight in weights.items():
        left -= weight
        if left < 0:
            return option
    return next(reversed(list(weights)))


class Calendar:
    """The ticks, and the moments before them at which things happen."""

    def __init__(self, ticks: Sequence[datetime]) -> None:
        first = ticks[0] - timedelta(days=3)
        self.ticks = ticks
        self.gaps = {after: min(after - before, MEMORY) for before, after in pairwise([first, *ticks])}

    def tick(self, moment: datetime) -> datetime:
        """Return the first tick at or after `moment`."""
        return next(tick for tick in self.ticks if tick >= moment)

    def moment(self, season: Mapping[int, float], last: datetime, *salt: object) -> datetime:
        """Choose a moment not after `last`, by day, more often where ticks lie far apart and in season."""
        weights = {
            tick: ((min(tick, last) - tick + gap) / MEMORY) ** 2 * season.get(tick.month, 1)
            for tick, gap in self.gaps.items()
            if tick - gap < last
        }
        tick = weigh(weights, "tick", *salt)
        latest = min(tick, last)
        span = latest - (tick - self.gaps[tick])
        moment = latest - span * (number("moment", *salt) % 1000 / 1000)
        at_day = datetime.combine(moment, time(8 + number("hour", *salt) % 11, moment.minute, tzinfo=tick.tzinfo))
        return at_day if latest - span < at_day <= latest else moment.replace(second=0, microsecond=0)


class Generator:
    """Makes every report and every round of inspection that the facts count."""

    def __init__(self, facts: Mapping[str, Any], ticks: Sequence[datetime]) -> None:
        self.facts = facts
        self.communities: dict[str, Any] = facts["communities"]
        self.weights = {code: community["weight"] for code, community in self.communities.items()}
        self.calendar = Calendar(ticks)
        self.rounds = self._rounds()

    def reports(self) -> list[Row]:
        """Return the reports, kind by kind, numbered as they happened; each round gets the ones it found."""
        told: dict[str, str] = {}
        rows: list[Row] = []
        for kind in self.facts["kinds"]:
            for ordinal, row in enumerate(sorted(self._of_kind(kind), key=lambda row: row["happened_at"]), 1):
                row["key"] = f"{kind}-{ordinal:04}"
                told[row.pop("name")] = row["key"]
                rows.append(row)
        return [self._written(row, told) for row in rows]

    def inspections(self) -> list[Row]:
        """Return the rounds with what they found; call `reports` first."""
        notes = self.facts["inspections"]["notes"]
        return [
            {
                **_head(row, self.calendar.tick(row["inspected_at"])),
                "purpose": row["purpose"],
                "grid_level": row["grid_level"],
                "place": self._place(row["community"], row["estate"]),
                "inspected_at": row["inspected_at"].isoformat(),
                "found": [str(identify(key)) for key in row["found"]],
                "note": pick(notes[row["purpose"]]["found" if row["found"] else "nothing"], "note", row["key"]),
            }
            for row in self.rounds
        ]

    def _rounds(self) -> list[Row]:
        facts = self.facts["inspections"]
        purposes = [purpose for purpose, count in facts["purposes"].items() for _ in range(count)]
        rows: list[Row] = []
        for n in range(facts["count"]):
            salt = ("inspection", n)
            community = weigh(self.weights, "community", *salt)
            rows.append(
                {
                    "purpose": purposes[n],
                    "community": community,
                    "estate": pick(list(self.communities[community]["estates"]), "estate", *salt),
                    "grid_level": weigh(facts["grid_levels"], "grid", *salt),
                    "inspected_at": self.calendar.moment({}, datetime.fromisoformat(str(facts["last"])), *salt),
                    "found": [],
                }
            )
        rows.sort(key=lambda row: row["inspected_at"])
        return [{"key": f"inspection-{n:04}", **row} for n, row in enumerate(rows, 1)]

    def _of_kind(self, kind: str) -> list[Row]:
        told = [dict(row) for row in self.facts["told"] if row["kind"] == kind]
        for row in told:
            row["happened_at"] = datetime.fromisoformat(row["happened_at"])
            row.setdefault("name", "")
        rows = list(told)
        for category, facts in self.facts["kinds"][kind]["categories"].items():
            ahead = sum(row["category"] == category for row in told)
            rows += [self._one(kind, category, n) for n in range(facts["count"] - ahead)]
        return rows

    def _one(self, kind: str, category: str, n: int) -> Row:
        facts = self.facts["kinds"][kind]
        season, last = facts["categories"][category].get("season", {}), datetime.fromisoformat(str(facts["last"]))
        salt = (kind, category, n)
        community = weigh(self.weights, "community", *salt)
        channel = weigh(facts["channels"], "channel", *salt)
        row = {
            "name": "",
            "kind": kind,
            "category": category,
            "severity": weigh(facts["severities"], "severity", *salt),
            "community": community,
            "estate": pick(list(self.communities[community]["estates"]), "estate", *salt),
            "channel": channel,
            "grid_level": weigh(facts["grid_levels"], "grid", *salt),
            "happened_at": self.calendar.moment(season, last, *salt),
        }
        if channel == "inspection":
            found_by = self._round(kind, community, last, salt)
            row |= {name: found_by[name] for name in ("estate", "grid_level")}
            row |= {"happened_at": found_by["inspected_at"], "round": found_by}
        return row | {"text": self._text(row, n, salt)}

    def _round(self, kind: str, community: str, last: datetime, salt: tuple[object, ...]) -> Row:
        purpose = "safety" if kind == "hazard" else "disputes"
        walked = [
            row
            for row in self.rounds
            if (row["purpose"], row["community"]) == (purpose, community) and row["inspected_at"] <= last
        ]
        # Every other round finds nothing, as it is in life.
        return pick(walked[::2], "round", *salt)

    def _text(self, row: Row, n: int, salt: tuple[object, ...]) -> str:
        facts, community = self.facts["kinds"][row["kind"]], self.communities[row["community"]]
        texts = facts["categories"][row["category"]]["texts"]
        slots = {name: pick(options, name, *salt) for name, options in self.facts["slots"].items()}
        slots |= {"estate": row["estate"], "road": pick(community["roads"], "road", *salt), "river": community["river"]}
        opening = pick(self.facts["openings"][row["channel"]], "opening", *salt)
        return f"{opening}{texts[n % len(texts)].format(**slots)}{pick(facts['closings'], 'closing', *salt)}"

    def _place(self, community: str, estate: str) -> Row:
        latitude, longitude = self.communities[community]["estates"][estate]
        return {"estate": estate, "latitude": latitude, "longitude": longitude}

    def _written(self, row: Row, told: Mapping[str, str]) -> Row:
        links = []
        if "repeats" in row:
            links.append({"rel": "repeats", "href": f"urn:uuid:{identify(told[row['repeats']])}"})
        if "round" in row:
            row["round"]["found"].append(row["key"])
            links.append({"rel": "inspection", "href": f"urn:uuid:{identify(row['round']['key'])}"})
        written = {
            **_head(row, self.calendar.tick(row["happened_at"])),
            **{name: row[name] for name in ("kind", "category", "severity")},
            "description": row["text"],
            "place": self._place(row["community"], row["estate"]),
            **{name: row[name] for name in ("channel", "grid_level")},
            "happened_at": row["happened_at"].isoformat(),
        }
        if links:
            written["links"] = links
        if row["channel"] != "inspection":
            written["reporter"] = f"r-{number('reporter', row['key']):012x}"
        return written


def _head(row: Row, tick: datetime) -> Row:
    key = row["key"]
    return {"key": key, "id": str(identify(key)), "community": row["community"], "tick": tick.isoformat()}


def generate() -> dict[str, str]:
    """Return the text of each file the sample generates, by name."""
    facts = yaml.safe_load((FOLDER / "facts.yaml").read_text(encoding="utf-8"))
    ticks = json.loads((FOLDER / "ticks.json").read_text(encoding="utf-8"))
    generator = Generator(facts, [datetime.fromisoformat(tick) for tick in ticks])
    files = {"reports.jsonl": generator.reports(), "inspections.jsonl": generator.inspections()}
    return {name: "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows) for name, rows in files.items()}


def main() -> None:
    """Write the files beside this one and say how many lines each has."""
    for name, text in generate().items():
        (FOLDER / name).write_text(text, encoding="utf-8", newline="\n")
        sys.stdout.write(f"{name}: {text.count(chr(10))} lines\n")


if __name__ == "__main__":
    main()
