"""Whether Intel's AMX works here, which a small program of its own finds out: where it does not, it ends a process."""

import tempfile
from pathlib import Path

from installer.programs import ask

CPUINFO = Path("/proc/cpuinfo")
FLAG = "amx_int8"

# Like ggml, it sets the tile registers up once and goes on using them while the thread sleeps and wakes, for half a second.
PROGRAM = r"""
#include <immintrin.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

struct tiles { uint8_t palette, start, reserved[14]; uint16_t columns[16]; uint8_t rows[16]; };

int main(void) {
    static int8_t left[1024], right[1024];
    static int32_t products[256];
    struct tiles tiles;
    if (syscall(SYS_arch_prctl, 0x1023, 18) != 0) return 2;
    memset(&tiles, 0, sizeof tiles);
    tiles.palette = 1;
    for (int tile = 0; tile < 3; tile++) { tiles.rows[tile] = 16; tiles.columns[tile] = 64; }
    memset(left, 1, sizeof left);
    memset(right, 2, sizeof right);
    _tile_loadconfig(&tiles);
    for (int round = 0; round < 250; round++) {
        usleep(2000);
        _tile_zero(0);
        _tile_loadd(1, left, 64);
        _tile_loadd(2, right, 64);
        _tile_dpbssd(0, 1, 2);
        _tile_stored(0, products, 64);
        for (int at = 0; at < 256; at++) if (products[at] != 128) return 3;
    }
    return 0;
}
"""


def is_listed(cpuinfo: Path = CPUINFO) -> bool:
    """Whether the processor says that it has AMX."""
    try:
        text = cpuinfo.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return any(FLAG in line.split() for line in text.splitlines() if line.startswith("flags"))


def works(compiler: str) -> bool:
    """Compiles the program and runs it. False for whatever goes wrong."""
    with tempfile.TemporaryDirectory() as folder:
        source, program = Path(folder, "amx.c"), Path(folder, "amx")
        source.write_text(PROGRAM, encoding="utf-8")
        build = (compiler, "-O1", "-mamx-tile", "-mamx-int8", source, "-o", program)
        return ask(build) is not None and ask((program,)) is not None
