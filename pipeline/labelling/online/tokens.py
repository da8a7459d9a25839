"""How many tokens a request counts against the service's limit: estimated before, known after.

No tokenizer is at hand. The first requests count a token a byte, which no service exceeds; then
the tokens a byte that earlier answers counted are taken, the most of them, sinking slowly.
"""

from pipeline.labelling.money.budget import body_bytes, completion_bound
from pipeline.labelling.request import Answer, Request

SINKS = 0.05  # of the way down to what the last answer counted
NO_BOUND_TOKENS = 1_000  # of the first answers, where requests name no bound


class TokenGauge:
    """Learns from answers."""

    def __init__(self, counts: str) -> None:
        """Begin without knowledge; `counts` is ``label_transport.tokens_counted``."""
        self._asked = counts == "asked"
        self._a_byte: float | None = None
        self._completion: float | None = None

    def before(self, request: Request) -> float:
        """Return the most that a request may count, as far as we know."""
        a_byte = 1.0 if self._a_byte is None else self._a_byte
        bound, likely = completion_bound(request), self._completion
        most = float(NO_BOUND_TOKENS if bound is None else bound)
        if likely is not None and (bound is None or not self._asked):
            most = likely if bound is None else min(most, likely)
        return body_bytes(request) * a_byte + most

    def after(self, request: Request, answer: Answer) -> float:
        """Return what a request did count, as far as the service says so, and learn from it."""
        if answer.prompt_tokens is None or answer.completion_tokens is None:
            return self.before(request)
        a_byte = answer.prompt_tokens / max(body_bytes(request), 1)
        self._a_byte = _sunk(self._a_byte, a_byte)
        self._completion = _sunk(self._completion, answer.completion_tokens)
        bound = completion_bound(request) if self._asked else None
        return answer.prompt_tokens + max(answer.completion_tokens, bound or 0)


def _sunk(most: float | None, now: float) -> float:
    """Return the largest value so far, a little nearer to the last one."""
    return now if most is None else max(now, most + (now - most) * SINKS)
