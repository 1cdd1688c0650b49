"""Settings of a process: environment variables `CHUISHAO_…`; any of them may instead come from a file
whose path is in `CHUISHAO_…_FILE` (how containers hand out secrets)."""

import os
from pathlib import Path
from typing import Any, Literal

from pydantic import Field
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

PREFIX = "CHUISHAO_"


class _Files(PydanticBaseSettingsSource):
    """Reads `CHUISHAO_NAME_FILE`: the setting is the file's content without the white space around it."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002
        path = os.environ.get(f"{PREFIX}{field_name.upper()}_FILE")
        return (Path(path).read_text().strip() if path else None), field_name, False

    def __call__(self) -> dict[str, Any]:
        found = {name: self.get_field_value(field, name)[0] for name, field in self.settings_cls.model_fields.items()}
        return {name: value for name, value in found.items() if value is not None}


class Settings(BaseSettings):
    """Every setting of every process. The table in the README is made from these fields."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,  # it may be a key
    )

    data: Path = Path("data")
    """Directory of an embedded deployment: servers' data, secrets, what runs."""
    postgres: str = "embedded"
    """`embedded`, or the owner's SQLAlchemy URL (`postgresql+asyncpg://…`)."""
    kafka: str = "embedded"
    """`embedded`, or `HOST:PORT` of a broker."""
    host: str = "127.0.0.1"
    """Address the HTTP server listens on."""
    port: int = Field(8000, ge=1, le=65535)
    """Port the HTTP server listens on."""
    master_key: str | None = Field(None, pattern=r"^\s*[0-9a-fA-F]{64}(\s+[0-9a-fA-F]{64})*\s*$")
    """32 bytes in hex; everything secret is derived from it. Embedded: made on first start in `DATA/secrets`. After a
    rotation several, newest first, with white space between them."""
    topic_prefix: str = "chuishao."
    """Goes before every Kafka topic and consumer group."""
    instance: str = ""
    """A name that this process has for itself and keeps over restarts (a StatefulSet's pod): started again after a
    kill it gets its Kafka partitions at once, instead of after 6 s. Never the same for two that run at once."""
    clock: Literal["real", "adjustable"] = "real"
    """`adjustable` allows `chuishao clock --advance`; a shifted database refuses to start without it."""
    providers: Literal["sandbox", "real"] = "sandbox"
    """Where messages go. `real` needs the providers' credentials below."""
    public_url: str = ""
    """Where this deployment is reached from outside (callbacks of providers); default http://HOST:PORT."""
    sandbox_url: str = ""
    """Where the sandbox is reached by whoever sends to it; default: `/sandbox` of this deployment."""
    sms_url: str = ""
    """Base URL of the Alibaba Cloud SMS interface; default: the sandbox, or the provider's own under `real`."""
    sms_access_key_id: str = "sandbox"
    """AccessKey ID at Alibaba Cloud."""
    sms_access_key_secret: str | None = None
    """AccessKey secret at Alibaba Cloud; the sandbox's is derived from the master key."""
    sms_sign_name: str = "吹哨报到"
    """Signature registered for text messages; the provider puts it in front as 【…】."""
    wechat_url: str = ""
    """Base URL of the WeChat official account interface; default: the sandbox, or the provider's own under `real`."""
    wechat_appid: str = "wxsandbox"
    """AppID of the official account."""
    wechat_secret: str | None = None
    """AppSecret of the official account; the sandbox's is derived from the master key."""
    wechat_token: str | None = None
    """Token of the official account's callback signature."""
    wecom_url: str = ""
    """Base URL of the WeCom interface; default: the sandbox, or the provider's own under `real`."""
    wecom_corpid: str = "wwsandbox"
    """Id of the company at WeCom."""
    wecom_secret: str | None = None
    """Secret of the app that sends; the sandbox's is derived from the master key."""
    wecom_agentid: int = 1000002
    """Number of the app that sends."""
    wecom_token: str | None = None
    """Token of the app's callback signature."""
    wecom_aes_key: str | None = None
    """EncodingAESKey of the app's callbacks, 43 characters."""
    heartbeat_url: str = ""
    """Called (GET) every 30 s while the auditor looks and finds no deadline overdue; a service such as healthchecks.io
    alarms somebody when the call does not come."""
    photos: str = ""
    """Where photos are kept: a directory that all processes share (default `DATA/photos`), or `s3://BUCKET/PREFIX`."""
    s3_endpoint: str = ""
    """URL of the S3 service, when it is not Amazon's."""
    s3_region: str = "us-east-1"
    """Region of the bucket."""
    s3_access_key_id: str | None = None
    """Access key id of the bucket."""
    s3_secret_access_key: str | None = None
    """Secret access key of the bucket."""
    limit_caller: int = Field(6000, ge=0)
    """Changes a minute from one token; 0: no limit. Who asks too often gets 429 and Retry-After."""
    limit_address: int = Field(600, ge=0)
    """Requests a minute without a token from one public address; 0: no limit."""
    limit_phone: int = Field(600, ge=0)
    """Reports an hour without a token from one phone; 0: no limit."""
    proxies: int = Field(0, ge=0, le=8)
    """Our own reverse proxies in front: so many entries of X-Forwarded-For are believed."""
    hsts: int = Field(0, ge=0)
    """Seconds of Strict-Transport-Security; 0: not sent. For deployments behind TLS."""
    log_level: str = "INFO"
    """Least level that is logged: DEBUG, INFO, WARNING or ERROR."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, _Files(settings_cls)

    @property
    def base_url(self) -> str:
        """Where other programs reach this deployment, without a slash at the end."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")
