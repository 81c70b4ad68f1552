// SPDX-License-Identifier: GPL-2.0-or-later
/* Reading one process from /proc. See procfs.h; cgroup.c and mappings.c hold the rest of it. */
#include "target/procfs.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "target/read.h"

/* The kernel's own files are far smaller; /proc/stat grows with the number of interrupts. */
#define STAT_MAX      4096
#define STATUS_MAX    65536
#define HOST_STAT_MAX (4u << 20)
#define CMDLINE_MAX   65536

#define PF_KTHREAD 0x00200000

/* Counted from the process's state, which is field 3 of proc(5). */
enum {
	FIELD_PPID = 1,
	FIELD_FLAGS = 6,
	FIELD_START = 19,
};

/*
 * Some kernels write a newline in the name as "\n" and a backslash as "\\", others do not, so that
 * a backslash has two meanings. The file comm is never escaped.
 */
static void copy_comm(const char *proc, pid_t pid, const char *begin, size_t n, char comm[16])
{
	_cleanup_free_ char *raw = NULL;
	size_t raw_n;

	if (memchr(begin, '\\', n) &&
	    read_proc(proc, pid, "comm", STAT_MAX, &raw, &raw_n, NULL) == 0 && raw_n > 0) {
		begin = raw;
		n = raw[raw_n - 1] == '\n' ? raw_n - 1 : raw_n;
	}
	/* Only kernel threads have longer names, and they are never targets. */
	if (n > 15)
		n = 15;
	memcpy(comm, begin, n);
	comm[n] = '\0';
}

/* @p stands on the state letter. */
static int parse_stat_fields(const char *p, struct proc_stat *ret)
{
	uint64_t value;
	int r;

	if (*p < 'A' || *p > 'z')
		return -EBADMSG;
	ret->state = *p++;
	for (int field = FIELD_PPID; field <= FIELD_START; field++) {
		if (*p++ != ' ')
			return -EBADMSG;
		/* Session, terminal and priority may be negative; none of those is used. */
		p += *p == '-';
		r = parse_digits(&p, 10, &value);
		if (r < 0)
			return -EBADMSG;
		if (field == FIELD_PPID)
			ret->ppid = (pid_t)value;
		else if (field == FIELD_FLAGS)
			ret->kernel_thread = value & PF_KTHREAD;
		else if (field == FIELD_START)
			ret->start_ticks = value;
	}
	return *p == ' ' || *p == '\n' ? 0 : -EBADMSG;
}

int procfs_stat(const char *proc, pid_t pid, struct proc_stat *ret)
{
	_cleanup_free_ char *text = NULL;
	struct proc_stat s = { 0 };
	const char *begin, *end;
	size_t n;
	int r;

	r = read_proc(proc, pid, "stat", STAT_MAX, &text, &n, NULL);
	if (r < 0)
		return r;
	/* The name may hold parentheses; behind it there are none. */
	begin = memchr(text, '(', n);
	end = memrchr(text, ')', n);
	if (!begin || !end || end < begin || end[1] != ' ')
		return -EBADMSG;
	r = parse_stat_fields(end + 2, &s);
	if (r < 0)
		return r;
	copy_comm(proc, pid, begin + 1, (size_t)(end - begin - 1), s.comm);

	*ret = s;
	return 0;
}

int procfs_rss(const char *proc, pid_t pid, uint64_t *ret_bytes)
{
	_cleanup_free_ char *text = NULL;
	const char *p;
	uint64_t size, resident;
	size_t n;
	int r;

	r = read_proc(proc, pid, "statm", STAT_MAX, &text, &n, NULL);
	if (r < 0)
		return r;
	p = text;
	if (parse_digits(&p, 10, &size) < 0 || *p++ != ' ' || parse_digits(&p, 10, &resident) < 0 ||
	    *p != ' ')
		return -EBADMSG;
	if (__builtin_mul_overflow(resident, (uint64_t)sysconf(_SC_PAGESIZE), &resident))
		return -EBADMSG;

	*ret_bytes = resident;
	return 0;
}

int procfs_exe(const char *proc, pid_t pid, char **ret, bool *ret_deleted)
{
	static const char suffix[] = " (deleted)";
	const size_t suffix_n = sizeof(suffix) - 1;
	char path[PATH_MAX];
	char target[2 * PATH_MAX];
	bool deleted;
	char *exe;
	ssize_t n;
	int r;

	r = proc_path(proc, pid, "exe", path, sizeof(path));
	if (r < 0)
		return r;
	n = readlink(path, target, sizeof(target));
	if (n < 0) {
		r = -errno;
		return proc_error(proc, pid, r);
	}
	if ((size_t)n == sizeof(target))
		return -ENAMETOOLONG;
	deleted = (size_t)n > suffix_n && memcmp(target + n - suffix_n, suffix, suffix_n) == 0;
	exe = strndup(target, (size_t)n - (deleted ? suffix_n : 0));
	if (!exe)
		return -ENOMEM;

	*ret = exe;
	*ret_deleted = deleted;
	return 0;
}

