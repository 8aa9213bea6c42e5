"""The publisher for programs: one community's voice, which is heard even when Kafka is away."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Self
from uuid import UUID

from uuid_utils.compat import uuid7

from schemas.event import Event, Fact
from schemas.inspection import Recorded
from schemas.report import (
    Confirmed,
    ContactChannel,
    Contacted,
    Explained,
    Fault,
    Proved,
    Raised,
    Rated,
    Replied,
    SentBack,
    Verified,
)
from services.domain.receipts import receipt_of
from services.publisher.communities import judge_community, known_communities
from services.publisher.letters import Letter, RejectedError, act_event, judge_time, letter, open_event
from services.publisher.outbox import Outbox, Sent
from services.publisher.settings import PublisherSettings
from services.publisher.spool import NotKeptError
from services.runtime.secret import receipt_key
from services.runtime.settings import Settings

__all__ = ["NotKeptError", "Publisher", "Receipt", "RejectedError"]


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was said, and whether it waits in the spool (then it is on disk, and sent when Kafka is back)."""

    event: Event
    spooled: bool

    @property
    def id(self) -> UUID:
        """The id of the report or inspection."""
        return self.event.subject


class Publisher:
    """Says what one community says.

    `async with Publisher("guangdu") as publisher: await publisher.report(Raised(...))`. Every call returns when Kafka
    or the spool has the fact on disk. Many calls may run at once (`asyncio.gather`): they share the way. Calls that
    end in a report's id take `act`: the same act said twice is the same fact; without it, each call is a new one.

    Raises:
        RejectedError: it can never be said (on entering: there is no such community).
        NotKeptError: Kafka is away, and the disk is full.

    """

    def __init__(self, community: str, settings: Settings | None = None, own: PublisherSettings | None = None) -> None:
        self.community = community
        self._settings = settings or Settings.load()
        self._outbox = Outbox(community, self._settings, own)

    async def __aenter__(self) -> Self:
        """Connect, and send what the spool holds; it is no error if Kafka is away."""
        problem = judge_community(self.community, known_communities(self._settings))
        if problem:
            raise RejectedError(problem)
        await self._outbox.__aenter__()
        await self._drain()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnect."""
        await self._outbox.__aexit__(kind, error, trace)

    async def report(self, fact: Raised, *, id: UUID | None = None, at: datetime | None = None) -> Receipt:  # noqa: A002 - CloudEvents' name
        """Report a matter; without an `id` it is derived from the content, so that saying it twice is the same."""
        return await self._say(self._opening(fact, id, at))

    async def inspection(self, fact: Recorded, *, id: UUID | None = None, at: datetime | None = None) -> Receipt:  # noqa: A002 - as above
        """Record a round of inspection, whatever it found."""
        return await self._say(self._opening(fact, id, at))

    async def verify(
        self,
        report: UUID,
        *,
        holds: bool,
        department: str | None = None,
        proved: Proved | None = None,
        note: str = "",
        act: str | None = None,
        at: datetime | None = None,
    ) -> Receipt:
        """Say whether what a department did holds on the spot, and whether the report proved true."""
        fact = Verified(holds=holds, department=department, proved=proved, note=note)
        return await self._act(report, fact, act, at)

    async def confirm(
        self,
        report: UUID,
        department: str,
        *,
        proved: Proved | None = None,
        note: str = "",
        act: str | None = None,
        at: datetime | None = None,
    ) -> Receipt:
        """Confirm the work of a section of the street."""
        return await self._act(report, Confirmed(department=department, proved=proved, note=note), act, at)

    async def send_back(
        self, report: UUID, department: str, *, reason: str, act: str | None = None, at: datetime | None = None
    ) -> Receipt:
        """Send the work of a section of the street back."""
        return await self._act(report, SentBack(department=department, reason=reason), act, at)

    async def rate(
        self,
        report: UUID,
        *,
        solved: bool,
        satisfied: bool,
        fault: Fault | None = None,
        note: str = "",
        act: str | None = None,
        at: datetime | None = None,
    ) -> Receipt:
        """Pass on how the reporter rates the answer."""
        fact = Rated(solved=solved, satisfied=satisfied, fault=fault, note=note)
        return await self._act(report, fact, act, at)

    async def reply(self, report: UUID, reply: str, *, act: str | None = None, at: datetime | None = None) -> Receipt:
        """Pass on what the reporter replies to the street's question."""
        return await self._act(report, Replied(reply=reply), act, at)

    async def contacted(
        self,
        report: UUID,
        channel: ContactChannel,
        *,
        reached: bool,
        contacted_at: datetime | None = None,
        act: str | None = None,
        at: datetime | None = None,
    ) -> Receipt:
        """Say that the reporter was contacted, or that it was tried."""
        fact = Contacted(channel=channel, reached=reached, contacted_at=contacted_at)
        return await self._act(report, fact, act, at)

    def receipt(self, report: UUID) -> str:
        """Return the receipt with which the report's reporter reads the answer; it is for nobody else.

        Raises:
            NoKeyError: this machine has no key of the receipts, and none can be made.

        """
        return receipt_of(receipt_key(self._settings, make=True), self.community, report)

    async def explain(
        self, report: UUID, explanation: str, *, act: str | None = None, at: datetime | None = None
    ) -> Receipt:
        """Explain in writing what a supervision case asks the community about."""
        return await self._act(report, Explained(explanation=explanation), act, at)

    async def send_all(self, facts: Iterable[tuple[UUID | None, Raised | Recorded, datetime | None]]) -> Sent:
        """Say many reports and inspections (id, fact, when it was said), in their order, a thousand in flight."""
        events = [self._opening(fact, id_, at) for id_, fact, at in facts]
        return await self._send([letter(self.community, event) for event in events])

    def _opening(self, fact: Raised | Recorded, id_: UUID | None, at: datetime | None) -> Event:
        now = datetime.now(UTC)
        if problem := judge_time(fact, now):
            raise RejectedError(problem)
        return open_event(self.community, fact, id=id_, at=at or now)

    async def _act(self, report: UUID, fact: Fact, act: str | None, at: datetime | None) -> Receipt:
        return await self._say(
            act_event(self.community, report, fact, act=act or str(uuid7()), at=at or datetime.now(UTC))
        )

    async def _say(self, event: Event) -> Receipt:
        return Receipt(event, spooled=bool((await self._send([letter(self.community, event)])).spooled))

    async def _send(self, letters: list[Letter]) -> Sent:
        sent = await self._outbox.send(letters)
        if sent.spooled and self._outbox.connected and await self._drain():
            return Sent(sent.taken + sent.spooled, 0)
        return sent

    async def _drain(self) -> bool:
        """Send what the spool holds; whether nothing is left there."""
        return not (await self._outbox.drain()).left
