"""The department: responds to what it is called for.

Hears: its own `department.<code>.dispatches`.
Decides: nothing by itself; people do, or a handler of ten lines (services.department.client.Department).
Says: its own `department.<code>.responses`, with the department's own credential.
Remembers: the inbox: each obligation as its stream last told it, and its journal.
Fails: a record that can't be read goes to `department.dead`; a database away is waited for; anything else ends the
process, and the next one does the same work again to the same effect.
"""
