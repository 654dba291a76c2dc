"""A wall clock that jumps, for the processes that are started with it; their monotonic clock is the real one."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

from kit.needs import program

#: Preloaded: adds the seconds in the file $FAKE_CLOCK to every wall clock that the C library reads.
#: (libfaketime 0.9.10 breaks clock_nanosleep, and so time.sleep, when it must leave the monotonic clock alone.)
_SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *offset_s;
static int (*real)(clockid_t, struct timespec *);

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("FAKE_CLOCK");
  int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  void *memory = fd < 0 ? MAP_FAILED : mmap(NULL, 8, PROT_READ, MAP_SHARED, fd, 0);
  if (fd >= 0) close(fd);
  if (memory != MAP_FAILED) offset_s = memory;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
  int failed = real(clock, now);
  if (!failed && offset_s && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += *offset_s;
  return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  struct timespec precise;
  clock_gettime(CLOCK_REALTIME, &precise);
  now->tv_sec = precise.tv_sec;
  now->tv_usec = precise.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *place) {
  struct timespec precise;
  clock_gettime(CLOCK_REALTIME, &precise);
  if (place) *place = precise.tv_sec;
  return precise.tv_sec;
}
"""


class FakeClock:
    """Right until :meth:`jump`.  Needs a C compiler."""

    def __init__(self, folder: Path) -> None:
        self._offset = folder / "clock"
        self.jump(days=0)
        #: Environment variables for those whose clock this is.
        self.settings = {"LD_PRELOAD": str(_library(folder)), "FAKE_CLOCK": str(self._offset)}

    def jump(self, *, days: int) -> None:
        """From now on the clock is off by so much."""
        with open(self._offset, "r+b" if self._offset.exists() else "wb") as file:
            file.write(struct.pack("=q", days * 24 * 3600))


def _library(folder: Path) -> Path:
    library = folder / "clock.so"
    command = [program("cc"), "-shared", "-fPIC", "-O1", "-o", str(library), "-x", "c", "-"]
    subprocess.run(command, input=_SOURCE, text=True, check=True)
    return library
