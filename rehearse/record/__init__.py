"""The record: what is kept of a run, its digest, and how it is read again."""
