// SPDX-License-Identifier: GPL-2.0-or-later
/* What a user names targets by. See selector.h. */
#include "target/selector.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/parse.h"
#include "base/utf8.h"
#include "target/procfs.h"
#include "target/read.h"

#define TEXT_MAX      512
#define COMM_MAX      15
#define CONTAINER_MIN 6
#define CONTAINER_MAX 64

static const struct {
	const char *name;
	enum selector_kind kind;
} fields[] = {
	{ "pid", SELECTOR_PID },
	{ "exe", SELECTOR_EXE },
	{ "comm", SELECTOR_COMM },
	{ "cmd", SELECTOR_CMD },
	{ "unit", SELECTOR_UNIT },
	{ "cgroup", SELECTOR_CGROUP },
	{ "container", SELECTOR_CONTAINER },
};

static int refuse(const char **ret_why, const char *why)
{
	if (ret_why)
		*ret_why = why;
	return -EINVAL;
}

static bool has_suffix(const char *s, const char *suffix)
{
	size_t n = strlen(s);
	size_t length = strlen(suffix);

	return n > length && strcmp(s + n - length, suffix) == 0;
}

static bool is_unit_name(const char *s)
{
	return has_suffix(s, ".service") || has_suffix(s, ".scope") || has_suffix(s, ".slice");
}

/* What kind @text is, and where its value begins. A '=' behind a slash belongs to a path. */
static int split_field(const char *text, enum selector_kind *ret_kind, const char **ret_value,
		       const char **ret_why)
{
	size_t n = strcspn(text, "=/");

	if (text[n] == '=') {
		for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
			if (strlen(fields[i].name) != n || memcmp(fields[i].name, text, n) != 0)
				continue;
			*ret_kind = fields[i].kind;
			*ret_value = text + n + 1;
			return 0;
		}
		return refuse(ret_why, "the field before '=' is none of pid, exe, comm, cmd, unit, "
				       "cgroup, container");
	}
	*ret_value = text;
	if (text[strspn(text, "0123456789")] == '\0')
		*ret_kind = SELECTOR_PID;
	else if (text[n] == '/')
		*ret_kind = SELECTOR_EXE;
	else if (is_unit_name(text))
		*ret_kind = SELECTOR_UNIT;
	else
		*ret_kind = SELECTOR_COMM;
	return 0;
}

static int check_value(struct selector *s, const char *value, const char **ret_why)
{
	size_t n = strlen(value);

	if (n == 0)
		return refuse(ret_why, "the value after '=' is empty");
	if (s->kind == SELECTOR_PID && parse_pid(value, &s->pid) < 0)
		return refuse(ret_why, "a pid is a number from 1 to 4194304");
	if (s->kind == SELECTOR_CONTAINER && (n < CONTAINER_MIN || n > CONTAINER_MAX ||
					      strspn(value, "0123456789abcdefABCDEF") != n))
		return refuse(ret_why, "a container is named by 6 to 64 hexadecimal digits");
	if (s->kind == SELECTOR_EXE && strchr(value, '/') && !strchr("/*?[", value[0]))
		return refuse(ret_why, "an executable's path begins with '/' or a wildcard");
	return 0;
}

/* The pattern that is compared, from the value that was written. */
static char *make_pattern(const struct selector *s, const char *value)
{
	char *pattern;

	if (s->kind == SELECTOR_COMM && !s->is_glob)
		return strndup(value, COMM_MAX);
	if (s->kind == SELECTOR_UNIT && !s->is_glob && !is_unit_name(value))
		return asprintf(&pattern, "%s.service", value) < 0 ? NULL : pattern;
	return strdup(value);
}

int selector_parse(const char *text, struct selector **ret, const char **ret_why)
{
	_cleanup_(selector_freep) struct selector *s = NULL;
	size_t n = strnlen(text, TEXT_MAX + 1);
	const char *value;
	int r;

	if (n == 0)
		return refuse(ret_why, "it is empty");
	if (n > TEXT_MAX)
		return refuse(ret_why, "it is longer than 512 bytes");
	if (!utf8_is_printable(text, n))
		return refuse(ret_why, "it holds bytes that are not printable UTF-8");
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	r = split_field(text, &s->kind, &value, ret_why);
	if (r < 0)
		return r;
	r = check_value(s, value, ret_why);
	if (r < 0)
		return r;
	s->is_glob = value[strcspn(value, "*?[\\")] != '\0';
	s->text = strdup(text);
	s->pattern = s->kind == SELECTOR_PID ? NULL : make_pattern(s, value);
	if (!s->text || (!s->pattern && s->kind != SELECTOR_PID))
		return -ENOMEM;

	*ret = TAKE_PTR(s);
	return 0;
}

struct selector *selector_free(struct selector *s)
{
	if (!s)
		return NULL;
	free(s->pattern);
	free(s->text);
	free(s);
	return NULL;
}

bool selector_is_lasting(const struct selector *s)
{
	return s->kind != SELECTOR_PID;
}

static bool matches_text(const struct selector *s, const char *text)
{
	return s->is_glob ? fnmatch(s->pattern, text, 0) == 0 : strcmp(s->pattern, text) == 0;
}

/* Which file it is, without asking a remote server whether that is still true. */
static int identify(int fd, const char *path, struct statx *ret)
{
	int flags = AT_STATX_DONT_SYNC | (fd >= 0 ? AT_EMPTY_PATH : 0);

	return statx(fd >= 0 ? fd : AT_FDCWD, path, flags, STATX_INO, ret) < 0 ? -errno : 0;
}

/*
 * Whether @path leads, in the root of the process, to the file that it executes. Links in there are
 * the target's: the kernel keeps them inside of that root.
 */
