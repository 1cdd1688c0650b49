"""Use cases of the sandbox: what the providers' interfaces do, and what a test or a demonstration may set up."""

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from sandbox import store
from sandbox.addresses import address_digest, seal_address
from sandbox.behaviour import Behaviour, Kind, behaviour, wait
from sandbox.domain.checks import PHONE, Refusal, fill_card, fill_sms
from sandbox.receipts import send_reports
from shared.db import transaction
from shared.ids import new_id
from shared.keys import Keys
from shared.service import Context

CONSENTS = 1000
"""Messages every WeChat follower takes, unless set otherwise."""
TOKEN_SECONDS = 7200.0


async def _waits() -> bool:
    return False


@dataclass(frozen=True)
class Parcel:
    """A message a provider was given. `out_id` is the sender's id for it; `hung_up` tells whether the sender still
    waits for the answer."""

    provider: str
    channel: str
    address: str = field(repr=False)
    template: str
    out_id: str
    hung_up: Callable[[], Awaitable[bool]] = field(default=_waits, repr=False)


async def register_templates(conn: AsyncConnection, templates: Sequence[tuple[str, str, str]]) -> None:
    """The deployment, at start: registers templates (provider, code, text), as an operator does with the real one."""
    rows = [{"provider": provider, "code": code, "text": text} for provider, code, text in templates]
    await conn.execute(store.PUT_TEMPLATES, {"rows": rows})


async def set_frequency(conn: AsyncConnection, *, per_minute: int | None, per_day: int | None) -> None:
    """The deployment: how many text messages a number may get; None: no rule (demonstrations)."""
    await conn.execute(store.SET_FREQUENCY, {"per_minute": per_minute, "per_day": per_day})


async def control(
    conn: AsyncConnection,
    keys: Keys,
    provider: str,
    address: str | None,
    behaviour: Kind,
    *,
    seconds: float | None = None,
    code: str | None = None,
    times: int | None = None,
) -> None:
    """A test: from now on the provider behaves so, to one address or to all, `times` times or until cleared."""
    await conn.execute(
        store.ADD_RULE,
        {
            "provider": provider,
            "address": address_digest(keys, address) if address else None,
            "behaviour": behaviour,
            "seconds": seconds,
            "code": code,
            "remaining": times,
        },
    )


async def clear(conn: AsyncConnection, keys: Keys, provider: str, address: str | None) -> None:
    """A test: the provider behaves well again."""
    digest = address_digest(keys, address) if address else None
    await conn.execute(store.CLEAR_RULES, {"provider": provider, "address": digest})


async def set_consents(conn: AsyncConnection, keys: Keys, openid: str, remaining: int) -> None:
    """A test: how many messages a follower still takes."""
    await conn.execute(store.SET_CONSENT, {"address": address_digest(keys, openid), "remaining": remaining})


# -- text messages ------------------------------------------------------------------------------------
async def use_nonce(conn: AsyncConnection, nonce: str) -> bool:
    """Whether a signature's nonce is new."""
    return (await conn.execute(store.NONCE, {"nonce": nonce})).rowcount == 1


async def send_sms(context: Context, parcel: Parcel, parameters: str, sign_name: str) -> str:
    """Takes one text message and returns our number for it. Raises Refusal."""
    if not PHONE.fullmatch(parcel.address):
        raise Refusal("isv.MOBILE_NUMBER_ILLEGAL")
    return await take(context, parcel, lambda conn: _sms(conn, context.keys, parcel, parameters, sign_name))


async def _sms(
    conn: AsyncConnection, keys: Keys, parcel: Parcel, parameters: str, sign_name: str
) -> tuple[dict[str, str], str]:
    template = await _template(conn, parcel, "isv.SMS_TEMPLATE_ILLEGAL")
    values, text = fill_sms(template, parameters)
    address = address_digest(keys, parcel.address)
    await conn.execute(store.LOCK_ADDRESS, {"address": address})
    if (await conn.execute(store.TOO_MANY, {"address": address})).scalar_one():
        raise Refusal("isv.BUSINESS_LIMIT_CONTROL")
    return values, f"【{sign_name}】{text}"


async def sms_details(
    conn: AsyncConnection, keys: Keys, phone: str, day: date, size: int, page: int
) -> Sequence[Row[Any]]:
    """What was sent to a number on a day, newest first, each with the total."""
    address = address_digest(keys, phone)
    skip = size * (page - 1)
    return await store.all_rows(conn, store.DETAILS, address=address, day=day, size=size, skip=skip)


# -- WeChat ---------------------------------------------------------------------------------------------
async def get_token(context: Context, appid: str, force: bool) -> str:
    """The access token of an account: the same one until it ends, unless a new one is forced."""
    keys = context.keys
    key = keys.digest("sandbox", b"token")
    async with transaction(context.engine) as conn:
        rows = await store.all_rows(conn, store.TOKEN, appid=appid)
        if rows and rows[0].good and not force:
            return str(keys.open(key, rows[0].sealed)["token"])
        token = secrets.token_urlsafe(48)
        await conn.execute(
            store.SET_TOKEN,
            {
                "appid": appid,
                "digest": keys.digest("sandbox-token", token.encode()),
                "sealed": keys.seal(key, {"token": token}),
                "seconds": TOKEN_SECONDS,
            },
        )
        return token


