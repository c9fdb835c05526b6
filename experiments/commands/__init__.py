"""The commands of the command line, a module a group. Bodies import lazily: `--help` must stay quick."""
