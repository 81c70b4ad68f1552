// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Goes on where an earlier life was: selectors, targets, files.
 *
 * The kernel side has gone on meanwhile, and is right: what is armed under its old id is what it was;
 * what is not has exited, or executed another image, which its notes tell, or else the comparison.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "alert/book.h"
#include "base/log.h"
#include "monitor/detect.h"
#include "monitor/handover.h"
#include "monitor/handover_state.h"
#include "monitor/state.h"

/* What is not there is 0, as it is where nothing was said. */
static int read_thresholds(json_t *o, struct detector_thresholds *ret)
{
	json_int_t blocks = 0, longest = 0;
	double confidence = 0;

	if (json_unpack(o, "{s?F, s?I, s?I}", "least_confidence", &confidence, "least_blocks",
			&blocks, "longest_to_limit", &longest) < 0 ||
	    !(confidence >= 0 && confidence <= 1) || blocks < 0 || blocks > UINT32_MAX ||
	    longest < 0)
		return -EBADMSG;
	*ret = (struct detector_thresholds){
		.least_confidence = confidence,
		.least_blocks = (uint32_t)blocks,
		.longest_to_limit_ns = (uint64_t)longest,
	};
	return 0;
}

static int read_options(json_t *o, struct track_options *ret)
{
	int follow = 0, mode = 0, configured = 0;
	json_int_t interval = 0, limit = 0;
	double budget = 0;

	if (json_unpack(o, "{s?b, s?i, s?I, s?F, s?I, s?b}", "follow", &follow, "mode", &mode,
			"interval", &interval, "budget", &budget, "limit", &limit, "configured",
			&configured) < 0 ||
	    mode < TRACK_GOVERNED || mode > TRACK_SAMPLED || interval < 0 ||
	    interval > UINT32_MAX || !(budget >= 0 && budget <= TRACK_BUDGET_MAX) || limit < 0)
		return -EBADMSG;
	*ret = (struct track_options){
		.follow = follow,
		.mode = (enum track_mode)mode,
		.sampling_interval = (uint32_t)interval,
		.budget_ratio = budget,
		.limit_bytes = (uint64_t)limit,
		.is_configured = configured,
	};
	return read_thresholds(o, &ret->thresholds);
}

/* --- selectors ------------------------------------------------------------------------------------ */

static int read_left_out(json_t *list, struct watch *w)
{
	size_t i;
	json_t *entry;

	w->left_out = calloc(json_array_size(list) + 1, sizeof(*w->left_out));
	if (!w->left_out)
		return -ENOMEM;
	json_array_foreach(list, i, entry) {
		json_int_t pid, start;

		if (json_unpack(entry, "[I, I]", &pid, &start) < 0)
			return -EBADMSG;
		w->left_out[w->n_left_out++] = (struct process_name){
			.pid = (pid_t)pid,
			.start_ticks = (uint64_t)start,
		};
	}
	return 0;
}

static int read_each(struct monitor *m, json_t *list, int (*read)(struct monitor *m, json_t *entry))
{
	json_t *entry;
	size_t i;
	int r = 0;

	json_array_foreach(list, i, entry) {
		if (r == 0)
			r = read(m, entry);
	}
	return r;
}

static int read_watch(json_t *o, struct watch **ret)
{
	json_t *options, *left_out;
	struct watch *w;
	const char *text;
	int r;

	if (json_unpack(o, "{s:s, s:o, s:o}", "selector", &text, "options", &options, "left_out",
			&left_out) < 0)
		return -EBADMSG;
	w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	r = read_options(options, &w->options);
	if (r == 0)
		r = selector_parse(text, &w->selector, NULL);
	if (r == 0)
		r = read_left_out(left_out, w);
	if (r < 0) {
		selector_free(w->selector);
		free(w->left_out);
		free(w);
		return r;
	}
	*ret = w;
	return 0;
}

/* In the order that they have in the state, so that targets can name theirs by its index. */
static int read_watches(struct monitor *m, json_t *list)
{
	struct watch **at = &m->watches;
	json_t *entry;
	size_t i;
	int r;

	json_array_foreach(list, i, entry) {
		r = read_watch(entry, at);
		if (r < 0)
			return r;
		at = &(*at)->next;
	}
	return 0;
}

static struct watch *watch_at(const struct monitor *m, int index)
{
	struct watch *w = index < 0 ? NULL : m->watches;

	while (w && index-- > 0)
		w = w->next;
	return w;
}

/* --- files ---------------------------------------------------------------------------------------- */

/* The path is trusted only if device and inode agree. */
static int open_file(const char *path, uint64_t dev, uint64_t inode)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_ino != inode ||
	    ((uint64_t)major(st.st_dev) << 20 | minor(st.st_dev)) != dev)
		return -ESTALE;
	return TAKE_FD(fd);
}

