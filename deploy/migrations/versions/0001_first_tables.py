"""The first tables: a schema for each room.

Revision ID: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SCHEMAS = ("runtime", "street", "router", "department", "supervision", "ledger")


def upgrade() -> None:
    """Go forward."""
    for schema in SCHEMAS:
        op.execute(f"CREATE SCHEMA {schema}")
    op.create_table(
        "clock",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("running", sa.Boolean(), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        schema="runtime",
    )
    op.create_table(
        "incident",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("street", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=True),
        sa.Column("owes", sa.Text(), nullable=True),
        sa.Column("owes_by", sa.DateTime(timezone=True), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        schema="street",
    )
    op.create_index("incident_inbox", "incident", ["street", "owes_by"], unique=False, schema="street")
    op.create_table(
        "journal",
        sa.Column("shard", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("cause", sa.Uuid(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("aggregatetype", sa.Text(), nullable=False),
        sa.Column("aggregateid", sa.Uuid(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("shard", "seq"),
        schema="street",
    )
    op.create_index(
        "journal_cause", "journal", ["cause"], unique=True, schema="street", postgresql_where=sa.text("ordinal = 0")
    )
    op.create_table(
        "shard",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("published", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id"),
        schema="street",
    )
    op.create_table(
        "incident",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("next_due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        schema="router",
    )
    op.create_index("incident_due", "incident", ["shard", "next_due_at"], unique=False, schema="router")
    op.create_table(
        "journal",
        sa.Column("shard", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("cause", sa.Uuid(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("aggregatetype", sa.Text(), nullable=False),
        sa.Column("aggregateid", sa.Uuid(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("shard", "seq"),
        schema="router",
    )
    op.create_index(
        "journal_cause", "journal", ["cause"], unique=True, schema="router", postgresql_where=sa.text("ordinal = 0")
    )
    op.create_table(
        "shard",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("published", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id"),
        schema="router",
    )
    op.create_table(
        "journal",
        sa.Column("shard", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("cause", sa.Uuid(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("aggregatetype", sa.Text(), nullable=False),
        sa.Column("aggregateid", sa.Uuid(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("shard", "seq"),
        schema="department",
    )
    op.create_index(
        "journal_cause", "journal", ["cause"], unique=True, schema="department", postgresql_where=sa.text("ordinal = 0")
    )
    op.create_table(
        "obligation",
        sa.Column("incident", sa.Uuid(), nullable=False),
        sa.Column("department", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("incident", "department"),
        schema="department",
    )
    op.create_index("obligation_inbox", "obligation", ["department", "due_at"], unique=False, schema="department")
    op.create_table(
        "shard",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("published", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id"),
        schema="department",
    )
    op.create_table(
        "journal",
        sa.Column("shard", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("cause", sa.Uuid(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("aggregatetype", sa.Text(), nullable=False),
        sa.Column("aggregateid", sa.Uuid(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("shard", "seq"),
        schema="supervision",
    )
    op.create_index(
        "journal_cause",
        "journal",
        ["cause"],
        unique=True,
        schema="supervision",
        postgresql_where=sa.text("ordinal = 0"),
    )
    op.create_table(
        "shard",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("published", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id"),
        schema="supervision",
    )
    op.create_table(
        "telling",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("incident", sa.Uuid(), nullable=False),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("street", sa.Text(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("department", sa.Text(), nullable=True),
        sa.Column("deadline", sa.Text(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("post", sa.Text(), nullable=False),
        sa.Column("holder_unit", sa.Text(), nullable=True),
        sa.Column("holder", sa.Text(), nullable=True),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        schema="supervision",
    )
    op.create_index("telling_at", "telling", ["told_at"], unique=False, schema="supervision")
    op.create_table(
        "clock",
        sa.Column("incident", sa.Uuid(), nullable=False),
        sa.Column("department", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("incident", "department", "name"),
        schema="ledger",
    )
    op.create_index("clock_due", "clock", ["due_at"], unique=False, schema="ledger")
    op.create_table(
        "entry",
        sa.Column("incident", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("incident", "version"),
        schema="ledger",
    )
    op.create_table(
        "incident",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=True),
        sa.Column("category", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("place", sa.Text(), nullable=True),
        sa.Column("community", sa.Text(), nullable=False),
        sa.Column("street", sa.Text(), nullable=False),
        sa.Column("owned", sa.Boolean(), nullable=False),
        sa.Column("lead", sa.Text(), nullable=True),
        sa.Column("owners", sa.Text(), nullable=True),
        sa.Column("reported_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("late", sa.Boolean(), nullable=False),
        sa.Column("escalations", sa.Integer(), nullable=False),
        sa.Column("reopened", sa.Integer(), nullable=False),
        sa.Column("attached_to", sa.Uuid(), nullable=True),
        sa.Column("answered", sa.Boolean(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        schema="ledger",
    )
    op.create_index("incident_kind", "incident", ["kind", "reported_at"], unique=False, schema="ledger")
    op.create_table(
        "inspection",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("community", sa.Text(), nullable=False),
        sa.Column("street", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("grid_level", sa.Integer(), nullable=False),
        sa.Column("inspected_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("found", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        schema="ledger",
    )
    op.create_table(
        "journal",
        sa.Column("shard", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("cause", sa.Uuid(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("aggregatetype", sa.Text(), nullable=False),
        sa.Column("aggregateid", sa.Uuid(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("shard", "seq"),
        schema="ledger",
    )
    op.create_index(
        "journal_cause", "journal", ["cause"], unique=True, schema="ledger", postgresql_where=sa.text("ordinal = 0")
    )
    op.create_table(
        "obligation",
        sa.Column("incident", sa.Uuid(), nullable=False),
        sa.Column("department", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("owed", sa.Boolean(), nullable=False),
        sa.Column("late", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("incident", "department"),
        schema="ledger",
    )
    op.create_table(
        "repeat",
        sa.Column("incident", sa.Uuid(), nullable=False),
        sa.Column("report", sa.Uuid(), nullable=False),
        sa.Column("community", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("incident", "report"),
        schema="ledger",
    )
    op.create_table(
        "shard",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("published", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id"),
        schema="ledger",
    )


def downgrade() -> None:
    """Go back."""
    op.drop_table("shard", schema="ledger")
    op.drop_table("repeat", schema="ledger")
    op.drop_table("obligation", schema="ledger")
    op.drop_index("journal_cause", table_name="journal", schema="ledger", postgresql_where=sa.text("ordinal = 0"))
    op.drop_table("journal", schema="ledger")
    op.drop_table("inspection", schema="ledger")
    op.drop_index("incident_kind", table_name="incident", schema="ledger")
    op.drop_table("incident", schema="ledger")
    op.drop_table("entry", schema="ledger")
    op.drop_index("clock_due", table_name="clock", schema="ledger")
    op.drop_table("clock", schema="ledger")
    op.drop_index("telling_at", table_name="telling", schema="supervision")
    op.drop_table("telling", schema="supervision")
    op.drop_table("shard", schema="supervision")
    op.drop_index("journal_cause", table_name="journal", schema="supervision", postgresql_where=sa.text("ordinal = 0"))
    op.drop_table("journal", schema="supervision")
    op.drop_table("shard", schema="department")
    op.drop_index("obligation_inbox", table_name="obligation", schema="department")
    op.drop_table("obligation", schema="department")
    op.drop_index("journal_cause", table_name="journal", schema="department", postgresql_where=sa.text("ordinal = 0"))
    op.drop_table("journal", schema="department")
    op.drop_table("shard", schema="router")
    op.drop_index("journal_cause", table_name="journal", schema="router", postgresql_where=sa.text("ordinal = 0"))
    op.drop_table("journal", schema="router")
    op.drop_index("incident_due", table_name="incident", schema="router")
    op.drop_table("incident", schema="router")
    op.drop_table("shard", schema="street")
    op.drop_index("journal_cause", table_name="journal", schema="street", postgresql_where=sa.text("ordinal = 0"))
    op.drop_table("journal", schema="street")
    op.drop_index("incident_inbox", table_name="incident", schema="street")
    op.drop_table("incident", schema="street")
    op.drop_table("clock", schema="runtime")
    for schema in SCHEMAS:
        op.execute(f"DROP SCHEMA {schema}")
