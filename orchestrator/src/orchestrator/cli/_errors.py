"""What goes wrong at the command line: one clear line on stderr and an exit code, no traceback.

Exit codes: 0 fine, 1 it failed, 2 the command or the settings must change first, 130 stopped by Ctrl-C.
With ROOKIFY_LOG_LEVEL=debug the traceback follows the line.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable

import grpc
import grpc.aio
import pydantic
import typer

from servicekit.errors import ConfigurationError, InvalidInput, RookifyError
from servicekit.status import RpcFailure, from_rpc_error

FAILED = 1
USAGE = 2
INTERRUPTED = 130  # 128 + SIGINT, as shells count


def run(app: Callable[..., object]) -> int:
    """Run the Typer app on sys.argv; the exit code."""
    try:
        returned = app(standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except BrokenPipeError:  # `rookify games | head`: the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the flush at exit fails again
        return 0
    except Exception as error:  # noqa: BLE001  the last stop before the user
        return report(error)
    return returned if isinstance(returned, int) else 0


def report(error: Exception) -> int:
    """Say what happened on stderr; the exit code for it."""
    cause = _first_cause(error)
    line, code = explain(cause)
    show = getattr(cause, "show", None)
    if callable(show):  # Typer's own usage errors print the command's usage too
        show()
    else:
        typer.echo(f"rookify: {line}", err=True)
    if os.environ.get("ROOKIFY_LOG_LEVEL", "").lower() == "debug":
        traceback.print_exception(error)
    return code


def explain(error: BaseException) -> tuple[str, int]:
    """The line for people, and the exit code."""
    if isinstance(error, grpc.aio.AioRpcError):
        return _explain_rpc(from_rpc_error(error))
    if isinstance(error, (ConfigurationError, InvalidInput)):
        return error.message, USAGE
    if isinstance(error, RookifyError):
        return error.message, FAILED
    if isinstance(error, pydantic.ValidationError):
        return _explain_settings(error), USAGE
    exit_code = getattr(error, "exit_code", None)  # Typer's errors
    if isinstance(exit_code, int):
        return str(error), exit_code
    if isinstance(error, OSError):
        return f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}", FAILED
    detail = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return f"unexpected error: {detail} (ROOKIFY_LOG_LEVEL=debug shows where)", FAILED


def _explain_rpc(failure: RpcFailure) -> tuple[str, int]:
    message = failure.message or failure.code.name
    match failure.code:
        case grpc.StatusCode.UNAVAILABLE if not failure.reason:  # nobody of this project answered
            hint = "Is `rookify up` running? ROOKIFY_ORCHESTRATOR names another address."
            return f"cannot reach the orchestrator ({message}). {hint}", FAILED
        case grpc.StatusCode.UNAUTHENTICATED:
            return f"{message} (ROOKIFY_TOKEN holds the token; `rookify token --user UUID` makes one)", USAGE
        case grpc.StatusCode.INVALID_ARGUMENT:
            return message, USAGE
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return f"the orchestrator did not answer in time ({message})", FAILED
        case _:
            if failure.retry_delay is not None:
                message += f" (again in {failure.retry_delay.total_seconds():.0f} s)"
            return message, FAILED


def _explain_settings(error: pydantic.ValidationError) -> str:
    """Names and reasons only: a value may be a secret."""
    faults = []
    for fault in error.errors(include_input=False, include_url=False, include_context=False):
        name = "_".join(str(part) for part in fault["loc"]) or error.title
        variable = name if name.isupper() else f"ROOKIFY_{name.upper()}"
        faults.append(f"{variable}: {fault['msg']}")
    return "bad setting: " + "; ".join(faults)


def _first_cause(error: BaseException) -> BaseException:
    """The first error inside groups, one of the project's own where there is one."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    inner = [_first_cause(child) for child in error.exceptions]
    return next((child for child in inner if isinstance(child, RookifyError)), inner[0])
