// SPDX-License-Identifier: GPL-2.0-or-later
/* Python code as people read it. See code.h. */
#include "python/code.h"

#include <stdbool.h>
#include <string.h>

#include "python/memory.h"

#define UNIT_BYTES 2

/* The marks of no line: in 3.10's table, and among 3.11's kinds. */
#define NO_LINE (-128)

struct python_code *python_code_free(struct python_code *c)
{
	if (!c)
		return NULL;
	free(c->file);
	free(c->name);
	free(c->table);
	free(c);
	return NULL;
}

static uint32_t to_line(int64_t line)
{
	return line > 0 && line <= INT32_MAX ? (uint32_t)line : 0;
}

/* PyCode_Addr2Line() of 3.8 and 3.9. */
static uint32_t line_of_lnotab(const uint8_t *table, size_t n, int64_t line, uint64_t address)
{
	uint64_t at = 0;

	for (size_t i = 0; i + 1 < n; i += 2) {
		at += table[i];
		if (at > address)
			break;
		line += (int8_t)table[i + 1];
	}
	return to_line(line);
}

/* advance() of 3.10: each entry says how far it reaches. */
static uint32_t line_of_linetable(const uint8_t *table, size_t n, int64_t line, uint64_t address)
{
	uint64_t end = 0;

	for (size_t i = 0; i + 1 < n; i += 2) {
		int8_t delta = (int8_t)table[i + 1];

		end += table[i];
		if (delta != NO_LINE)
			line += delta;
		if (address < end)
			return delta == NO_LINE ? 0 : to_line(line);
	}
	return 0;
}

enum location_kind {
	LOCATION_SHORT_MAX = 9, /* columns in one more byte */
	LOCATION_ONE_LINE = 10, /* this and the next two: so many lines on, columns in two more */
	LOCATION_NO_COLUMNS = 13,
	LOCATION_LONG = 14,
	LOCATION_NONE = 15,
};

struct reader {
	const uint8_t *at;
	const uint8_t *end;
};

/* Six bits a byte, the low ones first; bit 6 says that there are more. What is cut off is 0. */
static uint32_t read_varint(struct reader *r)
{
	uint32_t value = 0;

	for (unsigned int shift = 0; r->at < r->end && shift < 32; shift += 6) {
		uint8_t b = *r->at++;

		value |= (uint32_t)(b & 0x3f) << shift;
		if (!(b & 0x40))
			break;
	}
	return value;
}

static int32_t read_signed(struct reader *r)
{
	uint32_t value = read_varint(r);

	return value & 1 ? -(int32_t)(value >> 1) : (int32_t)(value >> 1);
}

static void skip_bytes(struct reader *r, size_t n)
{
	r->at += (size_t)(r->end - r->at) < n ? (size_t)(r->end - r->at) : n;
}

/* How many lines an entry moves on; what else it has is passed over. */
static int32_t read_location(struct reader *r, unsigned int kind)
{
	int32_t delta = 0;

	if (kind <= LOCATION_SHORT_MAX) {
		skip_bytes(r, 1);
	} else if (kind < LOCATION_NO_COLUMNS) {
		delta = (int32_t)kind - LOCATION_ONE_LINE;
		skip_bytes(r, 2);
	} else if (kind != LOCATION_NONE) {
		delta = read_signed(r);
		for (int i = 0; kind == LOCATION_LONG && i < 3; i++)
			(void)read_varint(r);
	}
	return delta;
}

static uint32_t line_of_locations(const uint8_t *table, size_t n, int64_t line, uint64_t unit)
{
	struct reader r = { .at = table, .end = table + n };
	uint64_t end = 0;

	while (r.at < r.end) {
		uint8_t head = *r.at++;
		unsigned int kind = head >> 3 & 0xf;

		/* Entries begin with this bit; what does not is no table. */
		if (!(head & 0x80))
			return 0;
		end += (head & 7u) + 1;
		line += read_location(&r, kind);
		if (unit < end)
			return kind == LOCATION_NONE ? 0 : to_line(line);
	}
	return 0;
}

uint32_t python_line_of_unit(enum python_line_table kind, const uint8_t *table, size_t n,
			     uint32_t first_line, uint32_t unit)
{
	if (n == 0)
		return 0;
	switch (kind) {
	case PYTHON_LNOTAB:
		return line_of_lnotab(table, n, first_line, (uint64_t)unit * UNIT_BYTES);
	case PYTHON_LINETABLE:
		return line_of_linetable(table, n, first_line, (uint64_t)unit * UNIT_BYTES);
	case PYTHON_LOCATIONS:
		return line_of_locations(table, n, first_line, unit);
	}
	return 0;
}

uint32_t python_code_line(const struct python_code *c, uint32_t unit)
{
	uint32_t line = python_line_of_unit(c->kind, c->table, c->n, c->first_line, unit);

	return line ? line : c->first_line;
}

/* A str object, of which a part lies in buffers. */
struct copy {
	uint8_t head[64];
	const uint8_t *data;
	size_t data_at; /* in the object */
	size_t bytes;
};

static int read_copy(const struct python_memory *m, uint64_t address, void *to, size_t n)
{
	const struct copy *c = m->userdata;

	if (address == 0 && n <= sizeof(c->head)) {
		memcpy(to, c->head, n);
		return 0;
	}
	if (address != c->data_at || n > c->bytes)
		return -EFAULT;
	memcpy(to, c->data, n);
	return 0;
}

int python_text(const struct python_layout *l, uint64_t length, uint32_t state, const uint8_t *data,
		size_t bytes, char **ret)
{
	unsigned int size = state >> 2 & 7; /* of a character */
	struct copy copy = { .data = data, .bytes = bytes };
	const struct python_memory m = { .read = read_copy, .userdata = &copy };
	char text[4 * PYTHON_TEXT_MAX];
	uint64_t copied;
	int r;

	if (size == 0)
		return -EINVAL;
	copied = bytes / size;
	if (length > copied)
		length = copied;
	copy.data_at = state >> 6 & 1 ? l->str_ascii : l->str_compact;
	memcpy(copy.head + l->str_length, &length, sizeof(length));
	memcpy(copy.head + l->str_state, &state, sizeof(state));
	r = python_read_str(&m, l, 0, text, sizeof(text));
	if (r < 0)
		return r;
	*ret = text[0] ? strdup(text) : NULL;
	return text[0] && !*ret ? -ENOMEM : 0;
}
