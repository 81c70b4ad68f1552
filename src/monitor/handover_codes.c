// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Python code that stored frames name by number. See handover.h. The kernel side tells of each once, and what
 * it has told may be gone from the process.
 */
#include <string.h>

#include "base/twin.h"
#include "monitor/handover.h"
#include "monitor/state.h"
#include "symbolize/codes.h"

#define VERSION	  1u
#define TEXT_MAX  (1u << 16)
#define TABLE_MAX (1u << 20)
#define NO_TEXT	  UINT32_MAX

struct packed_codes {
	uint32_t version;
	uint32_t n;
};

struct packed_code {
	uint32_t id;
	uint32_t first_line;
	uint32_t kind;
	uint32_t file_bytes; /* or NO_TEXT */
	uint32_t name_bytes;
	uint32_t table_bytes;
};

static uint32_t bytes_of(const char *text)
{
	size_t n = text ? strlen(text) : NO_TEXT;

	return n > TEXT_MAX ? NO_TEXT : (uint32_t)n;
}

static void write_text(struct twin *to, const char *text, uint32_t n)
{
	if (n != NO_TEXT)
		twin_write(to, text, n);
}

static int write_code(uint32_t id, const struct python_code *code, void *userdata)
{
	struct twin *to = userdata;
	const struct packed_code packed = {
		.id = id,
		.first_line = code->first_line,
		.kind = (uint32_t)code->kind,
		.file_bytes = bytes_of(code->file),
		.name_bytes = bytes_of(code->name),
		.table_bytes = code->n <= TABLE_MAX ? (uint32_t)code->n : 0,
	};

	twin_write(to, &packed, sizeof(packed));
	write_text(to, code->file, packed.file_bytes);
	write_text(to, code->name, packed.name_bytes);
	twin_write(to, code->table, packed.table_bytes);
	return 0;
}

int handover_write_codes(const struct monitor *m, struct twin *to)
{
	const struct codes *codes = symbolizer_codes(m->symbolizer);
	const struct packed_codes head = {
		.version = VERSION,
		.n = (uint32_t)codes_count(codes),
	};
	int r;

	r = twin_begin(to);
	if (r < 0)
		return r;
	twin_write(to, &head, sizeof(head));
	r = codes_each(codes, write_code, to);
	return r < 0 ? r : twin_commit(to);
}

static int read_text(struct twin *from, uint32_t n, char **ret)
{
	if (n == NO_TEXT)
		return 0;
	if (n > TEXT_MAX)
		return -EBADMSG;
	*ret = calloc(1, n + 1);
	return *ret ? twin_read(from, *ret, n) : -ENOMEM;
}

static int read_table(struct twin *from, uint32_t n, struct python_code *code)
{
	if (n > TABLE_MAX)
		return -EBADMSG;
	code->table = malloc(n ? n : 1);
	if (!code->table)
		return -ENOMEM;
	code->n = n;
	return twin_read(from, code->table, n);
}

static int read_code(struct monitor *m, struct twin *from)
{
	_cleanup_(python_code_freep) struct python_code *code = calloc(1, sizeof(*code));
	struct packed_code packed;
	int r;

	if (!code)
		return -ENOMEM;
	r = twin_read(from, &packed, sizeof(packed));
	if (r < 0)
		return r;
	code->first_line = packed.first_line;
	code->kind = (enum python_line_table)packed.kind;
	r = read_text(from, packed.file_bytes, &code->file);
	if (r == 0)
		r = read_text(from, packed.name_bytes, &code->name);
	if (r == 0)
		r = read_table(from, packed.table_bytes, code);
	return r < 0 ? r : symbolizer_add_code(m->symbolizer, packed.id, TAKE_PTR(code));
}

int handover_read_codes(struct monitor *m, struct twin *from)
{
	struct packed_codes head;
	int r;

	r = twin_open(from);
	if (r == 0)
		r = twin_read(from, &head, sizeof(head));
	if (r == 0 && head.version != VERSION)
		r = -EPROTO;
	for (uint32_t i = 0; r == 0 && i < head.n; i++)
		r = read_code(m, from);
	twin_close(from);
	return r;
}
