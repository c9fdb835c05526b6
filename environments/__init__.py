"""The worlds: where decisions have consequences, and where the truth is known."""
