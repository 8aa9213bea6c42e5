"""Pure decisions: what follows from what was said, at a given instant, under a given configuration.

Nothing here reads a file, a clock or a random number: whatever varies is an argument.
"""
