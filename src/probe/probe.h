/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The only door to BPF: loads the programs, sets and removes probes, reads the maps.
 *
 * Owns the skeleton and the ring buffer. Knows processes by pid and targets by the id that the
 * kernel side gave them; what a target is to people is the monitor's business.
 */
#ifndef SEEP_PROBE_PROBE_H
#define SEEP_PROBE_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "../bpf/abi.h"
#include "base/cleanup.h"

struct fd_store;
struct probe;
struct unwind_table;

enum probe_links_kind {
	PROBE_LINKS_SESSION, /* uprobe session links, kernel 6.13: a return is probed if wanted */
	PROBE_LINKS_MULTI,   /* uprobe_multi links, kernel 6.6 and later */
	PROBE_LINKS_PERF,    /* one perf event per probe */
};

const char *probe_links_name(enum probe_links_kind kind); /* "session", "multi", "perf" */

/* Births are kept to a third of it. */
#define AGE_TICK_MIN_NS 50000000ull

struct probe_options {
	uint32_t max_blocks;
	uint32_t max_sites;
	uint32_t max_threads;
	uint32_t max_targets;
	uint32_t max_frames; /* 1 .. ABI_MAX_FRAMES */
	uint32_t ring_bytes; /* a power of two of pages */
	uint64_t
		age_tick_ns; /* the detector's tick, unit of ages at free; at least AGE_TICK_MIN_NS */
	const char *force_links; /* NULL: the self-test decides; else one of probe_links_name() */
	bool force_legacy;	 /* the programs for kernels before 5.17, for tests */
	struct fd_store
		*store; /* borrowed, for the next life; NULL: there will be none. See below */
};

/* What the kernel has, found by trying. */
struct probe_features {
	enum probe_links_kind links;
	bool legacy; /* kernel before 5.17: other programs, see bpf/compat.bpf.h */
	bool preempt_disable;
	bool find_vma;
	bool map_prealloc;
};

/*
 * -EPERM, -ENOENT (no BTF), -EOPNOTSUPP; *ret_why, if wanted, is then a static sentence saying what
 * is missing and what to do.
 */
int probe_new(const struct probe_options *options, struct probe **ret, const char **ret_why);
struct probe *probe_free(struct probe *p);
DEFINE_CLEANUP(struct probe *, probe_free)

const struct probe_features *probe_get_features(const struct probe *p);

/* --- targets ----------------------------------------------------------------------------------- */

/* A new id, with counters of its own; nothing is counted until it is armed. -ENOSPC. */
int probe_new_target(struct probe *p, uint32_t *ret_id);

/*
 * How a target's calls are taken (CONTROL_EXACT from the start). Takes effect with the next call; blocks
 * that were taken before keep their weights. The interval is kept within SAMPLING_INTERVAL_MIN and
 * _MAX. -ENOENT: no such target.
 */
int probe_set_control(struct probe *p, uint32_t target, const struct target_control *control);
int probe_get_control(struct probe *p, uint32_t target, struct target_control *ret);

/* Sums over all CPUs since the target began; what belongs to one CPU only is 0. -ENOENT. */
int probe_read_meter(struct probe *p, uint32_t target, struct target_meter *ret);

/*
 * Arms the probes for a process: blocks are counted from here on.
 * -EEXIST: it is armed already; -ENOSPC: no room.
 */
int probe_arm(struct probe *p, pid_t tgid, uint32_t id, uint32_t flags, uint32_t parent);

/*
 * The process is no longer a target; its blocks stay until probe_purge_start(). -ENOENT: it is not
 * armed under this id (any more).
 */
int probe_disarm(struct probe *p, pid_t tgid, uint32_t id);

int probe_get_target(struct probe *p, pid_t tgid, struct target_entry *ret);

/* Calls back for each armed process. Stops at the first non-zero result and returns it. */
int probe_each_target(struct probe *p,
		      int (*callback)(pid_t tgid, const struct target_entry *, void *),
		      void *userdata);

/* --- prices ------------------------------------------------------------------------------------ */

/* What a hit costs on this machine, ns, on a processor of its own. */
struct probe_prices {
	double skip_ns;	  /* an allocation call that is not followed, at an emulated instruction */
	double return_ns; /* what following it to its return adds */
	double block_ns;  /* what taking its block adds, with a stack of one frame */
	double free_ns;	  /* a free of a block that is not known, at an emulated instruction */
	double step_ns;	  /* what an instruction adds that the kernel must single-step */
	double window_ns; /* what setting and removing the probes costs a thread that hits them */
};

/*
 * Measured on functions of this program in a child of it, with the very programs that targets get;
 * takes about half a second. The window is one of the C library's functions.
 */
int probe_calibrate(struct probe *p, struct probe_prices *ret);

/*
 * Measures them again, but the window's, without waiting; the child that probe_calibrate() has left takes a
 * millisecond for it. -EAGAIN: it has not answered yet; -EPIPE: there is no such child.
 */
