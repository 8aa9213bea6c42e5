"""A database with as many open incidents as are asked for, as the house would have them after months of work.

A few dozen lives are lived by the rooms' own desks (tests.bench.templates), and then the text of their rows, as COPY
writes it, is multiplied: ids, instants, the shard and the place in a journal become each copy's own. So every column is
filled as its room fills it, and a table needs no word here as long as it has a row, or several, for an incident.
"""

from __future__ import annotations

import asyncio
import io
import random
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import Any, NamedTuple

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine

from services.configured import load
from services.runtime.kafka import shard_of
from services.runtime.settings import Settings
from tests.bench.stage import Stage
from tests.bench.templates import STEP, live

SCHEMAS = ("street", "router", "department", "ledger")
MONTHS = timedelta(days=180)
"""Over how long the incidents were reported, up to now."""
AHEAD = timedelta(days=2), timedelta(days=30)
"""How much further ahead deadlines lie than those of the templates, which have only just been reported."""
WORKERS = 2
"""Tables loaded at once."""
AT_ONCE = 200
"""Incidents in one piece of what is sent."""


async def seed(stand: Stage, count: int) -> None:
    """Fill the stage's database, which has its tables and nothing in them, with so many open incidents."""
    await fill(stand.engine, stand.settings, count)


async def fill(engine: AsyncEngine, settings: Settings, count: int) -> None:
    """Fill a database, which has its tables and nothing in them, with so many open incidents."""
    now = datetime.now(UTC).replace(microsecond=0)
    # What each life calls its ids, by the order in which they are first seen; the incident's own comes first.
    lives = [{str(incident): 0} for incident in await live(engine, settings, now)]
    async with _session(engine) as connection:
        tables = [await _read(connection, *each, lives, now) for each in await _tables(connection)]
    copies = _Copies(count, now, settings.kafka.shards)
    # The largest first, so that none is left alone at the end.
    waiting = sorted((each for each in tables if each.rows), key=lambda each: -each.rows)
    await asyncio.gather(*(_load(engine, waiting, copies) for _ in range(WORKERS)))
    async with _session(engine) as connection:
        # As the rooms that wrote them would have left it: nothing is to be reckoned anew.
        version, shards = load(settings.config).version, range(settings.kafka.shards)
        marks = [(shard, version) for shard in shards]
        await connection.executemany("INSERT INTO router.reckoned (shard, version) VALUES ($1, $2)", marks)
        await connection.execute("VACUUM ANALYZE")
        await connection.execute("CHECKPOINT")


@asynccontextmanager
async def _session(engine: AsyncEngine) -> AsyncIterator[asyncpg.Connection[Any]]:
    """Open the driver's own connection, which alone can COPY, and needs no commit to reach the disk."""
    async with engine.connect() as made:
        connection = (await made.get_raw_connection()).driver_connection
        if not isinstance(connection, asyncpg.Connection):
            raise TypeError("the database is reached through asyncpg")
        await connection.execute("SET synchronous_commit = off")
        await connection.execute("SET maintenance_work_mem = '512MB'")
        # No trigger fires: one keeps what the ledger says of acts from being changed, and this begins with none.
        await connection.execute("SET session_replication_role = replica")
        yield connection
        await connection.execute("RESET ALL")


# --- what is copied --------------------------------------------------------------------------------------------------

_ID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_INSTANT = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?=Z|\+00)"
_SHARD, _SEQ = "<shard>", "<seq>"
_OWN = re.compile(f"({_ID}|{_INSTANT}|{_SHARD}|{_SEQ})")


