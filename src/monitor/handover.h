/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From one life of the monitor to the next: what the kernel side does not know of targets, selectors,
 * files and trends, kept in memory files of the service manager's store (probe.h has the rest).
 *
 * Two records, each replaced as a whole: the state, written at every tick and soon after what matters in
 * it has changed; and what the detectors have learnt, written after each evaluation. What a killed
 * monitor had not written yet is found out by comparison with the kernel side and /proc.
 */
#ifndef SEEP_MONITOR_HANDOVER_H
#define SEEP_MONITOR_HANDOVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>
#include <sys/types.h>

struct monitor;
struct tracked;
struct twin;

struct handover {
	struct twin *state;  /* owned */
	struct twin *trends; /* owned */
	struct twin *codes;  /* owned: Python code that frames name by number */
	size_t n_codes;	     /* that are written */
	uint64_t codes_ns;   /* when they were, at last */
	uint64_t codes_took_ns;
	bool is_wanted;	 /* the state is to be written soon */
	bool has_failed; /* to be written, the last time */
	pid_t writer;	 /* of trends, a child; 0: none */
};

/*
 * At the start, after everything else: goes on where an earlier life was, and puts into the store what
 * the next one needs. Without a store nothing happens. -ENOMEM.
 */
int handover_start(struct monitor *m);
/* At the end: writes all there is to know, and leaves probes and maps as they are. */
void handover_leave(struct monitor *m);
void handover_stop(struct monitor *m);

/* Something of a target or selector has changed: written within some milliseconds. */
void handover_touch(struct monitor *m);
void handover_save(struct monitor *m); /* at once */
void handover_save_trends(struct monitor *m);

/* handover_write.c; NULL: no memory */
json_t *handover_write(const struct monitor *m);
/* handover_read.c: selectors and targets as they were. -EBADMSG for what is no state. */
int handover_read(struct monitor *m, json_t *state);
/* Then their probes and files, and what has happened meanwhile. @state: NULL if there is none. */
int handover_resume(struct monitor *m, json_t *state);
/* handover_codes.c */
int handover_write_codes(const struct monitor *m, struct twin *to);
int handover_read_codes(struct monitor *m, struct twin *from);
/* handover_trends.c */
int handover_write_trends(const struct monitor *m, struct twin *to);
int handover_read_trends(struct monitor *m, struct twin *from);

#endif
