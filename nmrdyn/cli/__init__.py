"""The command line, one command a file; the only room that prints."""