int probe_ask_prices(struct probe *p);
/* Readable when it has answered; -EBADF: there is no such child. */
int probe_prices_fd(const struct probe *p);
/* All but ret->window_ns. -EAGAIN: not yet; -EPIPE: the child has died, the descriptor is closed. */
int probe_read_prices(struct probe *p, struct probe_prices *ret);

/* --- probes ------------------------------------------------------------------------------------ */

struct probe_point {
	uint64_t offset; /* in the file */
	enum hook_kind kind;
	bool emulated; /* the instruction there, see elf/placement.h; else it is single-stepped */
	bool calls_hooks; /* may call another point's function while it runs, see elf/nesting.h */
};

/* Links of one file in one process; removing them waits for the kernel (tens of milliseconds). */
struct probe_links;

/*
 * Sets probes on the file open at @fd, filtered to one process; @pid 0 means every process that
 * maps the file, which only suits a file that is private to the targets. @target, if it is known whose
 * probes they are (else 0), makes them cheaper. Points at one offset with one kind are set once.
 */
int probe_attach(struct probe *p, uint32_t target, pid_t pid, int fd,
		 const struct probe_point *points, size_t n, struct probe_links **ret);
/* The same, for a target that the next life shall take over; @slot: of the file. */
int probe_attach_slot(struct probe *p, uint32_t target, pid_t pid, uint16_t slot, int fd,
		      const struct probe_point *points, size_t n, struct probe_links **ret);
struct probe_links *probe_links_free(struct probe_links *l);
DEFINE_CLEANUP(struct probe_links *, probe_links_free)

/*
 * The same for many at once, each of which may be NULL, and is NULL then: one after the other they would
 * all wait for the kernel.
 */
void probe_links_free_all(struct probe *p, struct probe_links **links, size_t n);

/*
 * Windows: probes that come for a moment and go, set and removed without waiting. A window is any
 * number but 0; it is opened file by file. *ret_asked is how many answers will come, each a call of
 * the listener, which is told whether one link was created (or why not); a close is answered once.
 * What was opened in vain is closed by closing the window. -EAGAIN: too much is waiting, try later.
 */
int probe_window_open(struct probe *p, uint64_t window, uint32_t target, pid_t pid, int fd,
		      const struct probe_point *points, size_t n, size_t *ret_asked);
int probe_window_close(struct probe *p, uint64_t window);

/*
 * Makes links part of a window, so that they go when it is closed; takes over @l. If too much is
 * waiting already, they go at once, which is waited for.
 */
void probe_window_take(struct probe *p, uint64_t window, struct probe_links *l);

enum probe_window_event {
	PROBE_WINDOW_LINK,   /* a link was created, or not: @error */
	PROBE_WINDOW_CLOSED, /* all of its probes are gone */
};

typedef void (*probe_window_fn)(uint64_t window, enum probe_window_event event, int error,
				void *userdata);

void probe_listen_to_windows(struct probe *p, probe_window_fn callback, void *userdata);
/* Readable when there are answers. */
int probe_windows_fd(const struct probe *p);
/*
 * Calls the listener for each answer. -EPIPE: the process that sets them has died, and all windows are
 * closed or will be in a moment; no answers are to come.
 */
int probe_read_windows(struct probe *p);
/*
 * Starts that process again: 0, all windows are closed, and probe_windows_fd() is another one. -EAGAIN: try
 * again in a second. -EPIPE: it has died too often.
 */
int probe_revive_windows(struct probe *p);

/* --- from one life to the next ------------------------------------------------------------------ */

/*
 * With a store, what the kernel side has outlives this process: maps, tracepoints and a socket to each of
 * the children that set probes lie in the store, beside a stamp that says for what layout and sizes they
 * were made. probe_new() then goes on with them: blocks, sites, stacks, targets, slots and tables are as
 * they were, and probes have been there all the time. It begins afresh if there is nothing, if something
 * is missing, or if the stamp is another one; then all of it is removed from the store, and the
 * children, whom nobody knows any more, remove the old probes.
 */
bool probe_is_taken_over(const struct probe *p);
/* Why not, though there was something: a static sentence; NULL: it was, or there was nothing. */
const char *probe_why_afresh(const struct probe *p);

/* Puts into the store what is not there yet; to be called again when a child was started again. */
int probe_store(struct probe *p);

/*
 * The links on one file of a process that an earlier life has left: call until it returns NULL. *ret_slot:
 * of the file.
 */
struct probe_links *probe_take_links(struct probe *p, pid_t pid, uint16_t *ret_slot);
/* Whether a window of an earlier life has probes; it is then this life's. */
bool probe_take_window(struct probe *p, uint64_t window);
/*
 * Removes what nobody has taken: links, windows, and blocks and sites of ids that are unknown even to
 * the kernel side (probe_purge_step() has to follow). O(blocks).
 */
int probe_drop_untaken(struct probe *p);

