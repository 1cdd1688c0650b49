"""A telephone of the sandbox sends a text: it reaches us through the provider's callback, as it would."""

import time
from datetime import UTC, datetime

import httpx2
import orjson

from shared.providers import Providers


async def send_from_phone(given: Providers, phone: str, text: str, sequence: str | None = None) -> str:
    """Calls the callback as the provider does and returns its answer. `phone` in national or E.164 form.

    Raises httpx2.HTTPError when the callback cannot be reached."""
    item = {
        "phone_number": phone.removeprefix("+86"),
        "content": text,
        "send_time": datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S"),
        "dest_code": "10690000",
        "sequence_id": sequence or str(time.time_ns()),
    }
    async with httpx2.AsyncClient(timeout=10, trust_env=False) as client:
        answer = await client.post(given.callback("alibaba"), content=orjson.dumps([item]))
    return answer.text
