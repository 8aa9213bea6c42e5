"""The street: opens an incident for a report, decides by rule or by an officer, and answers.

Hears: `community.*.reports`, and `incident.journal` for what became of it. Its officers' commands are said on its own
topic at once, with the street's credential.
Decides: whether a rule calls for it; what of a community's word is passed on (services.domain.street).
Says: `street.<code>.decisions`; `community.<code>.answers`, with the notices that its communities were given.
Remembers: its incidents, folded from the history, with what the street owes next; the notices of breaches it was given;
and its journal.
Fails: a record that can't be read, or from a community that no street has, goes to `street.dead`; a database away is
waited for; anything else ends the process, and the next one does the same work again to the same effect.
"""
