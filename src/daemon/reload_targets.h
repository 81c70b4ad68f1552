/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the targets that files name to what is tracked. */
#ifndef SEEP_DAEMON_RELOAD_TARGETS_H
#define SEEP_DAEMON_RELOAD_TARGETS_H

struct monitor;
struct target_rules;

/*
 * Tracks what the rules say, in their way, and untracks what was tracked by a file and is in none any
 * more. What is tracked by hand stays as it is. A selector that cannot be tracked is logged.
 */
void reload_targets(struct monitor *m, const struct target_rules *rules);

#endif