class _Rows:
    """The rows of one life in one table: their text, with a place for everything that is a copy's own."""

    def __init__(self, written: str, ids: dict[str, int], now: datetime) -> None:
        self.count = written.count("\n")
        parts = _OWN.split(written)
        own = [each.replace(" ", "T") for each in parts[1::2]]
        used = [each for each in dict.fromkeys(own) if re.fullmatch(_ID, each)]
        instants = [each for each in dict.fromkeys(own) if each[10:11] == "T"]
        self._text = "%s".join(part.replace("%", "%%") for part in parts[::2])
        self._tails = [ids.setdefault(each, len(ids)) for each in used]
        # What is later than the last act is a deadline.
        self._instants = [(at, at > now.replace(tzinfo=None)) for at in map(datetime.fromisoformat, instants)]
        self._numbered = own.count(_SEQ)
        places = {each: place for place, each in enumerate([_SHARD, *used, *instants])}
        numbers = iter(range(len(places), len(places) + self._numbered))
        # Beside the places in the text stands one that is left out: with a single one, there would be no tuple.
        self._pick: Callable[[Sequence[object]], object] = itemgetter(
            *(next(numbers) if each == _SEQ else places[each] for each in own), 0
        )
        self._text += "%.0s"

    def copied(self, copy: _Copy, seq: int) -> str:
        """Return the rows of a copy, the first of them at this place in its shard's journal."""
        past, ahead = copy.past, copy.ahead
        own: list[object] = [copy.shard, *[copy.head + _TAILS[copy.tail + each] for each in self._tails]]
        own += [(at + (ahead if due else past)).isoformat() for at, due in self._instants]
        return self._text % self._pick([*own, *range(seq, seq + self._numbered)])


@dataclass(frozen=True, slots=True)
class _Table:
    """A table, and the rows in it of each life."""

    name: str
    columns: Sequence[str]
    lives: Sequence[_Rows]

    @property
    def rows(self) -> int:
        """How many rows all lives have in it."""
        return sum(each.count for each in self.lives)

    @property
    def journal(self) -> bool:
        """Whether its rows are numbered within their shards."""
        return self.name.endswith(".journal")


async def _tables(connection: asyncpg.Connection[Any]) -> list[tuple[str, list[str]]]:
    """Return every table but those of the shards, with its columns but those that the database computes."""
    found = await connection.fetch(
        "SELECT attrelid::regclass::text AS name, array_agg(attname::text ORDER BY attnum) AS columns "
        "FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid "
        "WHERE relnamespace = ANY($1::text[]::regnamespace[]) AND relkind = 'r' "
        "AND relname NOT IN ('shard', 'reckoned') AND attnum > 0 AND NOT attisdropped AND attgenerated = '' "
        "GROUP BY attrelid",
        list(SCHEMAS),
    )
    return [(row["name"], row["columns"]) for row in found]


async def _read(
    connection: asyncpg.Connection[Any],
    name: str,
    columns: Sequence[str],
    lives: Sequence[dict[str, int]],
    now: datetime,
) -> _Table:
    """Read what each life has in a table, as COPY writes it."""
    # What has been published is never read again, and costs most of the disk.
    own = {"shard": f"'{_SHARD}'", "seq": f"'{_SEQ}'", "payload": "'{}'"}
    wanted = ", ".join(own.get(each, f'"{each}"') for each in columns)
    about = next(each for each in ("aggregateid", "incident", "report", "id") if each in columns)
    order = "seq" if "seq" in columns else "ctid"
    found = []
    for ids in lives:
        written = io.BytesIO()
        incident = next(iter(ids))
        query = f"SELECT {wanted} FROM {name} WHERE {about} = '{incident}' ORDER BY {order}"  # noqa: S608 - names from the catalog
        await connection.copy_from_query(query, output=written)
        found.append(_Rows(written.getvalue().decode(), ids, now))
    return _Table(name, columns, found)


# --- its copies ------------------------------------------------------------------------------------------------------


class _Copy(NamedTuple):
    """One copy: how its ids begin, where their ends are found, and how far its instants are from the life's."""

    head: str
    tail: int
    shard: int
    past: timedelta
    ahead: timedelta


def _tail(source: random.Random) -> str:
    """Return how a UUIDv7 ends, from its version on."""
    digits = f"{source.getrandbits(76):019x}"
    return f"-7{digits[:3]}-{'89ab'[source.getrandbits(2)]}{digits[3:6]}-{digits[7:]}"


_DIFFERENT = 4096
_MOST = 500
"""No life has as many ids, all of which begin alike."""
_TAILS = [_tail(random.Random(place)) for place in range(_DIFFERENT + _MOST)]


