"""Where pages meet people: the terminal, HTML, and what the command line needs."""
