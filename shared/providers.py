"""What notify and the providers (or the sandbox in their place) must agree on: addresses, credentials, callbacks."""

from base64 import b64encode
from dataclasses import dataclass, field

from shared.keys import Keys
from shared.settings import Settings

REAL_SMS = "https://dysmsapi.aliyuncs.com"
REAL_WECHAT = "https://api.weixin.qq.com"
REAL_WECOM = "https://qyapi.weixin.qq.com"

NEEDED = (
    "sms_access_key_secret",
    "wechat_secret",
    "wechat_token",
    "wecom_secret",
    "wecom_token",
    "wecom_aes_key",
)
"""Settings that no real provider does without."""


@dataclass(frozen=True)
class Providers:
    """Base URLs without a slash at the end, credentials, and the secret part of the callbacks' path."""

    sms_url: str
    sms_key_id: str
    sms_secret: str = field(repr=False)
    sms_sign: str
    wechat_url: str
    wechat_appid: str
    wechat_secret: str = field(repr=False)
    wechat_token: str = field(repr=False)
    wecom_url: str
    wecom_corpid: str
    wecom_secret: str = field(repr=False)
    wecom_agentid: int
    wecom_token: str = field(repr=False)
    wecom_aes_key: str = field(repr=False)
    callback_secret: str = field(repr=False)
    callbacks: str
    """Where providers call back, up to the provider's name."""

    def callback(self, provider: str) -> str:
        return f"{self.callbacks}/{provider}/{self.callback_secret}"


def providers(settings: Settings, keys: Keys) -> Providers:
    """From the settings; for the sandbox everything has a default. Raises ValueError when a real provider's credentials
    are missing."""
    real = settings.providers == "real"
    missing = [name for name in NEEDED if not getattr(settings, name)]
    if real and missing:
        raise ValueError(f"real providers need {', '.join(name.upper() for name in missing)}")
    sandbox = (settings.sandbox_url or f"{settings.base_url}/sandbox").rstrip("/")
    return Providers(
        sms_url=(settings.sms_url or (REAL_SMS if real else f"{sandbox}/alibaba")).rstrip("/"),
        sms_key_id=settings.sms_access_key_id,
        sms_secret=settings.sms_access_key_secret or keys.secret("sms"),
        sms_sign=settings.sms_sign_name,
        wechat_url=(settings.wechat_url or (REAL_WECHAT if real else f"{sandbox}/wechat")).rstrip("/"),
        wechat_appid=settings.wechat_appid,
        wechat_secret=settings.wechat_secret or keys.secret("wechat"),
        wechat_token=settings.wechat_token or keys.secret("wechat-token"),
        wecom_url=(settings.wecom_url or (REAL_WECOM if real else f"{sandbox}/wecom")).rstrip("/"),
        wecom_corpid=settings.wecom_corpid,
        wecom_secret=settings.wecom_secret or keys.secret("wecom"),
        wecom_agentid=settings.wecom_agentid,
        wecom_token=settings.wecom_token or keys.secret("wecom-token"),
        wecom_aes_key=settings.wecom_aes_key or b64encode(keys.digest("wecom-aes", b"")).decode().rstrip("="),
        callback_secret=keys.secret("callback"),
        callbacks=f"{settings.base_url}/api/notify/callbacks",
    )
