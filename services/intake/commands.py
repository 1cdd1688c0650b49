"""Intake's use cases. One function, one transaction."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.intake import store
from services.intake.catalogue import catalogue
from services.intake.domain.issues import Report
from shared.attaching import Photos
from shared.auth import Principal
from shared.contracts.issue import IssuePlaced, IssueReported
from shared.db import transaction
from shared.grouping import Grouped
from shared.idempotency import Answer, Asked, once, once_each
from shared.messaging.events import NewEvent
from shared.messaging.outbox import publish
from shared.problems import Problem, forbidden, invalid, not_found, unauthorized, wrong_state
from shared.service import Context
from shared.telemetry import current_traceparent

OVERSEERS = ("command", "admin")
"""Roles that may read every issue; the words are none of an auditor's business."""


@dataclass(frozen=True, slots=True)
class Request:
    """An act's idempotency: its key, if the caller sent one, and the bytes that a repetition must match."""

    key: str | None
    body: bytes


async def report_issue(context: Context, caller: Principal | None, report: Report, request: Request) -> Answer:
    """Takes a report (上报).

    Who may: anybody with a phone; `own` a person with a post at the place or above it; `on_behalf_of` whoever
    has a post, and command. Changes: the issue, and the reporter in the vault if the phone is new.
    Tells: IssueReported.
    Errors: 401 without a token where one is needed, 403, 422 for a place that is none or a missing phone.
    """
    asked = Asked(_reporter_key(context, caller, report), request.key, request.body)
    status, answer = await _reporting(context)(_Telling(caller, report, asked, current_traceparent()))
    # Made from the id each time: a code at rest would open the issue to whoever reads the table.
    return status, {**answer, "track": context.keys.track_code(UUID(answer["id"]))}


@dataclass(frozen=True, slots=True)
class _Telling:
    """A report that waits to be written, with the trace it belongs to."""

    caller: Principal | None
    report: Report
    asked: Asked
    traceparent: str | None

    @property
    def person(self) -> UUID | None:
        return self.caller.person if self.caller else None


_groups: WeakKeyDictionary[AsyncEngine, Grouped[_Telling, Answer]] = WeakKeyDictionary()


def _reporting(context: Context) -> Grouped[_Telling, Answer]:
    """Reports of the same moment are written together, in one transaction."""

    async def together(told: Sequence[_Telling]) -> Sequence[Answer | Exception]:
        async with transaction(context.engine) as conn:
            return await once_each(
                conn,
                context.keys,
                [each.asked for each in told],
                lambda places: _report(conn, context, [told[i] for i in places]),
            )

    if context.engine not in _groups:
        _groups[context.engine] = Grouped(together)
    return _groups[context.engine]


def _reporter_key(context: Context, caller: Principal | None, report: Report) -> str:
    """Whose idempotency keys these are: the caller's, or the phone's of somebody without a token."""
    if caller is not None:
        return caller.key
    if report.needs_sign_in:
        raise unauthorized()
    if report.phone is None:
        raise _phone_missing()
    return f"phone:{context.keys.phone_index(report.phone).hex()}"


async def _report(conn: AsyncConnection, context: Context, told: Sequence[_Telling]) -> Sequence[Answer | Problem]:
    """Writes those that may be written, and refuses the others."""
    places = await store.find_places(conn, [(each.report.place, each.person) for each in told])
    asking = {each.person for each in told if each.report.on_behalf_of and each.person}
    staff = await store.have_posts(conn, list(asking))
    checked = [_checked(context, each, places.get(i), staff) for i, each in enumerate(told)]
    new = [(each, row) for each, row in zip(told, checked, strict=True) if not isinstance(row, Problem)]
    if not new:
        return [row for row in checked if isinstance(row, Problem)]
    written = await store.insert_issues(conn, [row for _, row in new])
    alike = await store.find_alike(conn, [each.id for each in written])
    for (each, _), issue in zip(new, written, strict=True):
        # A photo that is not theirs undoes all; then each is tried alone.
        photos = Photos(each.report.attachments, each.caller.key if each.caller else None)
        await photos.attach(conn, "report", subject=issue.id, thing=issue.id)
    await publish(
        conn,
        [
            NewEvent(issue.id, 1, _reported(each.report, row, issue), each.traceparent)
            for (each, row), issue in zip(new, written, strict=True)
        ],
    )
    rest = iter(written)
    return [
        row if isinstance(row, Problem) else _answer(next(rest), places.get(i), alike) for i, row in enumerate(checked)
    ]


