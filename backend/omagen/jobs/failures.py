"""What the user is told when a job fails for a reason that is not the engine's own."""

from __future__ import annotations

from omagen.protocol import ErrorCode, OmagenError

_KILLED = -9
_LESS_MEMORY = "Close other programs, or choose smaller settings or a smaller picture."


def worker_death(status: int | None) -> OmagenError:
    """Why the worker process is gone, as far as its exit status tells."""
    if status == _KILLED:
        return OmagenError(
            ErrorCode.MEMORY,
            "The system ended the worker process, most likely because memory ran out.",
            _LESS_MEMORY,
        )
    return OmagenError(
        ErrorCode.ENVIRONMENT,
        f"The worker process ended unexpectedly (status {status}).",
        "Try again; if it happens twice, the log (worker.log in the data folder) has the details.",
    )


def out_of_memory(error: MemoryError) -> OmagenError:
    return OmagenError(
        ErrorCode.MEMORY,
        f"Memory ran out. {error}".strip(),
        _LESS_MEMORY,
    )


def unexpected(error: Exception) -> OmagenError:
    if isinstance(error, ImportError):
        return OmagenError(
            ErrorCode.ENVIRONMENT,
            f"The backend's environment is incomplete: {error}.",
            "Install the backend into it again.",
        )
    if isinstance(error, OSError) and error.errno is not None:
        return OmagenError(
            ErrorCode.ENVIRONMENT,
            f"The system refused: {error.strerror}.",
            "Check the free space and the permissions of the data folder, then try again.",
        )
    return OmagenError(
        ErrorCode.ENVIRONMENT,
        f"Something unexpected went wrong ({type(error).__name__}).",
        "The log has the details; please report it with the request's settings.",
    )


def interrupted() -> OmagenError:
    return OmagenError(ErrorCode.ENVIRONMENT, "The backend was stopped while this job ran.", "Run it again.")


def disk_refused(error: OSError) -> OmagenError:
    return OmagenError(
        ErrorCode.ENVIRONMENT,
        f"The data folder refused the job's files: {error.strerror or error}.",
        "Check its free space and permissions, then try again.",
    )
