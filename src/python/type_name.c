// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Names of types as people write them: tp_name has the module for types in C, a class in Python keeps it in
 * its dict.
 */
#include "python/sweep_state.h"

#include <errno.h>
#include <stdio.h>

#include "base/utf8.h"

#define MODULE_KEY "__module__"

/* It is the first or the second entry of a class's dict, unless somebody deleted and set it. */
#define ENTRIES_MAX 64

#define PART_BYTES 512

/* A string of C, as far as it can be printed. */
static int read_c_string(const struct python_memory *m, uint64_t address, char *to, size_t room)
{
	size_t n = room - 1;

	while (n && python_read(m, address, to, n) < 0)
		n /= 2;
	to[n] = '\0';
	if (!*to)
		return -EFAULT;
	if (!utf8_is_printable(to, strlen(to)))
		for (char *p = to; *p; p++)
			if (*p < ' ' || *p == 0x7f)
				*p = '?';
	return 0;
}

/* The value of a class's dict for MODULE_KEY, a str. */
static int read_module(const struct python_sweep *s, uint64_t dict, char *to, size_t room)
{
	const struct python_layout *l = s->layout;
	const struct python_memory *m = s->memory;
	uint8_t header[KEYS_HEADER_BYTES], entry[24];
	uint64_t keys, at, size = 24, n;
	char key[sizeof(MODULE_KEY) + 1];

	if (python_read_u64(m, dict + l->dict_keys, &keys) < 0 ||
	    python_read(m, keys, header, sizeof(header)) < 0 || !keys_table_bytes(l, header))
		return -EFAULT;
	n = word_at(header, l->keys_entries);
	at = keys + keys_first_entry(l, header, &size);
	for (uint64_t i = 0; i < n && i < ENTRIES_MAX; i++, at += size) {
		/* The hash comes first where there is one. */
		const uint8_t *pair = entry + size - 16;

		if (python_read(m, at, entry, size) < 0)
			return -EFAULT;
		if (python_read_str(m, l, word_at(pair, 0), key, sizeof(key)) == 0 &&
		    strcmp(key, MODULE_KEY) == 0)
			return python_read_str(m, l, word_at(pair, 8), to, room);
	}
	return -ENOENT;
}

int python_sweep_type_name(struct python_sweep *s, const struct python_type *t, char *to,
			   size_t room)
{
	char module[PART_BYTES], name[PART_BYTES];
	int r;

	r = read_c_string(s->memory, t->name, name, sizeof(name));
	if (r < 0)
		return r;
	if (t->qualname && !strchr(name, '.')) {
		/* What cannot be read leaves the plain name. */
		(void)python_read_str(s->memory, s->layout, t->qualname, name, sizeof(name));
		if (read_module(s, t->dict, module, sizeof(module)) == 0 &&
		    strcmp(module, "builtins") != 0) {
			r = snprintf(to, room, "%s.%s", module, name);
			return r < 0 ? -EINVAL : 0;
		}
	}
	r = snprintf(to, room, "%s", name);
	return r < 0 ? -EINVAL : 0;
}