def _answer(issue: store.Written, place: store.Place | None, alike: Mapping[UUID, list[str]]) -> Answer:
    answer: dict[str, Any] = {"id": str(issue.id), "number": issue.number}
    if place:
        answer["place"] = {"grid": place.code, "label": place.label}
    return 201, {**answer, "duplicates": alike[issue.id]} if issue.id in alike else answer


def _checked(
    context: Context, told: _Telling, place: store.Place | None, staff: Collection[UUID]
) -> store.NewIssue | Problem:
    """The row to be written, or why not."""
    report = told.report
    if report.on_behalf_of and not _is_staff(told.caller, staff):
        return forbidden()
    if report.place.grid and place is None:
        return invalid(("body", "place", "grid"), "没有这个网格", "is not a grid")
    if report.own and not (place and place.on_path):
        return forbidden()
    if not report.on_behalf_of and not told.person and report.phone is None:
        return _phone_missing()
    return _new_issue(context, told.person, report, place)


def _is_staff(caller: Principal | None, staff: Collection[UUID]) -> bool:
    if caller is None or caller.person is None:
        return caller is not None and caller.role == "command"
    return caller.person in staff


def _new_issue(context: Context, person: UUID | None, report: Report, place: store.Place | None) -> store.NewIssue:
    reporter = None if report.on_behalf_of else person
    phone = None if reporter else report.on_behalf_of or report.phone
    index, wrapped, sealed = _sealed_phone(context, phone) if phone else (None, None, None)
    system, number = report.external or (None, None)
    return store.NewIssue(
        category=report.category,
        text=report.text,
        place=place.id if place else None,
        middle=place.middle if place else None,
        address=report.place.address,
        lng=report.place.lng,
        lat=report.place.lat,
        reporter=reporter,
        phone_index=index,
        wrapped=wrapped,
        sealed=sealed,
        entered_by=person if report.on_behalf_of else None,
        may_contact=report.may_contact,
        own=report.own,
        about_leader=report.about_leader,
        external_system=system,
        external_number=number,
    )


def _sealed_phone(context: Context, phone: str) -> tuple[bytes, bytes, bytes]:
    """Index, wrapped key and sealed contacts for a person known by this phone only."""
    key, wrapped = context.keys.new_person_key()
    contacts = {"name": None, "phone": phone, "openid": None, "wecom": None}
    return context.keys.phone_index(phone), wrapped, context.keys.seal(key, contacts)


def _phone_missing() -> Problem:
    return invalid(("body", "phone"), "请留一个手机号，好告诉您结果", "is needed without a token")


def _reported(report: Report, new: store.NewIssue, written: store.Written) -> IssueReported:
    item = catalogue().find(report.category)
    assert item is not None, "the form was checked"
    return IssueReported(
        number=written.number,
        category=item.code,
        urgency=item.urgency,
        start=item.start,
        mergeable=item.mergeable,
        place=new.place,
        reporter=written.reporter,
        own=report.own,
        about_leader=report.about_leader,
        on_behalf=report.on_behalf_of is not None,
        entered_by=new.entered_by,
    )


