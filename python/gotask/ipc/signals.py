"""The signals of this process: what it inherited is set back, and workers leave some signals to the broker.

An ignored or blocked signal stays so over fork and exec. PHP programs and their start scripts ignore SIGCHLD, which makes
every exit code that a method asks for 0, or block signals that this package needs.
"""

from __future__ import annotations

import _thread
import os
import signal

# Makes a worker look into its notes: what does the broker want?
INTERRUPT = signal.SIGUSR2

# Both make a worker write Python stacks. TELL_STACK has faulthandler write, in C and so even while something holds the GIL, the
# stack of the thread that gets it, the main one: to follow those of threads that run meanwhile can crash
# (https://docs.python.org/3/library/faulthandler.html). TELL_STACKS has Python write those of all threads, between two of its
# instructions, behind STACKS_BEGIN and before STACKS_END.
_FREE = getattr(signal, "SIGRTMIN", None)
TELL_STACK = signal.SIGXCPU if _FREE is None else _FREE
TELL_STACKS = signal.SIGVTALRM if _FREE is None else _FREE + 1
STACKS_BEGIN, STACKS_END = b"\0all\n", b"\0end\n"

# Blocked until a worker handles them.
STACK_SIGNALS = (TELL_STACK, TELL_STACKS)

# Python ignores these itself, and subprocess sets them back in what it starts.
_BY_PYTHON = frozenset((signal.SIGPIPE, signal.SIGXFSZ))

# What service managers and terminals send to every process of a service. Only the broker acts on it.
TO_ALL = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)

# A reload, and signals of Swoole's servers. They would end a broker that does not handle them, or not yet.
_HARMLESS = (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


def reset_in_broker() -> None:
    """To be called first of all: sets back what was inherited."""
    _set_back()
    for number in _HARMLESS:
        _do_nothing_on(number)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def reset_in_worker() -> None:
    """To be called first of all, in a process that was started with TO_ALL and STACK_SIGNALS blocked: they never end it.

    STACK_SIGNALS stay blocked until they are handled.
    """
    _set_back()
    for number in TO_ALL:
        _do_nothing_on(number)
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_in_child)
    signal.pthread_sigmask(signal.SIG_SETMASK, STACK_SIGNALS)


def _set_back() -> None:
    for number in signal.valid_signals():
        if signal.getsignal(number) == signal.SIG_IGN and number not in _BY_PYTHON:
            signal.signal(number, signal.SIG_DFL)


def _nothing(*_: object) -> None:
    """Not SIG_IGN, which processes that a method starts would inherit."""


def _do_nothing_on(number: int) -> None:
    signal.signal(number, _nothing)
    signal.siginterrupt(number, False)  # libraries in C need not know of EINTR


# The masks that threads had before they forked.
_masks: dict[int, set[int]] = {}


def _before_fork() -> None:
    """Blocks signals, so that those to the new process wait until it handles them."""
    _masks[_thread.get_ident()] = signal.pthread_sigmask(signal.SIG_BLOCK, TO_ALL)


def _after_fork() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _masks.pop(_thread.get_ident()))


def _in_child() -> None:
    """The broker does not end a process that a method forks; multiprocessing does, by SIGTERM."""
    for number in TO_ALL:
        if signal.getsignal(number) is _nothing:
            is_interrupt = number == signal.SIGINT
            signal.signal(number, signal.default_int_handler if is_interrupt else signal.SIG_DFL)
    _after_fork()
