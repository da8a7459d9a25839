"""Who answers requests: a new one is a file here with `make`, and a line in `PROVIDERS`."""

from importlib import import_module

from pipeline.errors import ParamsError
from pipeline.labelling.providers.base import Context, Provider
from pipeline.params.labelling import LabelParams

PROVIDERS = {
    "similarity": "offline stand-in, no LLM",
    "replay": "rankings recorded with the dataset",
    "openai_compatible": "over HTTP, OpenAI's chat completions",
    "openai_batch": "the same in batches, OpenAI's Batch API",
}

STAND_INS = frozenset({"similarity"})
"""Those that answer in an LLM's place and are none."""


def labeller(label: LabelParams) -> dict[str, str | bool | None]:
    """Return who answers, for the reader of the figures; endpoint and model are a service's."""
    service = label.provider not in STAND_INS | {"replay"}
    return {
        "provider": label.provider,
        "endpoint": label.endpoint if service else None,
        "model": label.model if service else None,
        "offline_stand_in": label.provider in STAND_INS,
    }


def provider_of(context: Context) -> Provider:
    """Return the provider that `label.provider` names.

    Raises:
        ParamsError: there is none of that name.
    """
    name = context.label.provider
    if name not in PROVIDERS:
        known = ", ".join(sorted(PROVIDERS))
        raise ParamsError(f"params.yaml: label.provider '{name}' is not one of {known}")
    made: Provider = import_module(f"pipeline.labelling.providers.{name}").make(context)
    return made
