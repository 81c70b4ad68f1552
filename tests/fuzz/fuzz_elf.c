// SPDX-License-Identifier: GPL-2.0-or-later
/* ELF files, as the symbolizer's child reads them: symbols, lines, hooks, unwind tables. */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "elf/unwind_compile.h"
#include "elf/unwind_table.h"
#include "symbolize/child_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_all(struct child_file *f)
{
	static const char *const names[] = { "malloc", "free", "main" };
	static struct hook_point points[HOOK_POINTS_MAX];
	_cleanup_(unwind_table_freep) struct unwind_table *table = NULL;
	struct place places[INLINE_DEPTH_MAX];
	struct child_name found[INLINE_DEPTH_MAX];
	struct about_file about;

	child_file_describe(f, &about);
	for (uint64_t at = 0; at < 0x4000; at += 0x3fb)
		(void)child_file_resolve(f, at, places, found);
	(void)child_file_find_hooks(f, names, 3, points);
	if (f->image)
		(void)unwind_compile(f->image, f->debug, &table);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(child_file_freep) struct child_file *f = NULL;
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	if (child_file_open(1, fd, &f) == 0)
		read_all(f);
	return 0;
}
