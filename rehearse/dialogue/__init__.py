"""Dialogue: acts, domains, what passes in words; shared by people, worlds, policies and the record."""
