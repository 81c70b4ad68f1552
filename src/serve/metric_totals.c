// SPDX-License-Identifier: GPL-2.0-or-later
/* Targets summed up by service. See metric_totals.h. */
#include "serve/metric_totals.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define KEPT_NS (300 * 1000000000ull)

/* A process as of the last round that it was in. */
struct member {
	uint32_t key;
	char *service; /* owned */
	double counters[METRIC_COUNTERS];
	bool is_present;
};

struct metric_totals {
	struct metric_service *services; /* owned */
	size_t n_services;
	struct member *members; /* owned */
	size_t n_members;
};

struct metric_totals *metric_totals_new(void)
{
	return calloc(1, sizeof(struct metric_totals));
}

struct metric_totals *metric_totals_free(struct metric_totals *t)
{
	if (!t)
		return NULL;
	for (size_t i = 0; i < t->n_services; i++)
		free(t->services[i].name);
	for (size_t i = 0; i < t->n_members; i++)
		free(t->members[i].service);
	free(t->services);
	free(t->members);
	free(t);
	return NULL;
}

void metric_totals_begin(struct metric_totals *t)
{
	for (size_t i = 0; i < t->n_members; i++)
		t->members[i].is_present = false;
	for (size_t i = 0; i < t->n_services; i++)
		memset(t->services[i].gauges, 0, sizeof(t->services[i].gauges));
}

static struct metric_service *find_service(struct metric_totals *t, const char *name)
{
	for (size_t i = 0; i < t->n_services; i++)
		if (strcmp(t->services[i].name, name) == 0)
			return &t->services[i];
	return NULL;
}

/* NULL: no memory. */
static struct metric_service *need_service(struct metric_totals *t, const char *name)
{
	struct metric_service *s = find_service(t, name), *grown;

	if (s)
		return s;
	grown = reallocarray(t->services, t->n_services + 1, sizeof(*grown));
	if (!grown)
		return NULL;
	t->services = grown;
	s = &grown[t->n_services];
	*s = (struct metric_service){ .name = strdup(name) };
	if (!s->name)
		return NULL;
	t->n_services++;
	return s;
}

static struct member *need_member(struct metric_totals *t, uint32_t key, const char *service)
{
	struct member *grown, *m;

	for (size_t i = 0; i < t->n_members; i++)
		if (t->members[i].key == key)
			return &t->members[i];
	grown = reallocarray(t->members, t->n_members + 1, sizeof(*grown));
	if (!grown)
		return NULL;
	t->members = grown;
	m = &grown[t->n_members];
	*m = (struct member){ .key = key, .service = strdup(service) };
	if (!m->service)
		return NULL;
	t->n_members++;
	return m;
}

int metric_totals_take(struct metric_totals *t, const struct metric_sample *s, uint64_t now_ns)
{
	struct member *m = need_member(t, s->key, s->service);
	struct metric_service *service = m ? need_service(t, m->service) : NULL;

	if (!service)
		return -ENOMEM;
	memcpy(m->counters, s->counters, sizeof(m->counters));
	m->is_present = true;
	service->seen_ns = now_ns;
	for (size_t i = 0; i < METRIC_GAUGES; i++)
		service->gauges[i] += s->gauges[i];
	return 0;
}

/* What those had that are gone stays with their services. */
static void drop_members(struct metric_totals *t)
{
	size_t kept = 0;

	for (size_t i = 0; i < t->n_members; i++) {
		struct member *m = &t->members[i];
		struct metric_service *s = find_service(t, m->service);

		if (m->is_present) {
			t->members[kept++] = *m;
			continue;
		}
		for (size_t k = 0; s && k < METRIC_COUNTERS; k++)
			s->carried[k] += m->counters[k];
		free(m->service);
	}
	t->n_members = kept;
}

static void drop_services(struct metric_totals *t, uint64_t now_ns)
{
	size_t kept = 0;

	for (size_t i = 0; i < t->n_services; i++) {
		if (now_ns - t->services[i].seen_ns <= KEPT_NS)
			t->services[kept++] = t->services[i];
		else
			free(t->services[i].name);
	}
	t->n_services = kept;
}

void metric_totals_end(struct metric_totals *t, uint64_t now_ns)
{
	drop_members(t);
	drop_services(t, now_ns);
	for (size_t i = 0; i < t->n_services; i++)
		memcpy(t->services[i].counters, t->services[i].carried,
		       sizeof(t->services[i].counters));
	for (size_t i = 0; i < t->n_members; i++) {
		struct metric_service *s = find_service(t, t->members[i].service);

		for (size_t k = 0; s && k < METRIC_COUNTERS; k++)
			s->counters[k] += t->members[i].counters[k];
	}
}

size_t metric_totals_services(const struct metric_totals *t, const struct metric_service **ret)
{
	*ret = t->services;
	return t->n_services;
}
