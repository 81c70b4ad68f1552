// SPDX-License-Identifier: GPL-2.0-or-later
/* Names of generated code, written by the runtimes that made it. */
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "symbolize/perf_map.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(perf_map_freep) struct perf_map *map = NULL;
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	if (perf_map_read(fd, &map) == 0) {
		for (uint64_t at = 0; at < 0x1000; at += 0x101)
			(void)perf_map_find(map, at);
		perf_map_refresh(map);
	}
	return 0;
}
