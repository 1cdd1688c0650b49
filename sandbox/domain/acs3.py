"""Checks requests signed with ACS3-HMAC-SHA256, as Alibaba Cloud does. Written apart from the signer it checks."""

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, quote

TOLERANCE = timedelta(minutes=15)
_AUTHORIZATION = re.compile(r"ACS3-HMAC-SHA256 Credential=([^,]+),SignedHeaders=([^,]+),Signature=([0-9a-f]{64})")


class BadSignature(Exception):
    """Refused; the argument is Alibaba's code."""

    @property
    def code(self) -> str:
        return str(self.args[0])


def check(
    method: str, path: str, query: str, headers: Mapping[str, str], body: bytes, key_id: str, secret: str, now: datetime
) -> dict[str, str]:
    """The parameters of a properly signed request. `headers` by lower-case name. Raises BadSignature."""
    found = _AUTHORIZATION.fullmatch(headers.get("authorization", ""))
    if not found:
        raise BadSignature("MissingAuthorization")
    credential, names, signature = found.groups()
    if credential != key_id:
        raise BadSignature("InvalidAccessKeyId.NotFound")
    signed = names.split(";")
    due = {"host", *(name for name in headers if name.startswith("x-acs-") or name == "content-type")}
    if set(signed) != due or signed != sorted(signed):
        raise BadSignature("SignatureDoesNotMatch")
    if hashlib.sha256(body).hexdigest() != headers.get("x-acs-content-sha256"):
        raise BadSignature("SignatureDoesNotMatch")
    _check_date(headers.get("x-acs-date", ""), now)
    parameters = dict(parse_qsl(query, keep_blank_values=True))
    canonical_query = "&".join(
        f"{quote(name, safe='~')}={quote(value, safe='~')}" for name, value in sorted(parameters.items())
    )
    lines = "".join(f"{name}:{headers[name].strip()}\n" for name in signed)
    canonical = f"{method}\n{path}\n{canonical_query}\n{lines}\n{names}\n{headers['x-acs-content-sha256']}"
    text = f"ACS3-HMAC-SHA256\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    expected = hmac.new(secret.encode(), text.encode(), "sha256").hexdigest()
    if not hmac.compare_digest(expected, signature):
        raise BadSignature("SignatureDoesNotMatch")
    return parameters


def _check_date(date: str, now: datetime) -> None:
    try:
        at = datetime.strptime(date, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise BadSignature("IllegalTimestamp") from None
    if abs(now - at) > TOLERANCE:
        raise BadSignature("InvalidTimeStamp.Expired")