/* probe_free() will leave everything to who has the store. */
void probe_leave(struct probe *p);

/* --- files and mappings ------------------------------------------------------------------------- */

/* The slot of a file, a new one if it has none. -ENOSPC: no slots left. */
int probe_file_slot(struct probe *p, uint64_t dev, uint64_t inode, uint16_t *ret);

/* Makes a file's unwind table known to the kernel side. -ENOSPC: no room for the rows. */
int probe_publish_table(struct probe *p, uint16_t slot, const struct unwind_table *table);

/* Says how frames in a file without a table are left. */
int probe_set_unwind_mode(struct probe *p, uint16_t slot, enum unwind_mode mode);

/* Which file the vDSO is, and how large. */
void probe_set_vdso(struct probe *p, uint16_t slot, uint32_t bytes);

struct probe_mapping {
	uint64_t start;
	uint64_t end;
	uint64_t offset; /* in the file, bytes */
	uint16_t slot;
};

/*
 * Replaces what the kernel side knows of a target's executable mappings (ascending; at most
 * ABI_MAX_MAPPINGS are published, the rest is looked up in the kernel where it can).
 */
int probe_publish_mappings(struct probe *p, uint32_t target, const struct probe_mapping *mappings,
			   size_t n);

/* Forgets what was published: each address is looked up in the kernel until there is more. */
void probe_drop_mappings(struct probe *p, uint32_t target);

/* Whether any mappings are published: the kernel side drops them when libraries come or go. */
bool probe_has_mappings(struct probe *p, uint32_t target);

/*
 * What the kernel side needs to walk the Python frames of a target; a forked child has the same until it
 * executes another image. -ENOSPC: no room.
 */
int probe_publish_python(struct probe *p, uint32_t target, const struct python_target *python);
bool probe_has_python(struct probe *p, uint32_t target);
void probe_drop_python(struct probe *p, uint32_t target);

/*
 * One more number for code, in place of one that a NOTE_CODE has used. Without any left, new code is counted as
 * LOSS_PYTHON_CODE. -ENOSPC: all were given.
 */
int probe_give_code(struct probe *p);

/* --- bursts ------------------------------------------------------------------------------------ */

/*
 * Constructions of one Python type in one process, by points of HOOK_OBJECT and HOOK_MAKER that a window sets
 * (before or after). One burst at a time: beginning one ends another. What the programs fill in of @b does not
 * count; max_taken is at most CONSTRUCTIONS_MAX, else -EINVAL.
 */
int probe_burst_begin(struct probe *p, const struct burst *b);
/* How far it is. */
int probe_burst_read(struct probe *p, struct burst *ret);

/* Ends it, and calls back for each construction, in order. Number of them, or a negative errno. */
typedef void (*probe_construction_fn)(const struct construction *c, void *userdata);
int probe_burst_end(struct probe *p, probe_construction_fn callback, void *userdata);

/* --- reading ------------------------------------------------------------------------------------ */

/* Each site once, in no order; O(sites). Stops at the first negative result and returns it. */
typedef int (*probe_site_fn)(uint64_t stack, const struct site_totals *totals, void *userdata);
int probe_read_sites(struct probe *p, probe_site_fn callback, void *userdata);

/* -ENOENT. *ret is filled up to ret->n frames. */
int probe_read_stack(struct probe *p, uint64_t key, struct stack *ret);

int probe_read_counters(struct probe *p, uint32_t target, struct target_counters *ret);

/*
 * Each id that has counters, armed or not: those that user space never heard of are found so.
 * Stops at the first negative result and returns it.
 */
int probe_each_id(struct probe *p, int (*callback)(uint32_t id, void *), void *userdata);

/* Each outstanding block; O(blocks). Blocks that come or go meanwhile may be missed. */
typedef int (*probe_block_fn)(const struct block_key *key, const struct block *block,
			      void *userdata);
int probe_read_blocks(struct probe *p, probe_block_fn callback, void *userdata);

/*
 * The same in steps of a millisecond or so, one walk at a time: begin, then step until it returns 0. 1:
 * there is more.
 */
int probe_walk_blocks_begin(struct probe *p);
int probe_walk_blocks_step(struct probe *p, probe_block_fn callback, void *userdata);

/*
 * Forgets a target that is gone: its site entries and counters at once, its blocks by
 * probe_purge_step(), which returns 1 as long as there is more to do.
 */
int probe_purge_start(struct probe *p, uint32_t target);
int probe_purge_step(struct probe *p);

/* --- notes -------------------------------------------------------------------------------------- */

typedef void (*probe_note_fn)(const struct note *note, void *userdata);

/* One listener. */
int probe_listen(struct probe *p, probe_note_fn callback, void *userdata);
/* Readable when there are notes. */
int probe_notes_fd(const struct probe *p);
/* Calls the listener for each waiting note. Number of notes, or a negative errno. */
int probe_read_notes(struct probe *p);

#endif
