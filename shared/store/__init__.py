"""SQL, a module per table family. Functions take a connection; the flow opens the transaction.

Each statement is a literal and begins with `/* module.function */`, so that pg_stat_activity names its room.
"""
