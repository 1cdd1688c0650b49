"""Whom a command means by `--person P016`, `--post CODE:desk`, `--phone 199…`: a caller of the interfaces."""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from chuishao import store
from chuishao.target import Target, fail
from shared.auth import ROLES, Principal
from shared.phones import e164

POSTS = ("leader", "party", "desk", "secretary")


@dataclass(frozen=True)
class Who:
    """How a command line names a caller; exactly one is given."""

    person: str | None = None
    post: str | None = None
    department: str | None = None
    phone: str | None = None
    role: str | None = None

    def check(self) -> None:
        """Ends the command (exit code 2) unless exactly one way is used, and that one rightly."""
        given = [way for way in (self.person, self.post, self.department, self.phone, self.role) if way]
        if len(given) != 1:
            fail("要指明一个人，而且只用一种方式", "name one person, in exactly one way (see --help)", 2)
        if self.role and self.role not in ROLES:
            fail(f"角色只能是 {'、'.join(ROLES)}", f"--role is one of {', '.join(ROLES)}", 2)
        if self.post and self.post.partition(":")[2] not in ("", *POSTS):
            fail(f"岗位只能是 {'、'.join(POSTS)}", f"a post is one of {', '.join(POSTS)}", 2)


async def principal(conn: AsyncConnection, target: Target, who: Who) -> Principal:
    """The caller meant; ends the command with exit code 1 when the district has no such person."""
    if who.role:
        return Principal(role=next(role for role in ROLES if role == who.role))
    if who.phone:
        return await _by_phone(conn, target, who.phone)
    if who.person:
        found = await store.find_person(conn, who.person)
    elif who.department:
        found = await store.find_officer(conn, who.department)
    else:
        code, _, kind = (who.post or "").partition(":")
        found = await store.find_by_post(conn, code, kind or "leader")
    if found is None:
        fail("这个区里没有这个人，或者这个岗位空着", "no such person in this district, or the post is vacant")
    return Principal(person=found.id, no=found.no, department=who.department)


async def _by_phone(conn: AsyncConnection, target: Target, typed: str) -> Principal:
    """A resident becomes known by their phone, as when they report."""
    phone = e164(typed)
    if phone is None:
        fail("不是电话号码", "not a telephone number", 2)
    key, wrapped = target.keys.new_person_key()
    sealed = target.keys.seal(key, {"name": None, "phone": phone, "openid": None, "wecom": None})
    person, no = await store.person_by_phone(conn, target.keys.phone_index(phone), wrapped, sealed)
    return Principal(person=person, no=no)
