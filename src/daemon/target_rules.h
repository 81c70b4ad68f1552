/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Targets that files name: sections [Target] of the files in targets.d, each with one Selector= or more,
 * and how what they mean is traced and judged.
 */
#ifndef SEEP_DAEMON_TARGET_RULES_H
#define SEEP_DAEMON_TARGET_RULES_H

#include <stddef.h>

#include "daemon/problems.h"
#include "daemon/setting.h"
#include "monitor.h"

#define TARGET_SECTION	 "Target"
#define TARGET_RULES_MAX 1000

/* One selector. */
struct target_rule {
	char *selector; /* owned; as it is written, and valid */
	struct track_options how;
	char *path; /* owned: where it stands */
	unsigned line;
};

struct target_rules {
	struct target_rule *list; /* owned */
	size_t n;
};

void target_rules_done(struct target_rules *rules);
const struct target_rule *target_rules_find(const struct target_rules *rules,
					    const char *selector); /* NULL: none */

/* Every key of [Target] but Selector=. */
extern const struct setting target_settings[];
extern const size_t n_target_settings;

/* Adds those of one file. What is wrong goes to @problems. -ENOMEM. */
int target_rules_read(const char *path, struct target_rules *rules, struct problems *problems);

#endif
