"""The whole house on one machine: a real Apache Kafka, a real PostgreSQL and every room beside them.

Both servers come from packages, need no container, no installed Java and no root, and keep their data in one folder.
"""
