/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Feeds the detector (src/detect) with what the kernel side sees, and tells what it finds.
 *
 * A tick of the detector reads sites and memory. When an evaluation is due all live blocks are walked
 * once, in steps between other work; then every target that asked for it is judged.
 */
#ifndef SEEP_MONITOR_DETECT_H
#define SEEP_MONITOR_DETECT_H

#include <stdbool.h>
#include <stdint.h>

#include "detect/detector.h"
#include "trend/site.h"

struct monitor;
struct site;
struct tracked;

int detect_start(struct monitor *m); /* the timer; -ENOMEM */
void detect_stop(struct monitor *m); /* ends all lives, keeps what they taught */

/* A target's life is over, or its watch: what it taught is kept. */
void detect_end(struct monitor *m, struct tracked *t, enum trend_end how);

struct detector_options detect_options(struct monitor *m, struct tracked *t);

struct monitor_info;
void detect_get_info(const struct monitor *m, struct monitor_info *ret);

/* A step of the walk under way. True: there is more. */
bool detect_step(struct monitor *m);

/* names.c: ids and names of stacks. False: their names are on their way; called again later. */
bool names_identify(struct monitor *m, struct site *s);

/* What the process is judged against. */
struct detector_process;
void detect_read_process(const struct tracked *t, struct detector_process *ret);

/* tell.c: from a finding to an alert, once its frames have names. */
struct detector_finding;
int tell_finding(struct monitor *m, struct tracked *t, const struct detector_finding *f);
void tell_forget_all(struct monitor *m);
void tell_ended(struct monitor *m, struct tracked *t);
uint64_t wall_ms(void);
/* For others that make alerts: the process, -ENOMEM; its life, of which tick 0 was at @origin_ns. */
struct alert;
int tell_describe_target(struct alert *a, const struct tracked *t);
void tell_describe_life(struct alert *a, const struct monitor *m, uint64_t origin_ns);
/* Into the book and the history; takes over @a. */
int tell_take(struct monitor *m, struct alert *a, enum trend_event event);

/* keep.c: book, events, history */
int tell_start(struct monitor *m);
void tell_stop(struct monitor *m);
void keep_alert(struct monitor *m, const struct alert *a, uint64_t now_ms);
void keep_flush(struct monitor *m);
/*
 * Open alerts of earlier lives of seepd that no process has shown since: after a day; where the service is
 * watched, not before it would have been found again.
 */
void tell_close_unseen(struct monitor *m);

/* points.c: into the history, at each tick of the monitor */
void points_take(struct monitor *m);

#endif