@dataclass(frozen=True, slots=True)
class SeenIssue:
    """An issue as its reader sees it; `reporter` is None unless the reader may know."""

    issue: store.Seen
    reporter: dict[str, str | None] | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which issues a list is of: those named, those the caller reported, or those without a place."""

    ids: Sequence[UUID] | None = None
    mine: bool = False


async def read_issue(context: Context, caller: Principal | None, issue: UUID, code: str | None) -> SeenIssue:
    """One issue: words, place and, where allowed, the reporter.

    Who may: the reporter, whoever holds the code, command and admin, and those `store` lets read it.
    Errors: 401 with neither token nor code, 404 for everybody else and for a wrong code, 403 for the auditor.
    """
    if code is not None and not context.keys.check_track(issue, code):
        raise not_found()
    if code is None and caller is None:
        raise unauthorized()
    reader = reader_of(caller) if code is None else store.Reader(caller.person if caller else None, everything=True)
    async with transaction(context.engine) as conn:
        found = await store.read_one(conn, reader, issue)
        if found is None:
            raise not_found()
        return (await _with_reporters(conn, context, caller, [found]))[0]


async def list_issues(context: Context, caller: Principal, wanted: Wanted, page: store.Page) -> list[SeenIssue]:
    """Issues the caller may see, oldest first, one more than `page.limit` if there are more.

    Who may: anybody signed in but the auditor (403); what the caller may not see is left out.
    """
    reader = reader_of(caller)
    async with transaction(context.engine) as conn:
        if wanted.ids is not None:
            found = await store.read_these(conn, reader, wanted.ids, page)
        elif wanted.mine:
            found = await store.read_mine(conn, reader, page)
        else:
            found = await store.read_unplaced(conn, reader, page)
        shown = await _with_reporters(conn, context, caller, found[: page.limit])
    return shown + [SeenIssue(more, None) for more in found[page.limit :]]


def reader_of(caller: Principal | None) -> store.Reader:
    """Raises 403 for the auditor, whom the words are none of the business."""
    if caller is not None and caller.role == "auditor":
        raise forbidden()
    return store.Reader(
        person=caller.person if caller else None, everything=caller is not None and caller.role in OVERSEERS
    )


async def _with_reporters(
    conn: AsyncConnection, context: Context, caller: Principal | None, found: Sequence[store.Seen]
) -> list[SeenIssue]:
    """The reporter sees herself; others get a phone only where she ticked "may contact me", and it is logged.
    A code opens the words, not the person."""
    askers = [] if caller is None else [each for each in found if each.may_contact and not each.is_mine]
    sealed = await store.open_contacts(conn, sorted({each.reporter for each in askers}))
    phones = {person: _phone(context, *pair) for person, pair in sealed.items()}
    seen = []
    for issue in found:
        reporter: dict[str, str | None] | None = None
        if issue.is_mine and caller:
            reporter = {"id": caller.no or str(issue.reporter)}
        elif issue in askers and issue.reporter in phones:
            reporter = {"phone": phones[issue.reporter]}
        seen.append(SeenIssue(issue, reporter))
    return seen


def _phone(context: Context, wrapped: bytes, sealed: bytes) -> str | None:
    phone: str | None = context.keys.open(context.keys.unwrap(wrapped), sealed).get("phone")
    return phone


async def check_may_place(context: Context, caller: Principal, issue: UUID) -> None:
    """Before the body is looked at: 404 for an issue they may not see, 403 for whoever has no desk. One without a place
    any desk may be told of, since it may belong below it."""
    async with transaction(context.engine) as conn:
        placed = await store.is_placed(conn, issue)
        if placed is None:
            raise not_found()
        desk = caller.role == "command" or await store.has_desk(conn, caller.person)
        if not desk or (placed and not await store.read_one(conn, reader_of(caller), issue)):
            raise await _refusal(conn, caller, issue)


async def _refusal(conn: AsyncConnection, caller: Principal, issue: UUID) -> Exception:
    """403 for whoever may see the issue, 404 for everybody else."""
    return forbidden() if await store.read_one(conn, reader_of(caller), issue) else not_found()


async def place_issue(context: Context, caller: Principal, issue: UUID, code: str, request: Request) -> Answer:
    """Says where an issue belongs that fitted no grid.

    Who may: the district's desk, a desk above the grid named, command. Changes: the issue's place, once.
    Tells: IssuePlaced. Errors: 404, 403, 422 for a grid that is none, 409 `wrong-state` when it has a place.
    """
    body = str(issue).encode() + b"\0" + request.body
    async with transaction(context.engine) as conn:
        return await once(conn, context.keys, caller.key, request.key, body, lambda: _place(conn, caller, issue, code))


async def _place(conn: AsyncConnection, caller: Principal, issue: UUID, code: str) -> Answer:
    row = await store.lock_issue(conn, issue)
    grid = await store.find_grid(conn, code)
    if row is None:
        raise not_found()
    if caller.role != "command" and not await store.may_place(conn, caller.person, grid.id if grid else None):
        raise await _refusal(conn, caller, issue)
    if grid is None:
        raise invalid(("body", "grid"), "没有这个网格", "is not a grid")
    if row.place is not None:
        raise wrong_state("placed", [])
    seq = await store.set_place(conn, issue, grid.id, caller.key)
    await publish(conn, [NewEvent(issue, seq, IssuePlaced(place=grid.id))])
    return 200, {"id": str(issue), "number": row.number, "place": {"grid": grid.code, "label": grid.label}}
