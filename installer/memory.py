"""How much memory the machine has, asked in each system's own way."""

import ctypes
import os
import sys

if sys.platform == "win32":

    class _MemoryStatus(ctypes.Structure):
        """MEMORYSTATUSEX of the Windows API."""

        _fields_ = (
            ("length", ctypes.c_ulong),
            ("load", ctypes.c_ulong),
            *((f"bytes{n}", ctypes.c_ulonglong) for n in range(7)),
        )

    def total_memory() -> int:
        """Bytes of physical memory."""
        status = _MemoryStatus(length=ctypes.sizeof(_MemoryStatus))
        ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status))
        return int(status.bytes0)

else:

    def total_memory() -> int:
        """Bytes of physical memory."""
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
