"""The one error that a user's input can cause."""


class InputError(ValueError):
    """Input that cannot be used.

    The message is one line: what is wrong, in which field, and what would be right.
    """
