"""The router: dispatches to every department called, and tracks each acknowledgement and deadline.

Hears: `street.*.decisions`, `department.*.responses`, `supervision.actions`.
Decides: what follows from each, and from every deadline that passes (services.domain.decide).
Says: `incident.journal`, as its only writer; `department.<code>.dispatches`; `supervision.escalations`.
Remembers: every incident's state with the instant at which something is due next, by which version of the configuration
that was reckoned, and its journal.
Fails: a record that can't be read goes to `router.dead`; what doesn't fit is refused in the history; a database away is
waited for; anything else ends the process, and the next one does the same work again to the same effect.
"""
