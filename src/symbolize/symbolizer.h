/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All that is learnt from ELF files: names, lines, hook points, unwind tables.
 *
 * The files belong to other people's processes and are hostile. They are parsed in a child process
 * without capabilities, under a seccomp filter and resource limits; this side sends it descriptors
 * and checks every answer. A child that dies or takes longer than its deadline costs the request it
 * was working on, and a new child goes on with the next one. A child that was idle for a while is
 * ended, which gives its memory back.
 *
 * Requests are answered in order, from the event loop, never from inside the call that made them.
 * One exception: symbolizer_drain() runs the loop's work until nothing is pending.
 */
#ifndef SEEP_SYMBOLIZE_SYMBOLIZER_H
#define SEEP_SYMBOLIZE_SYMBOLIZER_H

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "python/file.h"
#include "symbolize/frame.h"

struct event_base;
struct file_table;
struct codes;
struct python_code;
struct symbolizer;

struct symbolizer_options {
	uint64_t request_timeout_ns; /* 0: 10 s */
	uint64_t idle_timeout_ns;    /* 0: 10 s */
};

/* Borrows @base and @files, which outlive the symbolizer. @options may be NULL. */
int symbolizer_new(struct event_base *base, struct file_table *files,
		   const struct symbolizer_options *options, struct symbolizer **ret);

/* Pending requests are dropped without a call. */
struct symbolizer *symbolizer_free(struct symbolizer *s);
DEFINE_CLEANUP(struct symbolizer *, symbolizer_free)

/*
 * The names of one stored frame, or NULL when they have not been resolved yet. Valid until
 * symbolizer_free(). Absolute addresses (slot 0) are known at once: a frame without names.
 */
const struct frame_list *symbolizer_lookup(struct symbolizer *s, uint64_t frame);

typedef void (*symbolizer_done_fn)(void *userdata);

/*
 * Resolves the frames that are not known yet, then calls @done (also when nothing was to do, and
 * when a file could not be read: its frames then have no names and are approximate). Frames that
 * only lack names because a child died are tried again by the next call that asks for them.
 */
int symbolizer_resolve(struct symbolizer *s, const uint64_t *frames, size_t n,
		       symbolizer_done_fn done, void *userdata);

/* Longer words of an instruction are cut; allocators' take 30 at most. */
#define HOOK_WORDS_BYTES 56

enum hook_point_flags {
	HOOK_EMULATED = 1 << 0,	   /* the instruction at the probe, see elf/placement.h */
	HOOK_CALLS_HOOKS = 1 << 1, /* may call a function of the other points, see elf/nesting.h */
};

/* A function to look for in a file, by its symbol. */
struct hook_point {
	uint64_t symbol_offset;	      /* in the file: where the function starts */
	uint64_t probe_offset;	      /* in the file: where the probe goes (elf/placement.h) */
	uint32_t name;		      /* index into the names that were asked for */
	uint32_t flags;		      /* HOOK_… */
	uint8_t instruction[16];      /* bytes at probe_offset, zero padded */
	char words[HOOK_WORDS_BYTES]; /* the instruction as text, printable ASCII; "": none */
};

/*
 * Answers with the names that the file defines as functions, dynamic symbols first, else the full
 * table; several names at one offset are all listed. A function whose code could not be followed
 * has HOOK_CALLS_HOOKS, since that only costs more. @points is valid during the call. @error is 0
 * or a negative errno (-ENOEXEC: not an ELF file for this machine; -EAGAIN, -EMFILE, -ENFILE: nothing is said of
 * the file, ask again).
 */
typedef void (*symbolizer_hooks_fn)(int error, const struct hook_point *points, size_t n,
				    void *userdata);

/* @names must outlive the request. -ENOENT: no such slot; -E2BIG: too many names. */
int symbolizer_find_hooks(struct symbolizer *s, uint16_t slot, const char *const *names,
			  size_t n_names, symbolizer_hooks_fn done, void *userdata);

struct unwind_table;

/*
 * The file's unwind table (elf/unwind_table.h), compiled from its .eh_frame or .debug_frame. The
 * table is valid during the call. @error: -ENOEXEC not an ELF file, -ENODATA no call frame
 * information, -EFBIG over a limit, -ETIMEDOUT, -EPIPE the child died.
 */
typedef void (*symbolizer_unwind_fn)(int error, const struct unwind_table *table, void *userdata);

int symbolizer_compile_unwind(struct symbolizer *s, uint16_t slot, symbolizer_unwind_fn done,
			      void *userdata);

/*
 * What the file tells of the interpreter in it (python/file.h). Valid during the call. @error: -ENOENT it has
 * none, -ENOEXEC not an ELF file, -ETIMEDOUT, -EPIPE the child died.
 */
typedef void (*symbolizer_python_fn)(int error, const struct python_file *file, void *userdata);

int symbolizer_read_python(struct symbolizer *s, uint16_t slot, symbolizer_python_fn done,
			   void *userdata);

/*
 * Says which code Python frames with this number run; takes over @code, also on failure. Until then those
 * frames have no names. -EEXIST; -ENOSPC: too many; -ENOMEM.
 */
int symbolizer_add_code(struct symbolizer *s, uint32_t id, struct python_code *code);
/* All of them; codes.h says how they are listed. */
const struct codes *symbolizer_codes(const struct symbolizer *s);

/* Lower-case hex build-id of a file, NULL if it has none or nothing was asked of it yet. */
const char *symbolizer_build_id(struct symbolizer *s, uint16_t slot);

/*
 * Runs the event loop until nothing is pending or @timeout_ns has passed (-ETIMEDOUT). -EINTR: the
 * loop was told to break; -EBUSY: called from inside of the loop.
 */
int symbolizer_drain(struct symbolizer *s, uint64_t timeout_ns);

struct symbolizer_stats {
	uint64_t requests;
	uint64_t failed;   /* answered with an error */
	uint64_t children; /* started so far */
	uint64_t killed;   /* died or were ended for taking too long */
};

void symbolizer_get_stats(const struct symbolizer *s, struct symbolizer_stats *ret);

#endif
