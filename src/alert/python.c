// SPDX-License-Identifier: GPL-2.0-or-later
/* Leaking Python objects. See python.h; their JSON is in python_json.c. */
#include "alert/python.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "heap/ids.h"

static int copy_text(char **to, const char *text)
{
	char *copy = text && *text ? strdup(text) : NULL;

	if (text && *text && !copy)
		return -ENOMEM;
	free(*to);
	*to = copy;
	return 0;
}

struct alert_python *alert_python_new(const char *type)
{
	_cleanup_(alert_python_freep) struct alert_python *p = calloc(1, sizeof(*p));

	if (!p || copy_text(&p->type, type) < 0 || !p->type)
		return NULL;
	return TAKE_PTR(p);
}

static void free_lines(struct alert_python *p)
{
	for (size_t i = 0; i < p->n_created_at; i++) {
		free(p->created_at[i].function);
		free(p->created_at[i].file);
	}
	p->n_created_at = 0;
}

static void free_holders(struct alert_python *p)
{
	for (size_t i = 0; i < p->n_held_by; i++) {
		free(p->held_by[i].path);
		free(p->held_by[i].container);
	}
	p->n_held_by = 0;
}

static void free_companions(struct alert_python *p)
{
	for (size_t i = 0; i < p->n_with; i++)
		free(p->with[i].type);
	p->n_with = 0;
}

struct alert_python *alert_python_free(struct alert_python *p)
{
	if (!p)
		return NULL;
	free_lines(p);
	free_holders(p);
	free_companions(p);
	free(p->type);
	free(p->function);
	free(p->file);
	free(p);
	return NULL;
}

int alert_python_set_code(struct alert_python *p, const char *function, const char *file,
			  uint32_t line, bool done)
{
	p->line = line;
	p->done = done;
	return copy_text(&p->function, function) < 0 || copy_text(&p->file, file) < 0 ? -ENOMEM : 0;
}

int alert_python_add_companion(struct alert_python *p, const char *type, double per_object)
{
	struct alert_companion c = { .per_object = per_object };

	if (p->n_with == ALERT_COMPANIONS_MAX)
		return 0;
	if (copy_text(&c.type, type) < 0)
		return -ENOMEM;
	p->with[p->n_with++] = c;
	return 0;
}

int alert_python_add_line(struct alert_python *p, const struct alert_line *line)
{
	struct alert_line copy = *line;

	if (p->n_created_at == ALERT_LINES_MAX)
		return 0;
	copy.function = copy.file = NULL;
	if (copy_text(&copy.function, line->function) < 0 ||
	    copy_text(&copy.file, line->file) < 0) {
		free(copy.function);
		return -ENOMEM;
	}
	p->created_at[p->n_created_at++] = copy;
	return 0;
}

int alert_python_add_holder(struct alert_python *p, const char *path, const char *container,
			    unsigned int samples)
{
	struct alert_holder h = { .samples = samples };

	if (p->n_held_by == ALERT_HOLDERS_MAX)
		return 0;
	if (copy_text(&h.path, path) < 0 || copy_text(&h.container, container) < 0) {
		free(h.path);
		return -ENOMEM;
	}
	p->held_by[p->n_held_by++] = h;
	return 0;
}

void alert_python_keep(struct alert_python *from, struct alert_python *to)
{
	if (!to->n_created_at) {
		memcpy(to->created_at, from->created_at, sizeof(to->created_at));
		to->n_created_at = from->n_created_at;
		to->constructions_seen = from->constructions_seen;
		from->n_created_at = 0;
	}
	if (!to->n_held_by) {
		memcpy(to->held_by, from->held_by, sizeof(to->held_by));
		to->n_held_by = from->n_held_by;
		to->held_samples = from->held_samples;
		from->n_held_by = 0;
	}
	if (!to->n_with && !(to->bytes_per_object > 0)) {
		memcpy(to->with, from->with, sizeof(to->with));
		to->n_with = from->n_with;
		to->bytes_per_object = from->bytes_per_object;
		from->n_with = 0;
	}
}

int alert_python_name(const struct alert_python *p, char **ret)
{
	char line[16] = "";
	int n;

	if (p->line)
		(void)snprintf(line, sizeof(line), ":%" PRIu32, p->line);
	if (!p->function)
		n = asprintf(ret, "%s", p->type);
	else if (!p->file)
		n = asprintf(ret, "%s of %s", p->type, p->function);
	else
		n = asprintf(ret, "%s of %s (%s%s)", p->type, p->function, path_base_name(p->file),
			     line);
	if (n < 0) {
		*ret = NULL; /* asprintf() leaves it undefined on failure */
		return -ENOMEM;
	}
	return 0;
}
