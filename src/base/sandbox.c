// SPDX-License-Identifier: GPL-2.0-or-later
/* Shuts a worker in. See sandbox.h. */
#include "base/sandbox.h"

#include <fcntl.h>
#include <inttypes.h>
#include <linux/close_range.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"

/* clang and gcc tell of the address sanitizer in different ways. */
#if defined(__SANITIZE_ADDRESS__)
#define HAS_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_ADDRESS_SANITIZER 1
#endif
#endif
#ifndef HAS_ADDRESS_SANITIZER
#define HAS_ADDRESS_SANITIZER 0
#endif

/* Keeps the socket and, on 0 to 2, nothing (sanitizers keep standard error for their reports). */
static int close_descriptors(int socket)
{
	int kept = HAS_ADDRESS_SANITIZER ? STDERR_FILENO : STDERR_FILENO + 1;
	int null_fd;

	if (socket != SANDBOX_SOCKET && dup2(socket, SANDBOX_SOCKET) < 0)
		return -errno;
	/* After the socket's number is taken; it may well get one of the three itself. */
	null_fd = open("/dev/null", O_RDWR);
	if (null_fd < 0)
		return -errno;
	for (int fd = 0; fd < kept; fd++) {
		if (fd != null_fd && dup2(null_fd, fd) < 0)
			return -errno;
	}
	if (syscall(SYS_close_range, SANDBOX_SOCKET + 1, ~0u, 0) < 0)
		return -errno;
	return 0;
}

/* BPF maps that the parent has mapped are shared with the kernel side: not for this process. */
static int drop_shared_memory(void)
{
	_cleanup_fclose_ FILE *maps = fopen("/proc/self/maps", "re");
	_cleanup_free_ char *line = NULL;
	size_t size = 0;

	if (!maps)
		return -errno;
	while (getline(&line, &size, maps) > 0) {
		uintptr_t start, end;
		char mode[5];

		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s", &start, &end, mode) != 3)
			continue;
		if (mode[3] == 's' && munmap((void *)start, end - start) < 0)
			return -errno;
	}
	return 0;
}

static int set_limit(int resource, uint64_t value)
{
	struct rlimit limit, old;

	if (getrlimit((__rlimit_resource_t)resource, &old) < 0)
		return -errno;
	if (old.rlim_max != RLIM_INFINITY && old.rlim_max < value)
		value = old.rlim_max;
	limit = (struct rlimit){ .rlim_cur = value, .rlim_max = value };
	return setrlimit((__rlimit_resource_t)resource, &limit) < 0 ? -errno : 0;
}

/* What this copy of the parent takes already is not to be held against it. */
static int read_usage(uint64_t *ret_address_space, uint64_t *ret_data)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/self/statm", "re");
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t size, data;

	if (!f)
		return -errno;
	if (fscanf(f, "%" SCNu64 " %*u %*u %*u %*u %" SCNu64, &size, &data) != 2)
		return -EBADMSG;
	*ret_address_space = size * page;
	*ret_data = data * page;
	return 0;
}

static int set_limits(const struct sandbox *s)
{
	uint64_t address_space = 0, data = 0;
	int r = read_usage(&address_space, &data);

	if (r < 0)
		return r;

	const struct {
		int resource;
		uint64_t value;
	} limits[] = {
		{ RLIMIT_CORE, 0 },
		{ RLIMIT_NOFILE, s->descriptors },
		{ RLIMIT_FSIZE, s->file_bytes },
		{ RLIMIT_CPU, s->cpu_seconds },
		/* The sanitizer's shadow alone is bigger than these two allow. */
		{ RLIMIT_DATA, HAS_ADDRESS_SANITIZER ? RLIM_INFINITY : data + s->data_bytes },
		{ RLIMIT_AS,
		  HAS_ADDRESS_SANITIZER ? RLIM_INFINITY : address_space + s->address_space_bytes },
	};

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		r = set_limit(limits[i].resource, limits[i].value);
		if (r < 0)
			return r;
	}
	return 0;
}

/* When memory runs out, this process is the first to go. Best effort: names can wait. */
static void offer_to_oom_killer(void)
{
	_cleanup_close_ int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd >= 0 && write(fd, "1000", 4) < 0)
		return;
}

