"""Reading who approves of what, and the limits of each kind of whistle."""

from collections.abc import Collection
from itertools import pairwise
from typing import Final, cast, get_args

from schemas.decision import CallKind
from schemas.incident import Approver
from services.domain.approvals import DEFAULT_APPROVALS, Approval, Approvals
from services.domain.directory import Directory
from services.domain.reading import Place
from services.domain.whistles import Whistle, Whistles
from services.domain.working_time import Duration

# Clocks of the state machine that run against others, or end a wait by themselves.
NO_DEADLINES: Final = frozenset(
    {
        "decide",
        "confirm",
        "approve",
        "review",
        "close",
        "answer",
        "overall",
        "lead",
        "wait",
        "reply",
        "park",
        "explain",
        "judge",
        "by-hand",
    }
)
APPROVALS: Final[tuple[Approval, ...]] = get_args(Approval)
_KINDS: Final[tuple[CallKind, ...]] = get_args(CallKind)
_PARTIES: Final = ("street", "supervision")


def read_whistles(place: Place, ladders: Collection[str]) -> Whistles:
    """The limits of each kind of whistle; every kind has an `overall` at least, and may name one of the ladders."""
    keys = place.keys(_KINDS)
    for kind in _KINDS:
        if kind not in keys:
            place.error(f"the {kind} whistle has no limits", f"write {kind}: {{overall: 30wd}}")
    return {cast("CallKind", kind): _whistle(each, ladders) for kind, each in keys.items()}


def _whistle(place: Place, ladders: Collection[str]) -> Whistle:
    deadlines: dict[str, Duration] = {}
    keys = place.keys()
    decide = keys.pop("decide").duration() if "decide" in keys else None
    ladder = keys.pop("ladder") if "ladder" in keys else None
    if ladder and ladder.text() and ladder.value not in ladders:
        ladder.error(f"no ladder is called {ladder.value!r}", f"use one of {', '.join(ladders) or 'none yet'}")
    for name, each in keys.items():
        if name in NO_DEADLINES - {"overall"}:
            each.error(f"{name} is no deadline of a department", "name an interim step otherwise, or see street-policy")
        elif each.at(name, name).code():
            deadlines[name] = each.duration()
    if "overall" not in deadlines:
        place.error("this whistle has no overall time", "write overall: 30wd")
    overall = deadlines.pop("overall", Duration(0, "m"))
    return Whistle(overall, deadlines, decide, str(ladder.value) if ladder else "")


def read_approvals(place: Place, directory: Directory) -> Approvals:
    """The ranks, and what each may approve; where something is wrong, what is shipped stands in.

    A rank that nobody holds approves of nothing: an error if it is so everywhere, a warning if it is in some streets.
    """
    keys = place.keys(("ranks", *APPROVALS))
    if "ranks" not in keys:
        place.error("nobody approves of anything", "write ranks: [{party: street, post: section-head}]")
        return DEFAULT_APPROVALS
    ranks = tuple(_rank(each) for each in keys["ranks"].items())
    for at, rank in zip(keys["ranks"].items(), ranks, strict=True):
        _judge_holders(at, rank, directory)
    _judge_order(keys["ranks"], ranks)
    posts = [rank.post for rank in ranks]
    needs: dict[Approval, int] = {}
    for name in APPROVALS:
        if name not in keys:
            place.error(f"nobody approves of {name}", f"write {name}: and the post that may, one of the ranks")
        elif keys[name].value not in posts:
            keys[name].error(f"{keys[name].value!r} is none of the ranks", f"write one of {', '.join(posts)}")
        else:
            needs[name] = posts.index(str(keys[name].value))
    for lower, higher in pairwise(APPROVALS):
        if lower in needs and higher in needs and needs[higher] <= needs[lower]:
            keys[higher].warn(
                f"{higher} needs no higher rank than {lower}", "the three are approvals of rising rank: raise it"
            )
    return Approvals(ranks, needs) if len(needs) == len(APPROVALS) else DEFAULT_APPROVALS


def _rank(place: Place) -> Approver:
    keys = place.keys(("party", "post"))
    for key in ("party", "post"):
        if key not in keys:
            place.error(f"this rank has no {key}", "write {party: street, post: section-head}")
    party = keys["party"].value if "party" in keys else "street"
    if party not in _PARTIES:
        keys["party"].error(f"{party!r} approves of nothing", f"write {' or '.join(_PARTIES)}")
    post = keys["post"].code() if "post" in keys else ""
    return Approver(party="supervision" if party == "supervision" else "street", post=post or "nobody")


def _judge_holders(place: Place, rank: Approver, directory: Directory) -> None:
    """Somebody holds the post of a rank in each street, or at the district."""
    district = [directory.district] if directory.district else []
    units = [unit.code for unit in (directory.streets if rank.party == "street" else district)]
    empty = [code for code in units if not directory.has_post(code, rank.post)]
    cure = f"write posts: {{{rank.post}: …}} for {', '.join(empty)}, or name a post that is held"
    if empty and len(empty) == len(units):
        place.error(f"nobody holds the post {rank.post!r}, so nobody approves of what needs this rank", cure)
    elif empty:
        place.warn(f"the post {rank.post!r} of this rank is held by nobody in {', '.join(empty)}", cure)


def _judge_order(place: Place, ranks: tuple[Approver, ...]) -> None:
    """A post is one rank, and none of the street's stands above one of the district's."""
    for index, rank in enumerate(ranks):
        if rank.post in [each.post for each in ranks[:index]]:
            place.at(index, None).error(f"{rank.post!r} is a rank already", "keep one of them")
        if rank.party == "street" and any(each.party == "supervision" for each in ranks[:index]):
            place.at(index, None).error("a post of the street stands above the district's", "write the street's first")
