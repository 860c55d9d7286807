"""The front door: one command, ``rhythmwatch``; each subcommand imports its package when called."""