static bool is_kept(const struct sandbox *s, int cap)
{
	for (size_t i = 0; i < s->n_capabilities; i++)
		if (s->capabilities[i] == cap)
			return true;
	return false;
}

/* Of what is to be kept, what this process has. NULL: no memory. */
static cap_t kept_capabilities(const struct sandbox *s)
{
	cap_t have = cap_get_proc(), kept = cap_init();

	for (size_t i = 0; have && kept && i < s->n_capabilities; i++) {
		cap_value_t cap = s->capabilities[i];
		cap_flag_value_t has = CAP_CLEAR;

		if (cap_get_flag(have, cap, CAP_PERMITTED, &has) < 0 || has != CAP_SET)
			continue;
		(void)cap_set_flag(kept, CAP_PERMITTED, 1, &cap, CAP_SET);
		(void)cap_set_flag(kept, CAP_EFFECTIVE, 1, &cap, CAP_SET);
	}
	(void)cap_free(have);
	return kept;
}

static int drop_capabilities(const struct sandbox *s)
{
	cap_t kept;
	int r = 0;

	/* Without CAP_SETPCAP the set stays; no_new_privs makes it useless all the same. */
	for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++) {
		if (!is_kept(s, cap) && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0 && errno != EPERM)
			return -errno;
	}
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return -errno;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	kept = kept_capabilities(s);
	if (!kept)
		return -errno;
	if (cap_set_proc(kept) < 0)
		r = -errno;
	(void)cap_free(kept);
	return r;
}

static int allow_calls(scmp_filter_ctx filter)
{
	static const int calls[] = {
		SCMP_SYS(read),		 SCMP_SYS(pread64),	   SCMP_SYS(write),
		SCMP_SYS(pwrite64),	 SCMP_SYS(lseek),	   SCMP_SYS(close),
		SCMP_SYS(fstat),	 SCMP_SYS(recvmsg),	   SCMP_SYS(sendmsg),
		SCMP_SYS(munmap),	 SCMP_SYS(mremap),	   SCMP_SYS(madvise),
		SCMP_SYS(brk),		 SCMP_SYS(memfd_create),   SCMP_SYS(ftruncate),
		SCMP_SYS(clock_gettime), SCMP_SYS(getrandom),	   SCMP_SYS(futex),
		SCMP_SYS(rt_sigreturn),	 SCMP_SYS(rt_sigprocmask), SCMP_SYS(sched_yield),
		SCMP_SYS(sigaltstack),	 SCMP_SYS(exit),	   SCMP_SYS(exit_group),
	};
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(calls) && r == 0; i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
	/* No memory becomes executable. */
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
				     SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
				     SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	/* glibc's fstat(). */
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(newfstatat), 1,
				     SCMP_A3(SCMP_CMP_EQ, AT_EMPTY_PATH, 0));
	/* libelf asks whether its descriptor is one. */
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1,
				     SCMP_A1(SCMP_CMP_EQ, F_GETFD, 0));
	return r;
}

static int filter_calls(const struct sandbox *s)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int r;

	if (!filter)
		return -ENOMEM;
	r = allow_calls(filter);
	if (r == 0 && s->allow)
		r = s->allow(filter);
	if (r == 0)
		r = seccomp_load(filter);
	seccomp_release(filter);
	return r;
}

/* The parent's handlers must not run here; what it blocked must not stay blocked. */
static void reset_signals(void)
{
	sigset_t none;

	for (int i = 1; i < NSIG; i++)
		(void)signal(i, SIG_DFL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

int sandbox_enter(const struct sandbox *s, int socket, int parent)
{
	int r;

	reset_signals();
	if (prctl(PR_SET_NAME, s->name, 0, 0, 0) < 0)
		return -errno;
	r = close_descriptors(socket);
	if (r < 0)
		return r;
	r = drop_shared_memory();
	if (r < 0)
		return r;
	offer_to_oom_killer();
	/* A courtesy, which a service manager's filter of system calls may refuse. */
	if (s->niceness)
		(void)!nice(s->niceness);
	r = set_limits(s);
	if (r < 0)
		return r;
	r = drop_capabilities(s);
	if (r < 0)
		return r;
	/* Last of the settings that others could undo; the parent may be gone already. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return -errno;
	if (getppid() != parent)
		return -ESRCH;
	return filter_calls(s);
}
