// SPDX-License-Identifier: GPL-2.0-or-later
/* One pass over the host's processes. See host.h. */
#include "target/host.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "target/memory.h"
#include "target/procfs.h"
#include "target/read.h"

#define STATM_MAX   4096
#define MEMINFO_MAX 65536

static bool host_has_swap(const char *proc)
{
	_cleanup_free_ char *text = NULL;
	uint64_t total = 0, available = 0;
	char path[PATH_MAX];
	size_t n;
	int r;

	r = snprintf(path, sizeof(path), "%s/meminfo", proc);
	if (r < 0 || (size_t)r >= sizeof(path) || read_file(path, MEMINFO_MAX, &text, &n, NULL) < 0)
		return true;
	if (find_number(text, "SwapTotal:", &total) < 0 ||
	    find_number(text, "SwapFree:", &available) < 0)
		return true;
	return total != available;
}

int host_pass_begin(struct host_pass *p, const char *proc)
{
	struct host_pass new = { .proc = proc };
	int r;

	r = procfs_pids(proc, &new.pids, &new.n_pids);
	if (r < 0)
		return r;
	new.has_swap = host_has_swap(proc);
	host_pass_done(p);
	*p = new;
	return 0;
}

bool host_pass_goes_on(const struct host_pass *p)
{
	return p->pids != NULL;
}

void host_pass_done(struct host_pass *p)
{
	free(p->pids);
	*p = (struct host_pass){ 0 };
}

/* "size resident shared ...", in pages; anonymous is what is not shared (proc(5)). */
static int read_statm(const char *proc, pid_t pid, struct host_process *h)
{
	_cleanup_free_ char *text = NULL;
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t size, resident, shared;
	const char *p;
	size_t n;
	int r;

	r = read_proc(proc, pid, "statm", STATM_MAX, &text, &n, NULL);
	if (r < 0)
		return r;
	p = text;
	if (parse_digits(&p, 10, &size) < 0 || *p++ != ' ' || parse_digits(&p, 10, &resident) < 0 ||
	    *p++ != ' ' || parse_digits(&p, 10, &shared) < 0 || resident > UINT64_MAX / page)
		return -EBADMSG;
	h->rss_bytes = resident * page;
	/* The kernel's counters are summed up one after the other. */
	h->anonymous_bytes = resident > shared ? (resident - shared) * page : 0;
	return 0;
}

/* A process that is gone, or cannot be read, is none. */
static bool read_process(const struct host_pass *p, pid_t pid, struct host_process *ret)
{
	struct host_process h = { .pid = pid };
	struct memory m = { 0 };
	struct proc_stat stat;

	if (read_statm(p->proc, pid, &h) < 0 || h.rss_bytes == 0)
		return false;
	if (p->has_swap && memory_of_process(p->proc, pid, &m) < 0)
		return false;
	/* Last: the figures may be those of the pid's next process only if this is its, too. */
	if (procfs_stat(p->proc, pid, &stat) < 0 || stat.kernel_thread || stat.state == 'Z')
		return false;
	h.ppid = stat.ppid;
	h.start_ticks = stat.start_ticks;
	h.swap_bytes = m.swap_bytes;
	*ret = h;
	return true;
}

bool host_pass_step(struct host_pass *p, size_t max,
		    void (*take)(const struct host_process *process, void *userdata),
		    void *userdata)
{
	struct host_process h;

	for (size_t i = 0; i < max && p->next < p->n_pids; i++)
		if (read_process(p, p->pids[p->next++], &h))
			take(&h, userdata);
	if (p->next < p->n_pids)
		return true;
	host_pass_done(p);
	return false;
}
