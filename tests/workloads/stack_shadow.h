/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The true chain of callers, kept by the program itself: each function pushes its name before it
 * calls on. When a block is allocated the chain is kept under the block's size, which is another
 * prime for each case, together with the return addresses as glibc's backtrace() sees them. At the
 * end all is told as JSON. Nothing here allocates.
 *
 * Names of functions that the compiler is told to inline start with s_inlined_. A library that is
 * loaded uses its host's functions: SHADOW_OF_HOST.
 */
#ifndef SEEP_TEST_STACK_SHADOW_H
#define SEEP_TEST_STACK_SHADOW_H

#include "workload.h"

#define SHADOW_INLINE __attribute__((always_inline)) inline
#define SHADOW_DEPTH  512 /* functions of a chain */
#define SHADOW_NAME   32
#define SHADOW_TRACE  160 /* return addresses */
#define SHADOW_CASES  48

#ifdef __cplusplus
extern "C" {
#endif

void shadow_push(const char *name);
void shadow_pop(void);
/* Of the calling thread; what is above @depth is forgotten. */
unsigned int shadow_depth(void);
void shadow_cut(unsigned int depth);
/* Keeps the caller's chain as that of the block @p; asked for in @line. */
void shadow_note(int line, void *p, size_t bytes);

#ifdef __cplusplus
}
#endif

#define ENTER()		shadow_push(__func__)
#define LEAVE()		shadow_pop()
/* Allocates, in this function and line. */
#define ALLOCATE(bytes) shadow_note(__LINE__, malloc(bytes), (bytes))

#ifndef SHADOW_OF_HOST

#include <link.h>
#ifdef __GLIBC__
#include <execinfo.h>
#endif

/* An address as it is in a file. */
struct shadow_place {
	char module[SHADOW_NAME];
	uint64_t offset;
};

struct shadow_case {
	size_t bytes;
	int line;
	unsigned int count; /* of notes with this size: the first one's chain is kept */
	unsigned int n_chain;
	unsigned int n_trace;
	char chain[SHADOW_DEPTH][SHADOW_NAME];	 /* outermost first */
	struct shadow_place trace[SHADOW_TRACE]; /* innermost first */
};

struct shadow_chain {
	unsigned int n;
	const char *names[SHADOW_DEPTH];
};

static __thread struct shadow_chain shadow_chain;
static struct shadow_case shadow_cases[SHADOW_CASES];
static unsigned int shadow_n_cases;
static void *volatile shadow_escaped;

void shadow_push(const char *name)
{
	if (shadow_chain.n == SHADOW_DEPTH)
		die("the shadow stack is full");
	shadow_chain.names[shadow_chain.n++] = name;
}

void shadow_pop(void)
{
	shadow_chain.n--;
}

unsigned int shadow_depth(void)
{
	return shadow_chain.n;
}

void shadow_cut(unsigned int depth)
{
	shadow_chain.n = depth;
}

static inline void shadow_copy(char *to, const char *name)
{
	size_t n = strlen(name);

	if (n >= SHADOW_NAME)
		die("a name is too long");
	memcpy(to, name, n + 1);
}

struct shadow_search {
	uint64_t address;
	struct shadow_place *place;
};

static inline int shadow_module(struct dl_phdr_info *info, size_t size, void *data)
{
	struct shadow_search *search = (struct shadow_search *)data;

	(void)size;
	for (unsigned int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		uint64_t start = info->dlpi_addr + p->p_vaddr;
		const char *slash = strrchr(info->dlpi_name, '/');

		if (p->p_type != PT_LOAD || search->address < start ||
		    search->address >= start + p->p_memsz)
			continue;
		shadow_copy(search->place->module, slash ? slash + 1 : info->dlpi_name);
		search->place->offset = search->address - start + p->p_offset;
		return 1;
	}
	return 0;
}

/* From where shadow_note() was called: @from. */
static inline void shadow_trace(struct shadow_case *c, const void *from)
{
	c->n_trace = 0;
#ifdef __GLIBC__
	void *addresses[SHADOW_TRACE];
	int n = backtrace(addresses, SHADOW_TRACE);
	int first = 0;

	while (first < n && addresses[first] != from)
		first++;
	for (int i = first; i < n; i++) {
		struct shadow_place *place = &c->trace[c->n_trace++];
		struct shadow_search search = { (uint64_t)(uintptr_t)addresses[i], place };

		shadow_copy(place->module, "?");
		place->offset = search.address;
		(void)dl_iterate_phdr(shadow_module, &search);
	}
#else
	(void)from;
#endif
}

__attribute__((noinline)) void shadow_note(int line, void *p, size_t bytes)
{
	struct shadow_case *c;

	if (!p)
		die("an allocation failed");
	shadow_escaped = p;
	for (unsigned int i = 0; i < shadow_n_cases; i++) {
		if (shadow_cases[i].bytes != bytes)
			continue;
		shadow_cases[i].count++;
		return;
	}
	if (shadow_n_cases == SHADOW_CASES)
		die("too many cases");
	c = &shadow_cases[shadow_n_cases++];
	c->bytes = bytes;
	c->line = line;
	c->count = 1;
	c->n_chain = shadow_chain.n;
	for (unsigned int i = 0; i < c->n_chain; i++)
		shadow_copy(c->chain[i], shadow_chain.names[i]);
	shadow_trace(c, __builtin_return_address(0));
}

/*
 * Before the first case: backtrace() loads a library when it is first called. A static program that
 * frees nothing would not even have the function.
 */
static inline void shadow_begin(void)
{
	shadow_escaped = malloc(1);
	free(shadow_escaped);
#ifdef __GLIBC__
	void *addresses[2];

	(void)backtrace(addresses, 2);
#endif
}

static inline void shadow_tell_case(const struct shadow_case *c)
{
	say("{\"bytes\":%zu,\"line\":%d,\"count\":%u,\"chain\":[", c->bytes, c->line, c->count);
	for (unsigned int i = c->n_chain; i > 0; i--)
		say("%s\"%s\"", i < c->n_chain ? "," : "", c->chain[i - 1]);
	say("],\"trace\":[");
	for (unsigned int i = 0; i < c->n_trace; i++)
		say("%s[\"%s\",%llu]", i ? "," : "", c->trace[i].module,
		    (unsigned long long)c->trace[i].offset);
	say("]}");
}

/* @more: other members of the object, each with a comma behind it, or "". */
static inline void shadow_tell(const char *more)
{
	say("{%s\"address\":%llu,\"cases\":[", more,
	    (unsigned long long)(uintptr_t)(void *)shadow_note);
	for (unsigned int i = 0; i < shadow_n_cases; i++) {
		if (i)
			say(",");
		shadow_tell_case(&shadow_cases[i]);
	}
	say("]}\n");
}

#endif /* SHADOW_OF_HOST */

#endif
