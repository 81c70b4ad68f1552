// SPDX-License-Identifier: GPL-2.0-or-later
/* Where the threads of an interpreter keep their states. See thread_slot.h. */
#include "python/thread_slot.h"

#include <stdbool.h>
#include <string.h>

#include "base/cleanup.h"

/* The key is within the first 3 KiB in all versions. */
#define RUNTIME_BYTES 16384u

#define INTERPRETERS_MAX 4
#define THREADS_MAX	 8
#define KEYS_MAX	 1024u /* PTHREAD_KEYS_MAX of glibc; of musl 128 */

/*
 * glibc, struct pthread: 32 slots of 16 bytes, the value in the second word, are in the thread itself;
 * those of higher keys are in tables that it points to. The same on x86-64 since 2.2.5 (nptl/descr.h).
 */
#define GLIBC_SLOTS  0x310u
#define GLIBC_TABLES 0x510u
#define GLIBC_SLOT   16u
#define GLIBC_TABLE  32u

/* musl, struct pthread: tsd, a pointer to an array of pointers (src/internal/pthread_impl.h). */
static const uint32_t musl_tables[] = { 0x80, 0x88, 0x90 };

struct state {
	uint64_t address;
	uint64_t thread; /* pthread_self() */
	uint64_t interpreter;
};

static bool holds(const struct python_memory *m, const struct state *s, const uint32_t slot[2])
{
	uint64_t word;

	if (python_read_u64(m, s->thread + slot[0], &word) < 0)
		return false;
	if (slot[1] == PYTHON_NONE)
		return word == s->address;
	return word && python_read_u64(m, word + slot[1], &word) == 0 && word == s->address;
}

static bool try_key(struct python_interpreter *i, const struct state *s, uint32_t key)
{
	uint32_t glibc[2] = { GLIBC_SLOTS + GLIBC_SLOT * key + 8, PYTHON_NONE };

	if (key >= GLIBC_TABLE) {
		glibc[0] = GLIBC_TABLES + 8 * (key / GLIBC_TABLE);
		glibc[1] = GLIBC_SLOT * (key % GLIBC_TABLE) + 8;
	}
	if (holds(&i->memory, s, glibc)) {
		memcpy(i->thread_slot, glibc, sizeof(glibc));
		return true;
	}
	for (size_t k = 0; k < ARRAY_SIZE(musl_tables); k++) {
		uint32_t musl[2] = { musl_tables[k], 8 * key };

		if (holds(&i->memory, s, musl)) {
			memcpy(i->thread_slot, musl, sizeof(musl));
			return true;
		}
	}
	return false;
}

/*
 * Include/internal/pycore_runtime.h and pycore_pystate.h. Up to 3.11 the key is the last of tstate_current,
 * in 3.8 a function, the interpreter, and Py_tss_t { int is_initialized; pthread_key_t key; }. From the end:
 * the list of interpreters, before it, may look the same (main, next_id).
 */
static bool try_gilstate(struct python_interpreter *i, const uint64_t *words, size_t n,
			 const struct state *s)
{
	size_t back = i->layout.minor == 8 ? 3 : 2;

	for (size_t k = n; k-- > back;) {
		if ((uint32_t)words[k] != 1 || words[k] >> 32 >= KEYS_MAX ||
		    words[k - 1] != s->interpreter)
			continue;
		if (!try_key(i, s, (uint32_t)(words[k] >> 32)))
			continue;
		i->running = i->runtime + 8 * (k - back);
		return true;
	}
	return false;
}

/* Later it is a Py_tss_t alone; with a low key there may be words that look like it and say the same. */
static bool try_words(struct python_interpreter *i, const uint32_t *words, size_t n,
		      const struct state *s)
{
	for (size_t k = 0; k + 1 < n; k++)
		if (words[k] == 1 && words[k + 1] < KEYS_MAX && try_key(i, s, words[k + 1]))
			return true;
	return false;
}

/* The first states of an interpreter, appended to the @n that are there. */
static size_t read_threads(const struct python_interpreter *i, uint64_t interpreter,
			   struct state states[THREADS_MAX], size_t n)
{
	const struct python_layout *l = &i->layout;
	uint64_t at = interpreter + l->interpreter_threads;
	struct state s = { .interpreter = interpreter };

	while (n < THREADS_MAX && python_read_u64(&i->memory, at, &s.address) == 0 && s.address &&
	       python_read_u64(&i->memory, s.address + l->thread_id, &s.thread) == 0) {
		states[n++] = s;
		at = s.address + l->thread_next;
	}
	return n;
}

static size_t read_states(const struct python_interpreter *i, struct state states[THREADS_MAX])
{
	uint64_t at = i->runtime + i->layout.runtime_interpreters, interpreter;
	size_t n = 0;

	for (int k = 0; k < INTERPRETERS_MAX; k++) {
		if (python_read_u64(&i->memory, at, &interpreter) < 0 || !interpreter)
			break;
		n = read_threads(i, interpreter, states, n);
		at = interpreter + i->layout.interpreter_next;
	}
	return n;
}

void python_thread_slot_find(struct python_interpreter *i, uint64_t bytes)
{
	_cleanup_free_ void *words = NULL;
	struct state states[THREADS_MAX];
	size_t n_states = read_states(i, states);
	bool found = false;

	if (bytes == 0 || bytes > RUNTIME_BYTES)
		bytes = RUNTIME_BYTES;
	words = malloc(bytes);
	if (!words || python_read(&i->memory, i->runtime, words, bytes) < 0)
		return;
	for (size_t k = 0; k < n_states && !found; k++)
		found = i->layout.minor <= 11 ?
				try_gilstate(i, words, bytes / sizeof(uint64_t), &states[k]) :
				try_words(i, words, bytes / sizeof(uint32_t), &states[k]);
}
