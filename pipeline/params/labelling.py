"""What an LLM is asked, how its answers are fetched, and what they may cost."""

from typing import Annotated, Any, Literal

from pydantic import Field

from pipeline.params.base import Count, Name, Positive, Section


class HintsParams(Section):
    """What the LLM is shown to summarise the teacher's behaviour."""

    cases: Positive
    items_per_case: Positive
    prompt_version: Name


class LabelParams(Section):
    """What decides a label."""

    provider: Name
    endpoint: Name
    model: str
    temperature: Annotated[float, Field(ge=0)] | None
    max_tokens: Positive | None
    response_schema: Literal["none", "json_object", "json_schema"] = "none"
    ranking_length: Positive
    min_ranking: Positive
    prompt_version: Name
    session_order: Literal["chronological", "shuffled"]
    seed: Count
    reuse: Literal["session", "request"]
    max_repeats: Count
    extra_body: dict[str, Any]


class LabelTransportParams(Section):
    """How labels are fetched and what they may cost."""

    base_url: str
    api_key_variable: str
    api_key_header: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$")] = "Authorization"
    requests_per_minute: Positive
    tokens_per_minute: Positive | None
    tokens_counted: Literal["asked", "used"] = "asked"
    concurrency: Positive
    timeout_seconds: Annotated[float, Field(gt=0)]
    retry_seconds: Annotated[float, Field(ge=0)]
    max_new_requests: Count
    budget_usd: Annotated[float, Field(ge=0)]
    price_input: Annotated[float, Field(ge=0)] | None
    price_output: Annotated[float, Field(ge=0)] | None
    batch_factor: Annotated[float, Field(gt=0, le=1)]
    batch_at_least: Positive
