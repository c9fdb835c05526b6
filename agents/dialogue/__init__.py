"""People who call an assistant: goals, an agenda, patience (`callers`)."""
