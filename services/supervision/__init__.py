"""Supervision: someone with a name is told when a promise is broken.

Hears: `supervision.escalations`.
Decides: nothing; who held the post when it was to be told, and which posts nobody held, the history says.
Says: `supervision.actions`, by its officers' commands.
Remembers: who was told of what, who got a copy of which reminder, and its journal.
Fails: a record that can't be read goes to `supervision.dead`; a database away is waited for; anything else ends the
process, and the next one does the same work again to the same effect.
"""
