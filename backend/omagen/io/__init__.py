"""Files in and out. Every reader treats its input as hostile: bounded time, bounded memory, one clear error."""
