"""The ledger (台账): what was collected, who owns it, what became of it, and what nobody owns or is overdue.

Hears: `incident.journal`; and it looks into `community.*.reports` to see whether a report was lost on the way.
Decides: nothing. It orders every history by version and folds it.
Says: nothing.
Remembers: every entry of every history, the state each folds to, rounds of inspection and notices of breaches, all of
which can be made again from the first offset; and who has read what, which can't.
Fails: a record that can't be read goes to `ledger.dead`; a missing version is waited for, and what follows it is kept;
a database away is waited for; a reading that can't be written down is not shown; anything else ends the process, and
the next one does the same work again.
"""
