/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The memory of another process, read without stopping it.
 *
 * All that is read is hostile and may change between two reads. A read is whole or fails; nothing here
 * follows a pointer by itself.
 */
#ifndef SEEP_PYTHON_MEMORY_H
#define SEEP_PYTHON_MEMORY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * What it is read with: process_vm_readv() of a process, or a buffer in tests. read() fills @n bytes and
 * returns 0, or a negative errno (-EFAULT: not mapped, -ESRCH: the process is gone).
 */
struct python_memory {
	int (*read)(const struct python_memory *m, uint64_t address, void *to, size_t n);
	pid_t pid;
	const void *userdata;
};

/* Permission is what ptrace would need (PTRACE_MODE_ATTACH_REALCREDS); no stop happens. */
void python_memory_of_process(struct python_memory *m, pid_t pid);

static inline int python_read(const struct python_memory *m, uint64_t address, void *to, size_t n)
{
	return m->read(m, address, to, n);
}

int python_read_u64(const struct python_memory *m, uint64_t address, uint64_t *ret);

struct python_run {
	uint64_t address;
	void *to;
	size_t n;
	size_t done; /* filled in: bytes that were read, from the start */
};

/*
 * Many at once, of a process in as few calls as the kernel allows (1024 pieces each). A run that cannot be
 * read ends itself alone. 0, or -ESRCH, -EPERM.
 */
int python_read_runs(const struct python_memory *m, struct python_run *runs, size_t n);

#define PYTHON_TEXT_MAX 1024

struct python_layout;

/*
 * A str object as UTF-8, into @to of @room bytes with its NUL; what does not fit, and what is longer than
 * PYTHON_TEXT_MAX characters, is cut at a character. Control characters become '?'. -EINVAL: no sane compact
 * string; -EFAULT.
 */
int python_read_str(const struct python_memory *m, const struct python_layout *l, uint64_t object,
		    char *to, size_t room);

#endif
