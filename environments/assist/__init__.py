"""Dialogue: an assistant, a database, and people who want something from it (`world`)."""
