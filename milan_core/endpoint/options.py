"""Declaration of a model behind a server."""

from __future__ import annotations

from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from milan_core.core.addresses import Address
from milan_core.core.options import Section

LOOPBACK = ("localhost", "127.0.0.1", "::1")


class EndpointOptions(Section):
    """A model behind an OpenAI-compatible server (vLLM, llama.cpp, Ollama, a hosted service)."""

    url: Address = Field(description="Base address, up to and with /v1: http://127.0.0.1:8000/v1")
    model: str = Field(min_length=1, max_length=200, description="Name of the model there")
    key_variable: str = Field(
        "",
        pattern=r"^([A-Za-z_][A-Za-z0-9_]*)?$",
        description="Environment variable that holds the key; empty: none is sent",
    )
    concurrency: int = Field(4, ge=1, le=256, description="Requests at the same time")
    per_minute: float | None = Field(None, gt=0, description="Most requests a minute")
    timeout: float = Field(120.0, gt=0, description="Seconds until an answer must be complete")
    attempts: int = Field(6, ge=1, le=20, description="Attempts for one answer, pauses between")
    price_in: float | None = Field(None, ge=0, description="Price of a million tokens asked")
    price_out: float | None = Field(None, ge=0, description="Price of a million tokens answered")

    @field_validator("url")
    @classmethod
    def _web(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query:
            raise ValueError("expected an address such as http://127.0.0.1:8000/v1")
        return url.rstrip("/")

    @model_validator(mode="after")
    def _key_is_safe(self) -> EndpointOptions:
        parts = urlsplit(self.url)
        if self.key_variable and parts.scheme == "http" and parts.hostname not in LOOPBACK:
            raise ValueError("a key is sent over https or to this machine only; change the url")
        return self
