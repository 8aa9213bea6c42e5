"""What a person who starts the house can do something about."""


class LocalError(Exception):
    """A part of the house could not start: the message is one sentence that says what failed and what to do.

    Whoever starts the house prints it as it is and ends: starting again without doing what it says fails again.
    """
