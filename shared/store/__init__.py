"""Reads and writes PostgreSQL: a folder for each domain, a module for each family of tables.

Functions take a connection; the caller opens the transaction. Each statement is a literal that can be pasted into psql
and begins with `/* module.function */`, the name under which pg_stat_activity and the metrics show it.
"""
