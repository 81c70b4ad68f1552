// SPDX-License-Identifier: GPL-2.0-or-later
/* From files to what is tracked. See reload_targets.h. */
#include "daemon/reload_targets.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "daemon/target_rules.h"
#include "monitor.h"
#include "target/selector.h"

/* What is tracked now. Texts are borrowed until something is untracked. */
struct tracked_now {
	struct monitor_selector *list; /* owned */
	size_t n;
};

static int read_tracked(struct monitor *m, struct tracked_now *ret)
{
	size_t n = monitor_selectors(m, NULL, 0);

	ret->list = calloc(n + 1, sizeof(*ret->list));
	if (!ret->list)
		return -ENOMEM;
	ret->n = monitor_selectors(m, ret->list, n);
	return 0;
}

static void tracked_now_done(struct tracked_now *t)
{
	free(t->list);
}

static const struct monitor_selector *find(const struct tracked_now *t, const char *text)
{
	for (size_t i = 0; i < t->n; i++)
		if (strcmp(t->list[i].text, text) == 0)
			return &t->list[i];
	return NULL;
}

/* One of those that are in no file any more; false: there is none. */
static bool drop_one(struct monitor *m, const struct target_rules *rules)
{
	_cleanup_(tracked_now_done) struct tracked_now now = { .n = 0 };
	_cleanup_free_ char *text = NULL;
	int r;

	r = read_tracked(m, &now);
	for (size_t i = 0; r == 0 && i < now.n && !text; i++) {
		if (!now.list[i].is_configured || target_rules_find(rules, now.list[i].text))
			continue;
		text = strdup(now.list[i].text);
		r = text ? 0 : -ENOMEM;
	}
	if (r == 0 && text) {
		log_info("no file names '%s' any more", text);
		r = monitor_untrack(m, text);
	}
	if (r < 0)
		log_warning_errno(r, "failed to untrack what no file names any more");
	return r == 0 && text;
}

static void track(struct monitor *m, const struct target_rule *rule)
{
	struct selector *selector = NULL;
	int r;

	r = selector_parse(rule->selector, &selector, NULL);
	if (r == 0)
		r = monitor_track(m, selector, &rule->how, NULL, NULL);
	if (r == -EEXIST)
		log_info("%s:%u: a process of '%s' is tracked already", rule->path, rule->line,
			 rule->selector);
	else if (r < 0)
		log_error_errno(r, "%s:%u: failed to track '%s'", rule->path, rule->line,
				rule->selector);
}

static void follow_rule(struct monitor *m, const struct tracked_now *now,
			const struct target_rule *rule)
{
	const struct monitor_selector *s = find(now, rule->selector);

	if (!s)
		track(m, rule);
	else if (s->is_configured)
		(void)monitor_retune(m, rule->selector, &rule->how);
	else
		log_info("%s:%u: '%s' is tracked by hand, and stays so", rule->path, rule->line,
			 rule->selector);
}

void reload_targets(struct monitor *m, const struct target_rules *rules)
{
	_cleanup_(tracked_now_done) struct tracked_now now = { .n = 0 };

	while (drop_one(m, rules))
		;
	if (read_tracked(m, &now) < 0) {
		log_error("out of memory, the targets stay as they are");
		return;
	}
	for (size_t i = 0; i < rules->n; i++)
		follow_rule(m, &now, &rules->list[i]);
}
