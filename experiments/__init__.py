"""Plans, runs, verdicts and the command line. Import what you need from its modules; this one stays light."""
