"""Errors a user can cause and mend: printed as one line, exit status 1.

Anything else that is raised is a bug and shows its traceback.
"""


class PipelineError(Exception):
    """What was found, with the value, where, and what to do next, in one line."""

    status = 1
    """The exit status of a command that ends so."""


class ParamsError(PipelineError):
    """A key of ``params.yaml`` is missing, unknown or out of range."""


class DataError(PipelineError):
    """A file, a column or a row is not what a stage can work with."""


class LabelError(PipelineError):
    """A labeller, its store or its answers cannot be used as they are."""


class SpendRefused(LabelError):  # noqa: N818 - a refusal is the word of the labelling contract
    """A step would spend money that nobody has allowed; the message names both ways out."""
