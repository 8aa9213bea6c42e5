"""The publisher: what a community has found comes in here, and is never lost on its way.

Hears:     people (`whistle publish`, `whistle community`), files (JSON lines, CSV), programs (`Publisher`), and HTTP on
           this machine; `whistle community answers` prints `community.<code>.answers`.
Decides:   whether a report or a round of inspection can be said at all: its form, its time, its community.
Says:      `community.<code>.reports`; to who raises a report, its receipt.
Remembers: what Kafka has not taken yet, on disk, in the spool.
Fails:     with Kafka away it spools, and drains when Kafka is back; with the disk full too it refuses, aloud.
"""
