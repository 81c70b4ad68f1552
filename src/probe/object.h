/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The loaded BPF object, inside of src/probe only.
 */
#ifndef SEEP_PROBE_OBJECT_H
#define SEEP_PROBE_OBJECT_H

#include <stdint.h>

#include "probe/broker.h"
#include "probe/probe.h"
#include "seep.skel.h"

#define PROBE_UNWIND_ROWS    (1u << 20) /* 8 MiB: about 50 MB of text */
#define PROBE_UNWIND_BUCKETS (1u << 18) /* one per 512 bytes of text, 128 MB of it */

/* Python code that is known at a time, of all targets; and numbers for new one, until notes were read. */
#define PROBE_CODES	 (1u << 14)
#define PROBE_FREE_CODES (1u << 12)

struct calibration;
struct ring_buffer;
struct takeover;

struct probe {
	struct seep_bpf *skel; /* owned */
	struct probe_features features;
	struct probe_options options;

	struct broker *broker; /* owned: sets the probes */
	uint64_t last_number;  /* of a struct probe_links */
	struct probe_links
		*links; /* all that are there, but those of windows; owned by who has them */

	struct broker *windows; /* owned: sets and removes those of windows */
	probe_window_fn on_window;
	void *on_window_userdata;

	struct calibration *calibration; /* owned; NULL: none (any more) */

	struct takeover *takeover; /* owned; NULL: there is no store */
	bool is_left;		   /* to the next life */

	struct ring_buffer *ring; /* owned */
	probe_note_fn on_note;
	void *on_note_userdata;

	/* Bump allocation of unwind_rows and unwind_buckets. */
	uint32_t rows_used;
	uint32_t buckets_used;

	/* Mapping sets: a free one is filled, then the target is pointed at it. */
	uint32_t n_mapping_sets;
	uint8_t *mapping_set_used; /* owned */

	/* Blocks of these targets are being removed. */
	uint32_t *dead; /* owned */
	size_t n_dead;
	size_t dead_in_pass; /* the first so many are covered by the pass under way */
	bool pass_started;
	struct block_key pass_token;
	struct block_key walk_token; /* of probe_walk_blocks_step() */
	bool walk_token_set;
};

struct probe_links {
	struct probe *probe; /* borrowed */
	struct probe_links *before, *after;
	pid_t pid; /* that they are filtered to; 0: any */
	size_t n;
	uint32_t meter;	 /* in the cookies */
	uint64_t number; /* under which the broker's child has copies */
	uint64_t window; /* not 0: the links are the window's, n of them were asked for */
	uint16_t slot;	 /* of their file; 0: not known */
	int fds[];	 /* owned; none of a window */
};

int links_attach(struct probe *p, uint32_t target, pid_t pid, uint16_t slot, int fd,
		 const struct probe_point *points, size_t n, uint64_t window,
		 struct probe_links **ret);

void links_enlist(struct probe_links *l);
void links_free(struct probe_links *l); /* only the memory */
/* Gives copies of all of them to the broker's child, which is another one than before. */
int links_hand_over_again(struct probe *p);

/*
 * Opens the object, the one for kernels before 5.17 if @legacy (bpf/compat.bpf.h). Both have the
 * same maps, programs and settings. NULL: errno says why.
 */
struct seep_bpf *object_open(bool legacy);

/* Makes a program, before it is loaded, one for links of a kind. */
void object_set_links(struct bpf_program *prog, enum probe_links_kind kind);

/*
 * Finds out what the kernel can do, sets sizes and programs, and loads; into the maps of an earlier life,
 * if there are any in @takeover (NULL: none).
 */
int object_load(const struct probe_options *options, struct takeover *takeover,
		struct probe_features *features, struct seep_bpf **ret, const char **ret_why);

/* takeover.c: what is taken over from an earlier life, by way of the service manager's store. */
struct takeover *takeover_new(struct fd_store *store);
struct takeover *takeover_free(struct takeover *t);
DEFINE_CLEANUP(struct takeover *, takeover_free)
bool takeover_may_be(const struct takeover *t); /* false for NULL */
bool takeover_is_on(const struct takeover *t);	/* once maps were reused; false for NULL */
/*
 * Before the object is loaded: its maps shall be those of the earlier life, if that had the same layout.
 * It is no failure if not.
 */
int takeover_reuse_maps(struct takeover *t, struct seep_bpf *skel,
			const struct probe_options *options, const struct probe_features *features);
/* The children that set probes, those of the earlier life if they are there; then, the object loaded: */
int takeover_start_brokers(struct probe *p);
int takeover_attach_tracepoints(struct probe *p);
/* What this side knows of the maps' contents besides. */
int takeover_read_maps(struct probe *p);

/* Attach types of uprobe_multi links, newer than Debian 12's headers. */
#define ATTACH_UPROBE_MULTI   48
#define ATTACH_UPROBE_SESSION 57
/* @kind is session or multi; only multi has links on returns alone. */
int link_create_multi(enum probe_links_kind kind, int prog_fd, const char *path,
		      const unsigned long *offsets, const uint64_t *cookies, uint32_t n,
		      bool on_return, pid_t pid);
int link_create_perf(int prog_fd, const char *path, uint64_t offset, bool on_return, pid_t pid);

/* Meters: the logarithms for sampling.h, the supply of free ones, one for a target and back. */
void meters_fill_table(uint32_t table[]);
int meters_fill(struct seep_bpf *skel);
int meters_take(struct probe *p, uint32_t *ret);
void meters_give_back(struct probe *p, uint32_t meter);
int meter_of(struct probe *p, uint32_t target, uint32_t *ret); /* -ENOENT */
/* Says whose it is; @tgid 0: nobody's. */
int meters_set_owner(struct probe *p, uint32_t meter, pid_t tgid, uint32_t target);

/* Where in its file a function of this program lies, and which file that is. */
struct own_mapping {
	uint64_t start;
	uint64_t end;
	uint64_t offset; /* of start, in the file */
	uint64_t dev;
	uint64_t inode;
};

int selftest_own_mapping(const void *function, struct own_mapping *ret);

struct calibration *calibration_free(struct calibration *c);
/* Whether these are of its child, which is nobody's target. */
bool calibration_has(const struct calibration *c, pid_t tgid, uint32_t target);

/* Python: a secret for the hashes of code, numbers for code. */
void python_set_seed(struct seep_bpf *skel);
int python_fill_codes(struct seep_bpf *skel);

/* Tries links of a kind on a function of this program. 0, or why it is not usable. */
int selftest_links(enum probe_links_kind kind, bool legacy);

#endif
