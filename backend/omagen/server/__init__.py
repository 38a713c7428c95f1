"""The HTTP server: always answers, because the work happens in other processes. Imports no torch."""
