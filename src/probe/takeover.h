/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is taken over from an earlier life; for takeover.c and takeover_links.c only. */
#ifndef SEEP_PROBE_TAKEOVER_H
#define SEEP_PROBE_TAKEOVER_H

#include "probe/object.h"

#define STAMP_BYTES 1024

enum tracepoint {
	TRACEPOINT_FORK,
	TRACEPOINT_EXEC,
	TRACEPOINT_EXIT,
	TRACEPOINTS
};

/* A link that the child of an earlier life has. */
struct found_link {
	uint64_t number;
	pid_t pid;
	uint16_t slot;
	int fd; /* owned; -EBADF: taken */
};

struct takeover {
	struct fd_store *store; /* borrowed */
	bool is_on;
	bool is_stored; /* maps, tracepoints and stamp */
	const char *why_afresh;
	char layout[STAMP_BYTES]; /* this life's stamp: what must be equal, */
	uint64_t programs;	  /* and a hash of the programs */
	uint64_t old_programs;
	uint64_t seed;		      /* of Python code's hashes: the first life's */
	int tracepoints[TRACEPOINTS]; /* owned: of an earlier life */
	/* How often the child was started that the store has a socket of. */
	uint32_t stored_starts[2];
	uint32_t held_starts;	  /* of the child that has all links */
	struct found_link *found; /* owned */
	size_t n_found;
	uint64_t *windows; /* owned: numbers, once per link; 0: taken */
	size_t n_windows;
};

/* takeover_links.c: into the store, and started again if one has died */
int takeover_store_brokers(struct probe *p);

#endif
