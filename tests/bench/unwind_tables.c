// SPDX-License-Identifier: GPL-2.0-or-later
/* How long unwind tables take to compile, and how large they are. */
#include <fcntl.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "elf/image.h"
#include "elf/unwind_table.h"
#include "tables.h"

#define TIMES	 7
#define MEGABYTE (1 << 20)

/* Executable segments, in MB. */
static double text_of(int fd)
{
	_cleanup_(image_freep) struct image *image = NULL;
	uint64_t bytes = 0;

	if (image_open(dup(fd), &image) < 0)
		return 0;
	for (size_t i = 0; i < image->n_segments; i++)
		bytes += image->segments[i].executable ? image->segments[i].size : 0;
	return (double)bytes / MEGABYTE;
}

static void bench_table(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	double times[TIMES], text_mb, table_mb = 0;
	struct unwind_table *table = NULL;
	uint32_t rows = 0;

	if (fd < 0) {
		printf("  %-40s is not there\n", path);
		return;
	}
	text_mb = text_of(fd);
	for (int i = 0; i < TIMES; i++) {
		uint64_t start = now_ns();
		int r = unwind_table_compile(fd, &table);

		if (r < 0)
			die(path, r);
		times[i] = (double)(now_ns() - start) / 1e6;
		rows = table->n_rows;
		table_mb = (double)(table->n_rows * sizeof(struct unwind_row) +
				    (table->n_buckets + 1) * sizeof(uint32_t)) /
			   MEGABYTE;
		unwind_table_free(table);
	}
	printf("  %-40s %5.2f MB %7u rows %6.1f ms %6.3f MB per MB\n", path, text_mb, rows,
	       median(times, TIMES), table_mb / text_mb);
}

void bench_unwind_tables(void)
{
	static const char *const files[] = {
		"/lib/x86_64-linux-gnu/libc.so.6",
		"/lib/x86_64-linux-gnu/libstdc++.so.6",
		"/usr/lib/x86_64-linux-gnu/libcrypto.so.3",
		"/usr/bin/python3.11",
	};

	printf("\nunwind tables: text, rows, time to compile, size\n");
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		bench_table(files[i]);
}