/* Those that are still mapped were opened before, by way of who maps them. */
static int read_file(struct monitor *m, json_t *entry)
{
	json_int_t slot, dev, inode;
	const char *path;
	uint16_t known;
	int fd, r;

	if (json_unpack(entry, "[I, I, I, s]", &slot, &dev, &inode, &path) < 0 || slot <= 0 ||
	    slot > FILE_SLOT_MAX)
		return -EBADMSG;
	if (file_table_get(m->files, (uint16_t)slot))
		return 0;
	if (probe_file_slot(m->probe, (uint64_t)dev, (uint64_t)inode, &known) < 0 || known != slot)
		return 0;
	fd = open_file(path, (uint64_t)dev, (uint64_t)inode);
	if (fd < 0)
		log_debug_errno(fd, "%s has gone meanwhile, its frames will have no names", path);
	r = file_table_add(m->files, (uint16_t)slot, (uint64_t)dev, (uint64_t)inode, path,
			   fd < 0 ? -EBADF : fd, -EBADF, NULL);
	return r == -ENOMEM ? r : 0;
}

/* --- targets -------------------------------------------------------------------------------------- */

/* Members that are not there, or null, stay NULL. */
static int copy_text(json_t *o, const char *key, char **to)
{
	const char *text = json_string_value(json_object_get(o, key));

	*to = text ? strdup(text) : NULL;
	return text && !*to ? -ENOMEM : 0;
}

/* Of who is gone there is nothing else to describe it by. */
static int read_names(json_t *o, struct target *target)
{
	const char *comm = json_string_value(json_object_get(o, "comm"));

	(void)snprintf(target->comm, sizeof(target->comm), "%s", comm ?: "");
	target->uid = (uid_t)json_integer_value(json_object_get(o, "uid"));
	return copy_text(o, "exe", &target->exe) < 0 || copy_text(o, "unit", &target->unit) < 0 ||
			       copy_text(o, "cgroup", &target->cgroup) < 0 ||
			       copy_text(o, "container", &target->container) < 0 ?
		       -ENOMEM :
		       0;
}

static int read_figures(json_t *o, struct tracked *t)
{
	int from_start = 0, armed = 0, missed = 0, steady = 0, windows = 0, mode = 0;
	json_int_t unseen = 0, attached = 0, interval = 0;
	double share = 0;

	if (json_unpack(o, "{s?b, s?b, s?b, s?b, s?b, s?i, s?I, s?I, s?I, s?F}", "from_start",
			&from_start, "armed_by_kernel", &armed, "missed_frees", &missed,
			"is_steady", &steady, "in_windows", &windows, "mode", &mode, "unseen_frees",
			&unseen, "attached_ns", &attached, "interval", &interval, "usage_share",
			&share) < 0)
		return -EBADMSG;
	t->from_start = from_start;
	t->armed_by_kernel = armed;
	t->missed_frees = missed;
	t->unseen_frees = (uint64_t)unseen;
	t->usage_share = share;
	t->target->attached_ns = (uint64_t)attached;
	t->resume = (struct resume){
		.is_steady = steady && (mode == GOVERNOR_EXACT || mode == GOVERNOR_SAMPLED),
		.in_windows = windows,
		.mode = (enum governor_mode)mode,
		.interval_bytes = (uint64_t)interval,
	};
	return 0;
}

static bool is_armed(const struct monitor *m, const struct target *target)
{
	struct target_entry entry;

	return probe_get_target(m->probe, target->pid, &entry) == 0 && entry.id == target->key;
}

static int read_target(struct monitor *m, json_t *o)
{
	json_int_t key, pid, start, parent;
	struct target_counters counters;
	json_t *options;
	struct tracked *t;
	int watch, r;

	if (json_unpack(o, "{s:I, s:I, s:I, s:I, s:i, s:o}", "key", &key, "pid", &pid,
			"start_ticks", &start, "parent", &parent, "watch", &watch, "options",
			&options) < 0 ||
	    key <= 0 || key > UINT32_MAX || pid <= 0 || pid > INT32_MAX)
		return -EBADMSG;
	/* It was being forgotten. */
	if (probe_read_counters(m->probe, (uint32_t)key, &counters) < 0)
		return 0;
	t = tracked_new(m, (uint32_t)key, (pid_t)pid, watch_at(m, watch), (uint32_t)parent);
	if (!t)
		return -ENOMEM;
	t->target->start_ticks = (uint64_t)start;
	r = read_options(options, &t->options);
	if (r == 0)
		r = read_figures(o, t);
	if (r == 0)
		r = read_names(o, t->target);
	return r;
}

/* --- alerts --------------------------------------------------------------------------------------- */

