"""Triage: whether a message is a question, a courtesy, an acknowledgement or a command. Pure: no model, no database."""