static bool leads_to_exe(const char *proc, pid_t pid, const char *path)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT };
	_cleanup_close_ int root = -EBADF;
	_cleanup_close_ int fd = -EBADF;
	char name[PATH_MAX];
	struct statx exe, file;

	if (proc_path(proc, pid, "exe", name, sizeof(name)) < 0 || identify(-EBADF, name, &exe) < 0)
		return false;
	if (proc_path(proc, pid, "root", name, sizeof(name)) < 0)
		return false;
	root = open(name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return false;
	fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
	if (fd < 0 || identify(fd, "", &file) < 0)
		return false;
	return exe.stx_ino == file.stx_ino && exe.stx_dev_major == file.stx_dev_major &&
	       exe.stx_dev_minor == file.stx_dev_minor;
}

static int matches_exe(const struct selector *s, const char *proc, pid_t pid)
{
	_cleanup_free_ char *exe = NULL;
	bool has_slash = strchr(s->pattern, '/');
	const char *slash;
	bool deleted;
	int r;

	r = procfs_exe(proc, pid, &exe, &deleted);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (matches_text(s, exe))
		return 1;
	slash = strrchr(exe, '/');
	if (!has_slash)
		return slash && matches_text(s, slash + 1);
	return !s->is_glob && s->pattern[0] == '/' && leads_to_exe(proc, pid, s->pattern);
}

static int matches_cmd(const struct selector *s, const char *proc, pid_t pid)
{
	_cleanup_free_ char *cmdline = NULL;
	int r;

	r = procfs_cmdline(proc, pid, &cmdline);
	return r < 0 ? r : matches_text(s, cmdline);
}

static int matches_unit(const struct selector *s, const char *cgroup)
{
	const char *state = cgroup;
	const char *unit;
	size_t n;

	while ((unit = cgroup_next_unit(&state, &n))) {
		_cleanup_free_ char *name = strndup(unit, n);

		if (!name)
			return -ENOMEM;
		if (matches_text(s, name))
			return 1;
	}
	return 0;
}

static int matches_container(const struct selector *s, const char *cgroup)
{
	_cleanup_free_ char *unit = NULL;
	_cleanup_free_ char *container = NULL;
	int r;

	r = cgroup_names(cgroup, &unit, &container);
	if (r < 0)
		return r;
	return container && strncasecmp(container, s->pattern, strlen(s->pattern)) == 0;
}

static int matches_cgroup(const struct selector *s, const char *proc, pid_t pid)
{
	_cleanup_free_ char *cgroup = NULL;
	int r;

	r = procfs_cgroup(proc, pid, &cgroup);
	/* A kernel without cgroups has none to match. */
	if (r < 0)
		return r == -ENOENT || r == -EBADMSG ? 0 : r;
	if (s->kind == SELECTOR_UNIT)
		return matches_unit(s, cgroup);
	if (s->kind == SELECTOR_CONTAINER)
		return matches_container(s, cgroup);
	return matches_text(s, cgroup);
}

static int matches_kind(const struct selector *s, const char *proc, pid_t pid,
			const struct proc_stat *stat)
{
	switch (s->kind) {
	case SELECTOR_PID:
		return pid == s->pid;
	case SELECTOR_EXE:
		return matches_exe(s, proc, pid);
	case SELECTOR_COMM:
		return matches_text(s, stat->comm);
	case SELECTOR_CMD:
		return matches_cmd(s, proc, pid);
	case SELECTOR_UNIT:
	case SELECTOR_CGROUP:
	case SELECTOR_CONTAINER:
		return matches_cgroup(s, proc, pid);
	}
	return 0;
}

/* No executable and no command line: nothing that could be traced, whatever the flags say. */
static int has_no_image(const char *proc, pid_t pid)
{
	_cleanup_free_ char *cmdline = NULL;
	_cleanup_free_ char *exe = NULL;
	bool deleted;
	int r;

	r = procfs_exe(proc, pid, &exe, &deleted);
	if (r == -EACCES || r == -EPERM)
		return 0;
	if (r != -ENOENT)
		return r;
	r = procfs_cmdline(proc, pid, &cmdline);
	if (r < 0)
		return r == -ENOENT ? 1 : r;
	return cmdline[0] == '\0';
}

int selector_matches(const struct selector *s, const char *proc, pid_t pid)
{
	struct proc_stat stat;
	int r;

	/* Saves a search by pid from opening a file of each process. */
	if (s->kind == SELECTOR_PID && pid != s->pid)
		return 0;
	r = procfs_stat(proc, pid, &stat);
	if (r < 0)
		return r == -ESRCH ? 0 : r;
	if (stat.kernel_thread || stat.state == 'Z' || stat.state == 'X')
		return 0;
	r = matches_kind(s, proc, pid, &stat);
	if (r > 0) {
		r = has_no_image(proc, pid);
		r = r < 0 ? r : !r;
	}
	return r == -ESRCH ? 0 : r;
}

int selector_find(const struct selector *s, const char *proc, pid_t **ret, size_t *ret_n)
{
	_cleanup_free_ pid_t *pids = NULL;
	size_t found = 0;
	size_t n;
	int r;

	r = procfs_pids(proc, &pids, &n);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		r = selector_matches(s, proc, pids[i]);
		/*
		 * What else fails is this process's own doing (a path too long to be told, say),
		 * and must not hide the others.
		 */
		if (r == -ENOMEM || r == -EMFILE || r == -ENFILE)
			return r;
		if (r > 0)
			pids[found++] = pids[i];
	}

	*ret = TAKE_PTR(pids);
	*ret_n = found;
	return 0;
}
