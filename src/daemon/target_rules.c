// SPDX-License-Identifier: GPL-2.0-or-later
/* Targets that files name. See target_rules.h. */
#include "daemon/target_rules.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../bpf/abi.h" /* SAMPLING_INTERVAL_MIN */
#include "base/cleanup.h"
#include "daemon/config_file.h"
#include "target/selector.h"

#define SECOND_NS 1000000000.0
#define YEAR_NS	  (365 * 24 * 3600 * SECOND_NS)
#define SELECTOR  "Selector"

#define FIELD(member) SETTING_FIELD(struct target_fields, member)

/* As the keys of a section set it. */
struct target_fields {
	struct track_options how;
	unsigned mode; /* place in mode_words, from 1 on */
};

/* The modes of enum track_mode, in its order. */
static const char *const mode_words[] = { "governed", "exact", "sampled", NULL };

const struct setting target_settings[] = {
	{ TARGET_SECTION, "Mode", NULL, SETTING_WORD, FIELD(mode), .words = mode_words,
	  .form = "governed, exact or sampled", .is_live = true },
	{ TARGET_SECTION, "Budget", NULL, SETTING_PERCENT, FIELD(how.budget_ratio), .least = 0.0001,
	  .most = TRACK_BUDGET_MAX, .form = "a percentage from 0.01 to 100", .is_live = true },
	{ TARGET_SECTION, "SamplingInterval", NULL, SETTING_SIZE, FIELD(how.sampling_interval),
	  .least = SAMPLING_INTERVAL_MIN, .most = SAMPLING_INTERVAL_MAX,
	  .form = "a size from 1K to 1G", .is_live = true },
	{ TARGET_SECTION, "Follow", NULL, SETTING_SWITCH, FIELD(how.follow), .form = "yes or no",
	  .is_live = true },
	{ TARGET_SECTION, "Limit", NULL, SETTING_SIZE, FIELD(how.limit_bytes),
	  .least = TRACK_LIMIT_MIN, .most = (double)(1ull << 50), .form = "a size from 1M to 1024T",
	  .is_live = true },
	{ TARGET_SECTION, "Confidence", NULL, SETTING_PERCENT,
	  FIELD(how.thresholds.least_confidence), .form = "a percentage above 0, at most 100",
	  .is_live = true },
	{ TARGET_SECTION, "LeastBlocks", NULL, SETTING_COUNT, FIELD(how.thresholds.least_blocks),
	  .least = 1, .most = 1000000, .form = "a number from 1 to 1000000", .is_live = true },
	{ TARGET_SECTION, "LongestToLimit", NULL, SETTING_DURATION,
	  FIELD(how.thresholds.longest_to_limit_ns), .least = 60 * SECOND_NS, .most = 100 * YEAR_NS,
	  .form = "a duration from 1min to 36500d", .is_live = true },
};

const size_t n_target_settings = ARRAY_SIZE(target_settings);

/* The section at hand; its selectors are the rules from .first on. */
struct reading {
	const char *path;
	struct target_rules *rules;
	struct problems *problems;
	struct target_fields fields;
	size_t first;
	size_t rejected; /* selectors of this section that are not taken */
	unsigned line;	 /* of the section; 0: there was none yet */
	bool is_known;	 /* it is [Target] */
	int error;
};

void target_rules_done(struct target_rules *rules)
{
	for (size_t i = 0; i < rules->n; i++) {
		free(rules->list[i].selector);
		free(rules->list[i].path);
	}
	free(rules->list);
	*rules = (struct target_rules){ .n = 0 };
}

const struct target_rule *target_rules_find(const struct target_rules *rules, const char *selector)
{
	for (size_t i = 0; i < rules->n; i++)
		if (strcmp(rules->list[i].selector, selector) == 0)
			return &rules->list[i];
	return NULL;
}

static int add_rule(struct reading *in, const char *selector, unsigned line)
{
	struct target_rules *rules = in->rules;
	struct target_rule *grown = reallocarray(rules->list, rules->n + 1, sizeof(*rules->list));
	struct target_rule rule = { .line = line };

	if (!grown)
		return -ENOMEM;
	rules->list = grown;
	rule.selector = strdup(selector);
	rule.path = strdup(in->path);
	grown[rules->n++] = rule;
	return rule.selector && rule.path ? 0 : -ENOMEM;
}

