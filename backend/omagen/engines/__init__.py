"""What generates: one folder per engine, and the registry through which ours and other people's are found."""

from omagen.engines.registry import create_engine, describe_engine, describe_engines

__all__ = ["create_engine", "describe_engine", "describe_engines"]
