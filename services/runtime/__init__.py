"""The only shared plumbing: settings, database, Kafka, the clock, and the one batch mechanism of every room."""
