// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The children that set probes and the links that they have, from one life to the next. See takeover.h.
 */
#include <string.h>

#include <bpf/bpf.h>

#include "base/fd_store.h"
#include "base/log.h"
#include "probe/takeover.h"

#define CHILD_PREFIX "seep-child-"

static int note_link(const struct link_answer *answer, int fd, void *userdata)
{
	struct takeover *t = userdata;
	struct found_link *grown;

	grown = reallocarray(t->found, t->n_found + 1, sizeof(*grown));
	if (!grown) {
		close_fd(fd);
		return -ENOMEM;
	}
	t->found = grown;
	grown[t->n_found++] = (struct found_link){
		.number = answer->number,
		.pid = answer->is_sealed ? answer->pid : -1,
		.slot = (uint16_t)answer->slot,
		.fd = fd,
	};
	return 0;
}

static int note_window(const struct link_answer *answer, int fd, void *userdata)
{
	struct takeover *t = userdata;
	uint64_t *grown;

	close_fd(fd);
	grown = reallocarray(t->windows, t->n_windows + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	t->windows = grown;
	grown[t->n_windows++] = answer->number;
	return 0;
}

static const char *const child_names[] = { "seep-probes", "seep-windows" };

static int start_broker(struct takeover *t, size_t i, broker_found_fn found, struct broker **ret)
{
	char name[64];
	int fd, r;

	(void)snprintf(name, sizeof(name), CHILD_PREFIX "%s", child_names[i]);
	fd = takeover_is_on(t) ? fd_store_take(t->store, name) : -ENOENT;
	r = fd >= 0 ? broker_take_over(child_names[i], fd, found, t, ret) : fd;
	if (r == 0)
		return 0;
	if (fd >= 0) {
		log_debug_errno(r, "%s of an earlier life cannot be taken over", child_names[i]);
		(void)fd_store_drop(t->store, name);
	}
	return broker_new(child_names[i], ret);
}

int takeover_start_brokers(struct probe *p)
{
	int r = start_broker(p->takeover, 0, note_link, &p->broker);

	if (r == 0 && p->takeover)
		p->takeover->held_starts = broker_starts(p->broker);
	return r < 0 ? r : start_broker(p->takeover, 1, note_window, &p->windows);
}

/* A child that has died is started again at once: the next life can take links from no other. */
static int revive_broker(struct probe *p)
{
	int r = broker_is_alive(p->broker) ? 0 : broker_revive(p->broker, false);

	/* Not yet; or too often, and then there is nothing to be done about it. */
	if (r == -EAGAIN || r == -EPIPE)
		return 0;
	/* It may also have been started by who needed it. */
	if (r == 0 && broker_starts(p->broker) != p->takeover->held_starts) {
		r = links_hand_over_again(p);
		p->takeover->held_starts = broker_starts(p->broker);
	}
	return r;
}

static int store_broker(struct takeover *t, size_t i, const struct broker *b)
{
	uint32_t starts = broker_starts(b);
	char name[64];
	int r;

	/* 0: it was taken over, and has been there all the time. */
	if (starts == t->stored_starts[i])
		return 0;
	(void)snprintf(name, sizeof(name), CHILD_PREFIX "%s", child_names[i]);
	if (t->stored_starts[i] > 0 || takeover_is_on(t))
		(void)fd_store_drop(t->store, name);
	r = fd_store_put(t->store, name, broker_socket(b));
	if (r == 0)
		t->stored_starts[i] = starts;
	return r;
}

int takeover_store_brokers(struct probe *p)
{
	int r = revive_broker(p);

	if (r == 0)
		r = store_broker(p->takeover, 0, p->broker);
	if (r == 0)
		r = store_broker(p->takeover, 1, p->windows);
	return r;
}

/* --- what was found ------------------------------------------------------------------------------- */

static struct probe_links *new_links(struct probe *p, const struct found_link *first)
{
	struct takeover *t = p->takeover;
	struct probe_links *l;

	l = calloc(1, sizeof(*l) + t->n_found * sizeof(l->fds[0]));
	if (!l)
		return NULL;
	l->probe = p;
	l->number = first->number;
	l->pid = first->pid;
	l->slot = first->slot;
	links_enlist(l);
	for (size_t i = 0; i < t->n_found; i++)
		if (t->found[i].number == l->number && t->found[i].fd >= 0)
			l->fds[l->n++] = TAKE_FD(t->found[i].fd);
	return l;
}

struct probe_links *probe_take_links(struct probe *p, pid_t pid, uint16_t *ret_slot)
{
	struct takeover *t = p->takeover;

	for (size_t i = 0; t && i < t->n_found; i++) {
		const struct found_link *f = &t->found[i];

		if (f->fd < 0 || f->pid != pid || f->slot == 0)
			continue;
		*ret_slot = f->slot;
		return new_links(p, f);
	}
	return NULL;
}

bool probe_take_window(struct probe *p, uint64_t window)
{
	struct takeover *t = p->takeover;
	bool found = false;

	for (size_t i = 0; t && i < t->n_windows; i++) {
		if (t->windows[i] != window)
			continue;
		t->windows[i] = 0;
		found = true;
	}
	return found;
}

static int drop_links(struct probe *p)
{
	struct takeover *t = p->takeover;
	_cleanup_free_ struct probe_links **links = NULL;
	size_t n = 0;

	links = calloc(t->n_found + 1, sizeof(struct probe_links *));
	if (!links)
		return -ENOMEM;
	for (size_t i = 0; i < t->n_found; i++) {
		if (t->found[i].number > p->last_number)
			p->last_number = t->found[i].number;
		if (t->found[i].fd >= 0)
			links[n++] = new_links(p, &t->found[i]);
	}
	probe_links_free_all(p, links, n);
	free(t->found);
	t->found = NULL;
	t->n_found = 0;
	return 0;
}

static int drop_windows(struct probe *p)
{
	struct takeover *t = p->takeover;
	int r = 0;

	for (size_t i = 0; i < t->n_windows && r == 0; i++) {
		uint64_t window = t->windows[i];

		if (!window)
			continue;
		(void)probe_take_window(p, window);
		r = broker_close(p->windows, &window, 1);
	}
	free(t->windows);
	t->windows = NULL;
	t->n_windows = 0;
	return r;
}

/* Ids that have no counters: those of targets that were being forgotten. */
struct strangers {
	struct probe *probe;
	uint32_t last_known;
};

static int note_stranger(struct strangers *s, uint32_t target)
{
	struct target_counters counters;
	struct probe *p = s->probe;

	if (target == s->last_known)
		return 0;
	for (size_t i = 0; i < p->n_dead; i++)
		if (p->dead[i] == target)
			return 0;
	if (probe_read_counters(p, target, &counters) == 0) {
		s->last_known = target;
		return 0;
	}
	return probe_purge_start(p, target);
}

static int look_at_block(const struct block_key *key, const struct block *block, void *userdata)
{
	(void)block;
	return note_stranger(userdata, key->target);
}

static int look_at_site(uint64_t stack, const struct site_totals *totals, void *userdata)
{
	(void)stack;
	return note_stranger(userdata, totals->target);
}

int probe_drop_untaken(struct probe *p)
{
	struct strangers strangers = { .probe = p };
	int r;

	if (!takeover_is_on(p->takeover))
		return 0;
	r = drop_windows(p);
	if (r == 0)
		r = drop_links(p);
	if (r == 0)
		r = probe_read_sites(p, look_at_site, &strangers);
	if (r == 0)
		r = probe_read_blocks(p, look_at_block, &strangers);
	return r;
}
