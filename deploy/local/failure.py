"""The one error of the embedded stack."""

from workers import errors


class StackError(errors.UsageError):
    """The stack did not start or cannot go on. The text is one line and says what to do."""
