"""Kinds of settings, and what they have in common."""

from typing import Annotated

from pydantic import AfterValidator, Field, PostgresDsn, SecretStr, ValidationError
from pydantic_settings import BaseSettings

from assistant_api.webhook_signature import HmacFormat
from zerotouch_platform.settings import CONFIG
from zerotouch_platform.vapi.envelope import envelope_keys

KEY_CHARACTERS_MIN = 16


class Part(BaseSettings):
    """Settings of one concern, from the environment."""

    model_config = CONFIG


def _postgres_url(value: SecretStr) -> SecretStr:
    try:
        PostgresDsn(value.get_secret_value())
    except ValidationError:
        raise ValueError("must be a URL like postgresql://user:password@host:5432/database") from None
    return value


def _secret_keys(value: SecretStr) -> SecretStr:
    keys = [key.strip() for key in value.get_secret_value().split(",")]
    if any(len(key) < KEY_CHARACTERS_MIN or not (key.isascii() and key.isprintable()) for key in keys):
        raise ValueError(f"must be keys of at least {KEY_CHARACTERS_MIN} ASCII characters, separated by commas")
    return value


def hmac_format(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return HmacFormat.model_validate_json(value)
    except ValidationError as error:
        item = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, item["loc"]))
        raise ValueError(f"{place}: {item['msg']}".removeprefix(": ").removeprefix("Value error, ")) from None


PostgresUrl = Annotated[SecretStr, AfterValidator(_postgres_url)]
EnvelopeKeys = Annotated[SecretStr, AfterValidator(envelope_keys)]
SecretKeys = Annotated[SecretStr, AfterValidator(_secret_keys)]
Seconds = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
ApiKey = Annotated[SecretStr, Field(min_length=1)]