async def check_token(
    conn: AsyncConnection, keys: Keys, appid: str, token: str, *, unknown: str = "40001", ended: str = "42001"
) -> None:
    """Raises Refusal: `unknown` for a token that is none of ours (or was replaced), `ended` for one that has ended."""
    rows = await store.all_rows(conn, store.TOKEN, appid=appid)
    if not rows or bytes(rows[0].digest) != keys.digest("sandbox-token", token.encode()):
        raise Refusal(unknown)
    if not rows[0].good:
        raise Refusal(ended)


async def send_card(context: Context, parcel: Parcel, data: Mapping[str, Mapping[str, str]]) -> str:
    """Takes one WeChat message and returns our number for it. Raises Refusal."""
    return await take(context, parcel, lambda conn: _card(conn, context.keys, parcel, data))


async def _card(
    conn: AsyncConnection, keys: Keys, parcel: Parcel, data: Mapping[str, Mapping[str, str]]
) -> tuple[dict[str, str], str]:
    values, text = fill_card(await _template(conn, parcel, "40037"), data)
    consent = {"address": address_digest(keys, parcel.address), "default": CONSENTS}
    if (await conn.execute(store.CONSENT, consent)).one_or_none() is None:
        raise Refusal("43101")
    return values, text


# -- both -------------------------------------------------------------------------------------------------
async def _template(conn: AsyncConnection, parcel: Parcel, unknown: str) -> str:
    found = await conn.execute(store.TEMPLATE, {"provider": parcel.provider, "code": parcel.template})
    text: str | None = found.scalar_one_or_none()
    if text is None:
        raise Refusal(unknown)
    return text


Check = Callable[[AsyncConnection], Awaitable[tuple[dict[str, str], str]]]
"""The values of a message and its text; raises Refusal."""
Keep = Callable[[AsyncConnection, UUID], Awaitable[None]]
"""What else is to be kept about an entry of the ledger."""


async def take(context: Context, parcel: Parcel, check: Check, keep: Keep | None = None) -> str:
    """Behaves as told, checks the message, writes the ledger and the receipts to be sent; then answers. Raises
    Refusal."""
    address = address_digest(context.keys, parcel.address)
    async with transaction(context.engine) as conn:
        told = await behaviour(conn, parcel.provider, address)
        if not (told.slow or told.refuse):
            entry, ref = await _taken(conn, context.keys, parcel, address, told, check, keep)
    await wait(told.slow)
    if told.refuse:
        raise Refusal(told.refuse)
    if told.slow:
        async with transaction(context.engine) as conn:
            entry, ref = await _taken(conn, context.keys, parcel, address, told, check, keep)
    if entry is None:
        return ref
    if told.early:
        await send_reports(context, entry)
    await wait(told.hang)
    return ref


async def _taken(
    conn: AsyncConnection,
    keys: Keys,
    parcel: Parcel,
    address: bytes,
    told: Behaviour,
    check: Check,
    keep: Keep | None,
) -> tuple[UUID | None, str]:
    """The new entry of the ledger, or None for a message that is in it already; and our number for it."""
    repeated = await _repeated(conn, parcel, address)
    if repeated:
        return None, repeated
    values, text = await check(conn)
    if await parcel.hung_up():  # asked meanwhile, we may have said that we do not know it
        raise Refusal("isp.SYSTEM_ERROR")
    entry, ref = await _write(conn, keys, parcel, values, text, told)
    if keep:
        await keep(conn, entry)
    return entry, ref


async def _repeated(conn: AsyncConnection, parcel: Parcel, address: bytes) -> str | None:
    """Our number for a WeChat message that was taken before under the same id."""
    if parcel.channel != "wechat" or not parcel.out_id:
        return None
    await conn.execute(store.LOCK_ADDRESS, {"address": address})
    found = await conn.execute(store.REPEATED, {"address": address, "out_id": parcel.out_id})
    return found.scalars().first()


async def _write(
    conn: AsyncConnection, keys: Keys, parcel: Parcel, values: Mapping[str, str], text: str, told: Behaviour
) -> tuple[UUID, str]:
    entry, ref = new_id(), f"{int(datetime.now(UTC).timestamp() * 1_000_000)}{secrets.randbelow(100):02}"
    await conn.execute(
        store.ACCEPT,
        {
            "id": entry,
            "provider": parcel.provider,
            "channel": parcel.channel,
            "address": address_digest(keys, parcel.address),
            "sealed": seal_address(keys, parcel.address),
            "template": parcel.template,
            "params": values,
            "text": text,
            "out_id": parcel.out_id,
            "ref": ref,
            "state": told.state,
            "code": told.failed,
            # WeCom tells nobody what became of a card.
            "times": 0 if parcel.channel == "wecom" else told.receipts,
        },
    )
    return entry, ref