/* If its process is gone, that is told of the alert, too. */
static int read_showing(struct monitor *m, json_t *o)
{
	_cleanup_free_ uint64_t *keys = NULL;
	json_int_t alert, target, part;
	struct showing s;
	json_t *stacks, *key;
	double rate = 0;
	size_t i;
	int state, r;

	if (json_unpack(o, "{s:I, s:I, s:I, s:i, s:F, s:o}", "alert", &alert, "target", &target,
			"part", &part, "state", &state, "rate", &rate, "stacks", &stacks) < 0 ||
	    state < TREND_QUIET || state > TREND_CLOSED)
		return -EBADMSG;
	keys = calloc(json_array_size(stacks) + 1, sizeof(*keys));
	if (!keys)
		return -ENOMEM;
	json_array_foreach(stacks, i, key) {
		keys[i] = (uint64_t)json_integer_value(key);
	}
	s = (struct showing){
		.target = (uint32_t)target,
		.part = (uint64_t)part,
		.state = (enum trend_state)state,
		.bytes_per_hour = rate,
		.stacks = keys,
		.n_stacks = json_array_size(stacks),
	};
	r = alert_book_resume(m->alerts, (uint64_t)alert, &s,
			      json_string_value(json_object_get(o, "target_id")));
	if (r == 0 && !tracked_find(m, s.target))
		alert_book_target_ended(m->alerts, s.target, wall_ms());
	return r == -ENOENT ? 0 : r;
}

static int read_showings(struct monitor *m, json_t *list)
{
	json_t *entry;
	size_t i;
	int r = 0;

	json_array_foreach(list, i, entry) {
		if (r == 0)
			r = read_showing(m, entry);
	}
	return r;
}

/* --- going on ------------------------------------------------------------------------------------- */

/* What was not armed yet begins anew, under its id; the probes that it may have are untaken. */
static int resume_target(struct monitor *m, struct tracked *t)
{
	if (!life_is_same_process(t->target)) {
		life_exited(m, t);
		return 0;
	}
	if (t->target->attached_ns == 0 && !is_armed(m, t->target))
		return attach_start(m, t);
	return attach_resume(m, t, is_armed(m, t->target));
}

static int resume_targets(struct monitor *m)
{
	struct tracked *t, *next;
	int r;

	HASH_ITER(by_key, m->tracked, t, next) {
		r = resume_target(m, t);
		if (r < 0)
			return r;
	}
	return 0;
}

/*
 * Armed, and nobody's: an image that was executed, whose note was read by who did not live to act on it;
 * or a target whose attach was not noted any more.
 */
static int settle_entry(pid_t tgid, const struct target_entry *entry, void *userdata)
{
	struct monitor *m = userdata;
	struct tracked *old = tracked_by_pid(m, tgid);

	if ((entry->flags & TARGET_SHARES_MEMORY) || tracked_find(m, entry->id))
		return 0;
	if (old && life_is_same_process(old->target)) {
		const struct note note = {
			.type = NOTE_EXEC,
			.target = entry->id,
			.other = old->target->key,
			.tgid = (uint32_t)tgid,
		};

		life_note(&note, m);
		return 0;
	}
	/* Followed children are taken in by life_reconcile(). */
	if (entry->parent && tracked_find(m, entry->parent))
		return 0;
	(void)probe_disarm(m->probe, tgid, entry->id);
	return probe_purge_start(m->probe, entry->id);
}

static void tell_end(const struct monitor *m)
{
	size_t n = 0;

	for (const struct tracked *t = m->tracked; t; t = t->by_key.next)
		n += t->target->state != TARGET_EXITED;
	if (n > 0)
		log_info("going on with %zu targets", n);
}

int handover_read(struct monitor *m, json_t *state)
{
	json_t *watches, *targets;
	int version, r;

	if (json_unpack(state, "{s:i, s:o, s:o}", "version", &version, "watches", &watches,
			"targets", &targets) < 0 ||
	    version != HANDOVER_VERSION)
		return -EBADMSG;
	r = read_watches(m, watches);
	if (r == 0)
		r = read_each(m, targets, read_target);
	return r < 0 ? r : read_showings(m, json_object_get(state, "showings"));
}

int handover_resume(struct monitor *m, json_t *state)
{
	json_t *files = state ? json_object_get(state, "files") : NULL;
	int r;

	r = resume_targets(m);
	if (r == 0)
		r = read_each(m, files, read_file);
	/* What has happened meanwhile, and what was not noted. */
	if (r == 0)
		r = probe_read_notes(m->probe);
	if (r >= 0)
		r = probe_each_target(m->probe, settle_entry, m);
	if (r < 0)
		return r;
	life_reconcile(m);
	tell_end(m);
	return 0;
}
