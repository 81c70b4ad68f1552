// SPDX-License-Identifier: GPL-2.0-or-later
/* Frames as JSON. See frame_json.h. */
#include "symbolize/frame_json.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/values.h"
#include "symbolize/protocol.h"

static const char *const kinds[] = {
	[FRAME_NATIVE] = "native",
	[FRAME_INLINED] = "inlined",
	[FRAME_PYTHON] = "python",
};

json_t *frame_to_json(const struct frame *f)
{
	json_auto_t *o = json_object();
	int r = 0;

	r |= view_put(o, "kind", json_string(kinds[f->kind]));
	r |= view_put(o, "function", view_text(f->function));
	r |= view_put(o, "file", view_text(f->file));
	r |= view_put(o, "line", view_u64_or_null(f->line));
	r |= view_put(o, "module", view_text(f->module));
	r |= view_put(o, "build_id", view_text(f->build_id));
	r |= view_put(o, "offset", view_u64(f->offset));
	r |= view_put(o, "approximate", json_boolean(f->approximate));
	return r < 0 ? NULL : TAKE_PTR(o);
}

void frame_release(struct frame *f)
{
	free((char *)f->function);
	free((char *)f->file);
	free((char *)f->module);
	free((char *)f->build_id);
	*f = (struct frame){ 0 };
}

static int copy_text(const char *text, const char **ret)
{
	*ret = text ? strdup(text) : NULL;
	return text && !*ret ? -ENOMEM : 0;
}

int frame_copy(const struct frame *f, struct frame *ret)
{
	struct frame copy = *f;
	int r = 0;

	r |= copy_text(f->function, &copy.function);
	r |= copy_text(f->file, &copy.file);
	r |= copy_text(f->module, &copy.module);
	r |= copy_text(f->build_id, &copy.build_id);
	if (r < 0) {
		frame_release(&copy);
		return -ENOMEM;
	}
	*ret = copy;
	return 0;
}

/* Borrowed from @json; NULL for null. */
static int read_text(const json_t *json, const char *key, const char **ret)
{
	const json_t *value = json_object_get(json, key);

	if (!value || json_is_null(value)) {
		*ret = NULL;
		return 0;
	}
	if (!json_is_string(value) || json_string_length(value) > TEXT_BYTES_MAX ||
	    strlen(json_string_value(value)) != json_string_length(value))
		return -EINVAL;
	*ret = json_string_value(value);
	return 0;
}

static int read_number(const json_t *json, const char *key, json_int_t most, uint64_t *ret)
{
	const json_t *value = json_object_get(json, key);

	if (!value || json_is_null(value)) {
		*ret = 0;
		return 0;
	}
	if (!json_is_integer(value) || json_integer_value(value) < 0 ||
	    json_integer_value(value) > most)
		return -EINVAL;
	*ret = (uint64_t)json_integer_value(value);
	return 0;
}

static int read_kind(const json_t *json, enum frame_kind *ret)
{
	const char *kind = json_string_value(json_object_get(json, "kind"));

	for (size_t i = 0; kind && i < ARRAY_SIZE(kinds); i++) {
		if (strcmp(kind, kinds[i]) == 0) {
			*ret = (enum frame_kind)i;
			return 0;
		}
	}
	return -EINVAL;
}

int frame_from_json(const json_t *json, struct frame *ret)
{
	struct frame borrowed = { 0 };
	uint64_t line = 0;
	int r = 0;

	r |= read_kind(json, &borrowed.kind);
	r |= read_text(json, "function", &borrowed.function);
	r |= read_text(json, "file", &borrowed.file);
	r |= read_text(json, "module", &borrowed.module);
	r |= read_text(json, "build_id", &borrowed.build_id);
	r |= read_number(json, "line", UINT32_MAX, &line);
	r |= read_number(json, "offset", INT64_MAX, &borrowed.offset);
	if (r < 0)
		return -EINVAL;
	borrowed.line = (uint32_t)line;
	borrowed.approximate = json_is_true(json_object_get(json, "approximate"));
	return frame_copy(&borrowed, ret);
}
