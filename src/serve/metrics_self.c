// SPDX-License-Identifier: GPL-2.0-or-later
/* The daemon's own figures. See metrics.h. */
#include "serve/metrics.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "serve/exposition.h"

#define US_PER_SECOND 1e6

static double seconds_of(const struct timeval *t)
{
	return (double)t->tv_sec + (double)t->tv_usec / US_PER_SECOND;
}

/* Pages of the second number. 0: not known. */
static double read_resident_bytes(void)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/self/statm", "re");
	unsigned long size, resident;

	if (!f || fscanf(f, "%lu %lu", &size, &resident) != 2)
		return 0;
	return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

/* Without the one for looking. */
static double count_descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	double n = -1;

	if (!d)
		return 0;
	for (const struct dirent *entry = readdir(d); entry; entry = readdir(d))
		n += entry->d_name[0] != '.';
	(void)closedir(d);
	return n;
}

void metrics_put_self(struct exposition *e)
{
	struct rusage usage;

	if (getrusage(RUSAGE_SELF, &usage) == 0) {
		exposition_family(e, "process_cpu_seconds_total", METRIC_COUNTER, "seconds",
				  "Processor time of seepd.");
		exposition_sample(e, seconds_of(&usage.ru_utime) + seconds_of(&usage.ru_stime),
				  NULL);
	}
	exposition_family(e, "process_resident_memory_bytes", METRIC_GAUGE, "bytes",
			  "Resident memory of seepd.");
	exposition_sample(e, read_resident_bytes(), NULL);
	exposition_family(e, "process_open_fds", METRIC_GAUGE, NULL, "Open descriptors of seepd.");
	exposition_sample(e, count_descriptors(), NULL);
}
