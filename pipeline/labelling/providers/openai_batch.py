"""OpenAI's Batch API: the same requests as online, answered within a day at half the price.

`pipeline.labelling.batches` plans, creates and looks after batches; here is only where they go.
What is too little for a batch goes online, as with `openai_compatible`.
"""

from urllib.parse import urlsplit

import httpx

from pipeline.labelling.batches.service import BatchService
from pipeline.labelling.online.mask import Mask
from pipeline.labelling.online.transport import credentials
from pipeline.labelling.providers.base import Context
from pipeline.labelling.providers.openai_compatible import (
    OpenAICompatible,
    address_of,
    key_of,
    refusal_of,
)


def make(context: Context) -> "OpenAIBatch":
    """Return the provider."""
    return OpenAIBatch(context)


class OpenAIBatch(OpenAICompatible):
    """Asks a service in batches."""

    batched = True

    def __init__(self, context: Context, wire: httpx.AsyncBaseTransport | None = None) -> None:
        super().__init__(context)
        self._wire = wire

    @property
    def host(self) -> str:
        """Where the service is, for messages."""
        return urlsplit(self._context.transport.base_url).hostname or ""

    def batches(self) -> BatchService:
        """Return the wire to its Batch API.

        Raises:
            LabelError: the key is not set, or it would travel unencrypted to another machine.
        """
        context, key = self._context, key_of(self._context)
        transport = context.transport
        client = httpx.AsyncClient(
            headers=credentials(key, transport.api_key_header) | {"Accept-Encoding": "identity"},
            follow_redirects=False,
            transport=self._wire,
        )
        return BatchService(
            client,
            lambda path: address_of(transport.base_url, path),
            Mask(key),
            lambda reply: refusal_of(reply, context),
            transport.timeout_seconds,
        )