int procfs_cmdline(const char *proc, pid_t pid, char **ret)
{
	static const char mark[] = "[...]";
	_cleanup_free_ char *text = NULL;
	size_t n;
	bool cut;
	int r;

	r = read_proc(proc, pid, "cmdline", CMDLINE_MAX, &text, &n, &cut);
	if (r < 0)
		return r;
	while (n > 0 && text[n - 1] == '\0')
		n--;
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c == '\0')
			text[i] = ' ';
		else if (c < 0x20 || c == 0x7f)
			text[i] = '?';
	}
	if (cut) {
		char *marked = realloc(text, n + sizeof(mark));

		if (!marked)
			return -ENOMEM;
		text = marked;
		memcpy(text + n, mark, sizeof(mark));
	}

	*ret = TAKE_PTR(text);
	return 0;
}

int procfs_uid(const char *proc, pid_t pid, uid_t *ret)
{
	_cleanup_free_ char *text = NULL;
	const char *p;
	uint64_t uid;
	size_t n;
	int r;

	r = read_proc(proc, pid, "status", STATUS_MAX, &text, &n, NULL);
	if (r < 0)
		return r;
	/* Newlines in the name, which stands before, are escaped in this file. */
	p = strstr(text, "\nUid:\t");
	if (!p)
		return -EBADMSG;
	p += strlen("\nUid:\t");
	if (parse_digits(&p, 10, &uid) < 0 || *p++ != '\t' || parse_digits(&p, 10, &uid) < 0 ||
	    *p != '\t' || uid > UINT32_MAX)
		return -EBADMSG;

	*ret = (uid_t)uid;
	return 0;
}

int procfs_ns_pid(const char *proc, pid_t pid, pid_t *ret)
{
	_cleanup_free_ char *text = NULL;
	uint64_t inner = 0;
	const char *p;
	size_t n;
	int r;

	r = read_proc(proc, pid, "status", STATUS_MAX, &text, &n, NULL);
	if (r < 0)
		return r;
	p = strstr(text, "\nNSpid:");
	if (!p)
		return -EBADMSG;
	/* One number per namespace, the innermost last. */
	for (p += strlen("\nNSpid:"); *p == '\t';) {
		p++;
		if (parse_digits(&p, 10, &inner) < 0)
			return -EBADMSG;
	}
	if (*p != '\n' || inner == 0 || inner > INT32_MAX)
		return -EBADMSG;

	*ret = (pid_t)inner;
	return 0;
}

int procfs_boot_time(const char *proc, uint64_t *ret_seconds)
{
	_cleanup_free_ char *text = NULL;
	char path[PATH_MAX];
	size_t n;
	int r;

	r = snprintf(path, sizeof(path), "%s/stat", proc);
	if (r < 0 || (size_t)r >= sizeof(path))
		return -ENAMETOOLONG;
	r = read_file(path, HOST_STAT_MAX, &text, &n, NULL);
	if (r < 0)
		return r;
	return find_number(text, "btime ", ret_seconds);
}

static int compare_pids(const void *a, const void *b)
{
	pid_t x = *(const pid_t *)a;
	pid_t y = *(const pid_t *)b;

	return (x > y) - (x < y);
}

static void close_dirp(DIR **dir)
{
	if (*dir)
		(void)closedir(*dir);
}

int procfs_pids(const char *proc, pid_t **ret, size_t *ret_n)
{
	_cleanup_(close_dirp) DIR *dir = NULL;
	_cleanup_free_ pid_t *pids = NULL;
	size_t capacity = 512;
	size_t n = 0;

	dir = opendir(proc);
	if (!dir)
		return -errno;
	pids = malloc(capacity * sizeof(*pids));
	if (!pids)
		return -ENOMEM;
	for (;;) {
		struct dirent *entry;
		pid_t pid;

		errno = 0;
		entry = readdir(dir);
		if (!entry)
			break;
		if (parse_pid(entry->d_name, &pid) < 0)
			continue;
		if (n == capacity) {
			pid_t *larger = reallocarray(pids, 2 * capacity, sizeof(*pids));

			if (!larger)
				return -ENOMEM;
			pids = larger;
			capacity *= 2;
		}
		pids[n++] = pid;
	}
	if (errno != 0)
		return -errno;
	qsort(pids, n, sizeof(*pids), compare_pids);

	*ret = TAKE_PTR(pids);
	*ret_n = n;
	return 0;
}