static void take_selector(struct reading *in, const char *text, unsigned line)
{
	_cleanup_(selector_freep) struct selector *selector = NULL;
	const struct target_rule *other;
	const char *why = "it is not understood";
	int r;

	in->rejected++;
	r = selector_parse(text, &selector, &why);
	if (r == -EINVAL) {
		problems_add(in->problems, in->path, line, "'%.64s' names no process: %s", text,
			     why);
		return;
	}
	other = target_rules_find(in->rules, text);
	if (r == 0 && other) {
		problems_add(in->problems, in->path, line, "'%.64s' is a target already, by %s:%u",
			     text, other->path, other->line);
		return;
	}
	if (r == 0 && in->rules->n >= TARGET_RULES_MAX) {
		problems_add(in->problems, in->path, line, "there are more than %d selectors",
			     TARGET_RULES_MAX);
		return;
	}
	if (r == 0)
		r = add_rule(in, text, line);
	in->rejected--;
	in->error = r < 0 ? r : in->error;
}

/* What the API refuses, too: numbers that the mode has no use for. */
static void check_fields(const struct reading *in)
{
	const struct track_options *how = &in->fields.how;

	if (how->sampling_interval && how->mode != TRACK_SAMPLED)
		problems_add(in->problems, in->path, in->line,
			     "SamplingInterval= goes with Mode=sampled only");
	if (how->budget_ratio > 0 && how->mode != TRACK_GOVERNED)
		problems_add(in->problems, in->path, in->line,
			     "Budget= goes with Mode=governed only");
}

static void end_section(struct reading *in)
{
	size_t n = in->rules->n - in->first;

	if (!in->is_known)
		return;
	if (n == 0 && in->rejected == 0)
		problems_add(in->problems, in->path, in->line,
			     "the section has no " SELECTOR "=, so it is about no process");
	in->fields.how.mode =
		in->fields.mode ? (enum track_mode)(in->fields.mode - 1) : TRACK_GOVERNED;
	in->fields.how.is_configured = true;
	check_fields(in);
	for (size_t i = in->first; i < in->rules->n; i++)
		in->rules->list[i].how = in->fields.how;
}

static void on_section(void *userdata, const char *name, unsigned line)
{
	struct reading *in = userdata;

	end_section(in);
	in->fields = (struct target_fields){ .mode = 0 };
	in->first = in->rules->n;
	in->rejected = 0;
	in->line = line;
	in->is_known = strcmp(name, TARGET_SECTION) == 0;
	if (!in->is_known && *name)
		problems_add(in->problems, in->path, line,
			     "there is no section [%s] here, only [" TARGET_SECTION "]", name);
}

static void on_value(void *userdata, const char *key, const char *value, unsigned line)
{
	struct reading *in = userdata;
	const struct setting *s =
		setting_find(target_settings, n_target_settings, TARGET_SECTION, key);
	char why[SETTING_WHY_MAX] = "";

	if (in->line && !in->is_known)
		return; /* its section was complained about */
	if (!in->line) {
		problems_add(in->problems, in->path, line, "%.64s= stands before the first section",
			     key);
	} else if (strcmp(key, SELECTOR) == 0) {
		take_selector(in, value, line);
	} else if (s && !*value) {
		setting_reset(s, &in->fields);
	} else if (s) {
		if (setting_take(s, &in->fields, value, why) < 0)
			problems_add(in->problems, in->path, line, "%s=: %s", key, why);
	} else {
		s = setting_suggest(target_settings, n_target_settings, TARGET_SECTION, key);
		problems_add(in->problems, in->path, line,
			     "[" TARGET_SECTION "] has no %.64s=%s%s%s", key,
			     s ? "; did you mean " : "", s ? s->key : "", s ? "=?" : "");
	}
}

int target_rules_read(const char *path, struct target_rules *rules, struct problems *problems)
{
	struct reading in = {
		.path = path,
		.rules = rules,
		.problems = problems,
		.first = rules->n,
	};
	const struct config_file_reader reader = { on_section, on_value, &in };
	int r;

	r = config_file_read(path, &reader, problems);
	end_section(&in);
	return r < 0 ? r : in.error;
}
