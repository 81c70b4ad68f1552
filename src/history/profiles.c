// SPDX-License-Identifier: GPL-2.0-or-later
/* What the sites of a service have shown in earlier lives. */
#include "history/state.h"

#include <string.h>

#include "base/log.h"

int history_save_profile(struct history *h, const char *service, uint64_t leak_id, uint64_t site_id,
			 const struct trend_profile *profile, uint64_t now_ms)
{
	struct record record = {
		.kind = RECORD_PROFILE,
		.id = leak_id,
		.with = site_id,
		.time_ms = now_ms,
	};
	int r;

	r = history_check_service(service);
	if (r < 0)
		return r;
	trend_profile_pack(profile, record.packed);
	return queue_add(h, &record, service);
}

static int unpack(const char *service, const void *packed, size_t size, struct trend_profile *ret)
{
	int r = trend_profile_unpack(packed, size, ret);

	if (r == 0)
		return 1;
	(void)log_warning_errno(r, "history: a profile of %s cannot be read, ignoring", service);
	return 0;
}

/* 1: found; 0: none that can be read. */
static int find_stored(struct history *h, enum statement by, const char *service, uint64_t id,
		       struct trend_profile *ret)
{
	sqlite3_stmt *s = database_statement(&h->db, by);
	int r;

	sqlite3_bind_text(s, 1, service, -1, SQLITE_STATIC);
	sqlite3_bind_int64(s, 2, (int64_t)id);
	r = database_step(&h->db, s);
	if (r > 0)
		r = unpack(service, sqlite3_column_blob(s, 0), (size_t)sqlite3_column_bytes(s, 0),
			   ret);
	sqlite3_reset(s);
	return r;
}

/* One that waits is later than what is stored. */
static int find_one(struct history *h, const char *service, uint64_t leak_id, uint64_t site_id,
		    struct trend_profile *ret)
{
	const struct record *record = queue_find_profile(&h->queue, service, leak_id, site_id);

	if (record)
		return unpack(service, record->packed, sizeof(record->packed), ret);
	if (leak_id)
		return find_stored(h, PROFILE_BY_LEAK, service, leak_id, ret);
	return find_stored(h, PROFILE_BY_SITE, service, site_id, ret);
}

static int find(struct history *h, const char *service, uint64_t leak_id, uint64_t site_id,
		struct trend_profile *ret, bool *ret_is_other_build)
{
	int r = 0;

	if (leak_id)
		r = find_one(h, service, leak_id, 0, ret);
	if (r != 0) {
		*ret_is_other_build = false;
		return r < 0 ? r : 0;
	}
	if (site_id)
		r = find_one(h, service, 0, site_id, ret);
	if (r == 0)
		return -ENOENT;
	*ret_is_other_build = true;
	return r < 0 ? r : 0;
}

int history_find_profile(struct history *h, const char *service, uint64_t leak_id, uint64_t site_id,
			 struct trend_profile *ret, bool *ret_is_other_build)
{
	struct trend_profile found;
	bool is_other_build;
	int r;

	/* Many that wait would be searched one by one. */
	if (h->queue.has_profiles && h->last_error == 0)
		(void)history_commit(h);
	do
		r = find(h, service, leak_id, site_id, &found, &is_other_build);
	while (r == -EUCLEAN && history_repair(h) == 0);
	if (r < 0)
		return r;
	*ret = found;
	*ret_is_other_build = is_other_build;
	return 0;
}
