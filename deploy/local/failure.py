"""The errors of the embedded stack."""

from workers import errors


class StackError(errors.UsageError):
    """The stack did not start or cannot go on. The text is one line and says what to do."""


class NotStarted(StackError):
    """A port is in use, or a server ended or stayed silent while it started: on other ports it may work."""
