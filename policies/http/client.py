"""A language model behind `/v1/chat/completions` that lends its words (`chat-v1`)."""

from __future__ import annotations

from typing import Any

from rehearse.errors import UserError
from rehearse.policies.http.conversation import message_of
from rehearse.policies.http.settings import ClientSettings
from rehearse.policies.http.wire import Wire, check_address, encoded
from rehearse.policies.sandbox import must_allow_url
from rehearse.policies.settings import checked


class ChatClient:
    """Completes a prompt (`rehearse.dialogue.phrases.Client`)."""

    def __init__(self, url: str, **settings: Any) -> None:
        """Take an address and settings; nobody is called yet. Raises PolicyLoadError."""
        self._given = checked(ClientSettings, settings, url)
        check_address(url)
        must_allow_url(url)
        self._wire = Wire(url, self._given.secrets, self._given.timeout_ms / 1000.0)

    def complete(self, prompt: str) -> str:
        """Return what the model says to a prompt; raises AnswerError where it says nothing."""
        given = self._given
        messages = [{"role": "user", "content": prompt}]
        body = {
            "model": given.model,
            "messages": messages,
            "temperature": given.temperature,
            "seed": given.seed,
        }
        reply = self._wire.ask(self._wire.url, encoded(body | given.body), given.retries)
        if reply.error is not None:
            raise reply.error
        content = message_of(reply.value).get("content")
        if not isinstance(content, str) or not content.strip():
            problem = f"the language model at {self._wire.url} answered {content!r:.80}."
            raise UserError(problem, "Give it a prompt that it answers in words, or leave it out.")
        return content.strip()
