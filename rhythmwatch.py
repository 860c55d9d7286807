"""The front door: one command, ``rhythmwatch``, whose subcommands import their package when called."""
