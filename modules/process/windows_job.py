"""Windows: a process that enters a job of its own, so that everything it starts ends with it."""

import ctypes
import sys
from contextlib import suppress
from typing import Final

_EXTENDED_LIMITS: Final = 9  # JobObjectExtendedLimitInformation
_PROCESS_MEMORY: Final = 0x100
_KILL_ON_CLOSE: Final = 0x2000
_BELOW_NORMAL: Final = 0x4000  # priority class


class _BasicLimits(ctypes.Structure):
    _fields_ = (
        ("PerProcessUserTimeLimit", ctypes.c_int64),
        ("PerJobUserTimeLimit", ctypes.c_int64),
        ("LimitFlags", ctypes.c_uint32),
        ("MinimumWorkingSetSize", ctypes.c_size_t),
        ("MaximumWorkingSetSize", ctypes.c_size_t),
        ("ActiveProcessLimit", ctypes.c_uint32),
        ("Affinity", ctypes.c_size_t),
        ("PriorityClass", ctypes.c_uint32),
        ("SchedulingClass", ctypes.c_uint32),
    )


class _ExtendedLimits(ctypes.Structure):
    """JOBOBJECT_EXTENDED_LIMIT_INFORMATION of winnt.h."""

    _fields_ = (
        ("BasicLimitInformation", _BasicLimits),
        ("IoInfo", ctypes.c_uint64 * 6),
        ("ProcessMemoryLimit", ctypes.c_size_t),
        ("JobMemoryLimit", ctypes.c_size_t),
        ("PeakProcessMemoryUsed", ctypes.c_size_t),
        ("PeakJobMemoryUsed", ctypes.c_size_t),
    )


def enter_job(*, memory_bytes: int | None, is_nice: bool) -> None:
    """The job's only handle stays open in this process. When the system closes it, at this process's end of any kind,
    it ends the job's other processes. On other systems, and where jobs cannot be nested, nothing happens."""
    if sys.platform == "win32":
        with suppress(OSError):
            _enter_job(memory_bytes, is_nice=is_nice)


if sys.platform == "win32":

    def _enter_job(memory_bytes: int | None, *, is_nice: bool) -> None:
        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        for function in (kernel.CreateJobObjectW, kernel.GetCurrentProcess):
            function.restype = ctypes.c_void_p
        limits = _ExtendedLimits()
        limits.BasicLimitInformation.LimitFlags = _KILL_ON_CLOSE | (_PROCESS_MEMORY if memory_bytes else 0)
        limits.ProcessMemoryLimit = memory_bytes or 0
        job = ctypes.c_void_p(kernel.CreateJobObjectW(None, None))
        this_process = ctypes.c_void_p(kernel.GetCurrentProcess())
        kernel.SetInformationJobObject(job, _EXTENDED_LIMITS, ctypes.byref(limits), ctypes.sizeof(limits))
        kernel.AssignProcessToJobObject(job, this_process)
        if is_nice:
            kernel.SetPriorityClass(this_process, _BELOW_NORMAL)
