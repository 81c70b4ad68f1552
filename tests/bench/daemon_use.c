// SPDX-License-Identifier: GPL-2.0-or-later
/* What a running seepd takes, from /proc. See daemon.h. */
#include "daemon.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "harness.h"
#include "target/procfs.h"

#define MEGABYTE (1 << 20)

/* More than any version of seep has. */
#define MAX_MAPS 256

struct map {
	unsigned long long id;
	unsigned long long bytes;
};

/* Whether a descriptor is a map's; what it is, then. */
static bool read_map(const char *folder, const char *fd, struct map *ret)
{
	_cleanup_fclose_ FILE *f = NULL;
	char path[320], line[128];

	*ret = (struct map){ .id = 0 };
	if (snprintf(path, sizeof(path), "%s/%s", folder, fd) >= (int)sizeof(path))
		return false;
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		(void)sscanf(line, "memlock: %llu", &ret->bytes);
		(void)sscanf(line, "map_id: %llu", &ret->id);
	}
	return ret->id != 0;
}

double daemon_map_mb(const struct daemon *d)
{
	unsigned long long ids[MAX_MAPS];
	const struct dirent *entry;
	size_t n = 0, i;
	char folder[64];
	double bytes = 0;
	struct map map;
	DIR *dir;

	(void)snprintf(folder, sizeof(folder), "/proc/%d/fdinfo", (int)d->pid);
	dir = opendir(folder);
	if (!dir)
		die("reading what maps seepd has", errno);
	while ((entry = readdir(dir))) {
		if (!read_map(folder, entry->d_name, &map))
			continue;
		for (i = 0; i < n && ids[i] != map.id; i++)
			continue;
		if (i < n || n == MAX_MAPS)
			continue;
		ids[n++] = map.id;
		bytes += (double)map.bytes;
	}
	(void)closedir(dir);
	return bytes / MEGABYTE;
}

double daemon_resident_mb(const struct daemon *d)
{
	uint64_t bytes;
	int r;

	r = procfs_rss("/proc", d->pid, &bytes);
	if (r < 0)
		die("reading seepd's memory", r);
	return (double)bytes / MEGABYTE;
}

double daemon_cpu_seconds(const struct daemon *d)
{
	_cleanup_fclose_ FILE *f = NULL;
	unsigned long user, kernel;
	char path[64], text[1024];
	const char *rest;
	size_t n;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)d->pid);
	f = fopen(path, "re");
	n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;
	text[n] = '\0';
	/* proc(5): the name may have blanks, the twelfth field after it is utime. */
	rest = strrchr(text, ')');
	if (!rest || sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
			    &kernel) != 2)
		die("reading seepd's CPU time", EIO);
	return (double)(user + kernel) / (double)sysconf(_SC_CLK_TCK);
}