class _Copies:
    """So many copies, in the order of their ids, which is that of their reports.

    Their causes' ids begin like the incident's, as the rooms make them, so that an index has them in one place.
    """

    def __init__(self, count: int, now: datetime, shards: int) -> None:
        self._count = count
        self._now = now
        incidents = (self._head(place) + _TAILS[self._first(place)] for place in range(count))
        self._shards = [shard_of(each.encode(), shards) for each in incidents]

    def __iter__(self) -> Iterator[_Copy]:
        """Yield each."""
        span = int((AHEAD[1] - AHEAD[0]).total_seconds())
        for place, shard in enumerate(self._shards):
            # Spread over the span, and the next one's far away.
            ahead = AHEAD[0] + timedelta(seconds=place * 1_000_003 % span)
            past = timedelta(seconds=int(self._past(place).total_seconds()))
            yield _Copy(self._head(place), self._first(place), shard, past, ahead)

    def _past(self, place: int) -> timedelta:
        return MONTHS * (place - self._count) / self._count

    def _head(self, place: int) -> str:
        """Return how the ids of a copy begin: with the millisecond of its report."""
        reported_at = self._now - 2 * STEP + self._past(place)
        digits = f"{int(reported_at.timestamp() * 1000):012x}"
        return f"{digits[:8]}-{digits[8:]}"

    def _first(self, place: int) -> int:
        return place * 101 % _DIFFERENT


# --- how it is loaded ------------------------------------------------------------------------------------------------


async def _load(engine: AsyncEngine, waiting: list[_Table], copies: _Copies) -> None:
    """Load tables, one after the other, as long as there are any."""
    async with _session(engine) as connection:
        while waiting:
            table = waiting.pop(0)
            remade = await _without_indexes(connection, table.name)
            numbers: Counter[int] = Counter()
            # Rows that come into a table emptied in the same transaction need no look by VACUUM any more.
            async with connection.transaction():
                await connection.execute(f"TRUNCATE {table.name}")
                schema, name = table.name.split(".")
                await connection.copy_to_table(
                    name,
                    schema_name=schema,
                    columns=table.columns,
                    source=_text(table, copies, numbers),
                    freeze=True,
                )
                if table.journal:
                    await _number(connection, schema, numbers)
            for statement in remade:
                await connection.execute(statement)


async def _text(table: _Table, copies: _Copies, numbers: Counter[int]) -> AsyncIterator[bytes]:
    """Yield every copy's rows, as COPY reads them."""
    lives = table.lives
    piece: list[str] = []
    for place, copy in enumerate(copies):
        life = lives[place % len(lives)]
        piece.append(life.copied(copy, numbers[copy.shard] + 1))
        numbers[copy.shard] += life.count
        if len(piece) == AT_ONCE:
            yield "".join(piece).encode()
            piece.clear()
    yield "".join(piece).encode()


async def _number(connection: asyncpg.Connection[Any], schema: str, numbers: Mapping[int, int]) -> None:
    """Let every shard know its last number; all of it has been published."""
    await connection.execute(f"UPDATE {schema}.shard SET seq = 0, published = 0")  # noqa: S608 - our own names
    await connection.execute(
        f"UPDATE {schema}.shard SET seq = last, published = last "  # noqa: S608 - as above
        "FROM unnest($1::int[], $2::bigint[]) AS numbered(id, last) WHERE shard.id = numbered.id",
        list(numbers),
        list(numbers.values()),
    )


async def _without_indexes(connection: asyncpg.Connection[Any], table: str) -> list[str]:
    """Drop a table's indexes, and return the statements that make them again: that is quicker than keeping them."""
    constraints = await connection.fetch(
        "SELECT quote_ident(conname) AS name, pg_get_constraintdef(oid) AS made FROM pg_constraint "
        "WHERE conrelid = $1::text::regclass AND contype IN ('p', 'u', 'x')",
        table,
    )
    for each in constraints:
        await connection.execute(f"ALTER TABLE {table} DROP CONSTRAINT {each['name']}")
    indexes = await connection.fetch(
        "SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS made FROM pg_index "
        "WHERE indrelid = $1::text::regclass",
        table,
    )
    for each in indexes:
        await connection.execute(f"DROP INDEX {each['name']}")
    remade = [f"ALTER TABLE {table} ADD CONSTRAINT {each['name']} {each['made']}" for each in constraints]
    return remade + [each["made"] for each in indexes]
