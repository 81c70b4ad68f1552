/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the workloads have in common: waiting for the tracer, and keeping and telling the truth.
 *
 * The truth is kept in static memory and written with write(2), so that telling it allocates
 * nothing. --wait: says "ready" and waits for a byte on standard input before the first allocation
 * that counts; --hold: waits for another one (or the end of the input) before it exits.
 */
#ifndef SEEP_TEST_WORKLOAD_H
#define SEEP_TEST_WORKLOAD_H

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline, noclone))

/* What the functions of one name have allocated, and what was freed of that. */
struct ledger {
	const char *function;
	uint64_t allocated_count;
	uint64_t allocated_bytes;
	uint64_t freed_count;
	uint64_t freed_bytes;
};

static inline void ledger_add(struct ledger *l, size_t bytes)
{
	l->allocated_count++;
	l->allocated_bytes += bytes;
}

static inline void ledger_free(struct ledger *l, size_t bytes)
{
	l->freed_count++;
	l->freed_bytes += bytes;
}

static inline __attribute__((noreturn)) void die(const char *what)
{
	(void)!write(STDERR_FILENO, what, strlen(what));
	(void)!write(STDERR_FILENO, "\n", 1);
	_exit(99);
}

static inline void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

static inline void say(const char *format, ...)
{
	char text[4096];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= sizeof(text) || write(STDOUT_FILENO, text, n) != n)
		die("cannot write the truth");
}

/* Members of a JSON object, without the braces. */
static inline void say_ledgers(const struct ledger *ledgers, size_t n)
{
	for (size_t i = 0; i < n; i++)
		say("%s\"%s\":{\"allocated_count\":%llu,\"allocated_bytes\":%llu,"
		    "\"freed_count\":%llu,\"freed_bytes\":%llu}",
		    i ? "," : "", ledgers[i].function,
		    (unsigned long long)ledgers[i].allocated_count,
		    (unsigned long long)ledgers[i].allocated_bytes,
		    (unsigned long long)ledgers[i].freed_count,
		    (unsigned long long)ledgers[i].freed_bytes);
}

static inline void say_truth(const struct ledger *ledgers, size_t n)
{
	say("{\"functions\":{");
	say_ledgers(ledgers, n);
	say("}}\n");
}

static inline void wait_for_byte(void)
{
	char byte;
	ssize_t r;

	do
		r = read(STDIN_FILENO, &byte, 1);
	while (r < 0 && errno == EINTR);
}

static inline bool has_flag(int argc, char **argv, const char *flag)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], flag) == 0)
			return true;
	return false;
}

/* The n-th argument that is a number, or @other. */
static inline unsigned long number_argument(int argc, char **argv, int n, unsigned long other)
{
	for (int i = 1; i < argc; i++)
		if (argv[i][0] >= '0' && argv[i][0] <= '9' && n-- == 0)
			return strtoul(argv[i], NULL, 10);
	return other;
}

static inline void workload_begin(int argc, char **argv)
{
	if (!has_flag(argc, argv, "--wait"))
		return;
	say("ready\n");
	wait_for_byte();
}

static inline void workload_end(int argc, char **argv)
{
	if (has_flag(argc, argv, "--hold"))
		wait_for_byte();
}

#endif
