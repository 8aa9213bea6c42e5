"""The monitor: ops see how far behind each group of readers is, on each topic.

Hears: the broker itself, by questions: its groups, what they have committed, where its topics begin and end. Never the
rooms: a client's own figure goes blank when the client dies, which is when it is needed.
Decides: lag, the number of records a group has yet to read of a partition. Nothing is judged yet.
It looks into the configuration too, for the end of each calendar.
Says: nothing on Kafka. `/metrics` (Prometheus), `/lag` (JSON) and `/healthz` on this machine's own address;
`whistle lag` on the terminal; `client.BrokerView` to programs.
Remembers: nothing. Each answer is a fresh look, at most a second old.
Fails: with a broker away it stays up and says so (`whistle_monitor_broker_reachable 0`, `/healthz` 503) and shows no
lag at all, since an old figure would look like a good one; it looks anew each time it is asked. A partition that cannot
be read is counted as unreadable, and nothing is drained meanwhile. Without a configuration that can be used it shows
lag all the same, and no calendar (`whistle_calendars_known 0`).
"""
