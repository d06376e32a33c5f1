"""One question to a model, and the request that carries it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from milan_core.core.files import canonical_json
from milan_core.endpoint.picture import Picture

PROMPT_VERSION = 1  # of the form of the request; part of every key
LOGPROBS = 5  # most probable tokens that are asked for at each place


@dataclass(frozen=True)
class Question:
    """A question; equal questions have one answer in a cassette.

    Attributes:
        text: the question, after the images.
        images: pictures, in order.
        max_tokens: of the answer.
        temperature: 0 asks for the most probable answer.
        seed: of the draw, for servers that honor it.
        logprobs: ask for the log-probabilities of the answer's tokens.
        schema: canonical JSON schema that the answer must follow; empty for free text.

    """

    text: str
    images: tuple[Picture, ...] = ()
    max_tokens: int = 64
    temperature: float = 0.0
    seed: int = 0
    logprobs: bool = False
    schema: str = ""

    @property
    def facts(self) -> dict[str, Any]:
        """The question with digests in place of images, as values of JSON."""
        return {
            "images": [image.digest for image in self.images],
            "logprobs": self.logprobs,
            "max_tokens": self.max_tokens,
            "prompt_version": PROMPT_VERSION,
            "schema": self.schema,
            "seed": self.seed,
            "temperature": self.temperature,
            "text": self.text,
        }

    def key(self, model: str) -> str:
        """SHA-256 of the question and the model's name, as 64 hexadecimal digits."""
        return hashlib.sha256(canonical_json([model, self.facts]).encode()).hexdigest()

    def body(self, model: str) -> bytes:
        """The request's body: chat completions of the OpenAI interface."""
        parts: list[dict[str, Any]] = [
            {"type": "image_url", "image_url": {"url": image.data_url()}} for image in self.images
        ]
        content: Any = [*parts, {"type": "text", "text": self.text}] if parts else self.text
        body: dict[str, Any] = {
            "model": model,
            "messages": [{"role": "user", "content": content}],
            "max_tokens": self.max_tokens,
            "temperature": self.temperature,
            "seed": self.seed,
            "n": 1,
            "stream": False,
        }
        if self.logprobs:
            body |= {"logprobs": True, "top_logprobs": LOGPROBS}
        if self.schema:
            schema = {"name": "answer", "strict": True, "schema": json.loads(self.schema)}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        return canonical_json(body).encode()
