// SPDX-License-Identifier: GPL-2.0-or-later
/* The tables, and how they are compared with what an interpreter says. See layout.h for sources. */
#include "python/layout.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"

#define NONE PYTHON_NONE

/* Everything but the kinds of tables. */
/* clang-format off */
#define FIELDS(X)                                                                                \
	/*                            3.8      3.9     3.10     3.11     3.12     3.13     3.14 */ \
	X(runtime_interpreters,       32,      32,      32,      40,      40,     632,    NONE)  \
	X(interpreter_next,            0,       0,       0,       0,       0,    7264,    NONE)  \
	X(interpreter_threads,         8,       8,       8,      16,      72,    7344,    NONE)  \
	X(interpreter_modules,        56,     856,     856,     888,     944,    7656,    NONE)  \
	X(thread_next,                 8,       8,       8,       8,       8,       8,       8)  \
	X(thread_interpreter,         16,      16,      16,      16,      16,      16,      16)  \
	X(thread_frame,               24,      24,      24,      56,      56,      72,      72)  \
	X(thread_cframe_frame,      NONE,    NONE,    NONE,       8,       0,    NONE,    NONE)  \
	X(thread_id,                 176,     176,     176,     152,     136,     152,     152)  \
	X(thread_native_id,         NONE,    NONE,    NONE,     160,     144,     160,     160)  \
	X(thread_datastack,         NONE,    NONE,    NONE,     296,     232,     232,     232)  \
	X(frame_code,                 32,      32,      32,      32,       0,       0,       0)  \
	X(frame_previous,             24,      24,      24,      48,       8,       8,       8)  \
	X(frame_instruction,         104,     104,      96,      56,      56,      56,      56)  \
	X(frame_globals,              48,      48,      48,       8,      24,      24,      24)  \
	X(frame_locals,              360,     360,     352,      72,      72,      72,      80)  \
	X(frame_owner,              NONE,    NONE,    NONE,      69,      70,      70,      74)  \
	X(frame_is_entry,           NONE,    NONE,    NONE,      68,    NONE,    NONE,    NONE)  \
	X(frame_state,              NONE,    NONE,     108,    NONE,    NONE,    NONE,    NONE)  \
	X(frame_bytes,               112,     112,     112,      72,      72,      72,      80)  \
	X(code_flags,                 36,      36,      36,      48,      48,      48,      48)  \
	X(code_firstlineno,           40,      40,      40,      72,      68,      68,      68)  \
	X(code_version,             NONE,    NONE,    NONE,    NONE,      92,      92,      92)  \
	X(code_filename,             104,     104,     104,     112,     112,     112,     112)  \
	X(code_name,                 112,     112,     112,     120,     120,     120,     120)  \
	X(code_qualname,            NONE,    NONE,    NONE,     128,     128,     128,     128)  \
	X(code_linetable,            120,     120,     120,     136,     136,     136,     136)  \
	X(code_first_unit,            48,      48,      48,     184,     192,     200,     208)  \
	X(code_varnames,              72,      72,      72,    NONE,    NONE,    NONE,    NONE)  \
	X(code_cellvars,              88,      88,      88,    NONE,    NONE,    NONE,    NONE)  \
	X(code_freevars,              80,      80,      80,    NONE,    NONE,    NONE,    NONE)  \
	X(code_localsplusnames,     NONE,    NONE,    NONE,      96,      96,      96,      96)  \
	X(str_length,                 16,      16,      16,      16,      16,      16,      16)  \
	X(str_state,                  32,      32,      32,      32,      32,      32,      32)  \
	X(str_ascii,                  48,      48,      48,      48,      40,      40,      40)  \
	X(str_compact,                72,      72,      72,      72,      56,      56,      56)  \
	X(bytes_data,                 32,      32,      32,      32,      32,      32,      32)  \
	X(tuple_items,                24,      24,      24,      24,      24,      24,      32)  \
	X(long_digits,                24,      24,      24,      24,      24,      24,      24)  \
	X(long_tag,                 NONE,    NONE,    NONE,    NONE,      16,      16,      16)  \
	X(dict_used,                  16,      16,      16,      16,      16,      16,      16)  \
	X(dict_keys,                  32,      32,      32,      32,      32,      32,      32)  \
	X(dict_values,                40,      40,      40,      40,      40,      40,      40)  \
	X(split_values,                0,       0,       0,       0,       0,       8,       8)  \
	X(keys_size,                   8,       8,       8,       8,       8,       8,       8)  \
	X(keys_index_log2,          NONE,    NONE,    NONE,       9,       9,       9,       9)  \
	X(keys_kind,                NONE,    NONE,    NONE,      10,      10,      10,      10)  \
	X(keys_entries,               32,      32,      32,      24,      24,      24,      24)  \
	X(keys_indices,               40,      40,      40,      32,      32,      32,      32)  \
	X(function_code,              16,      16,      48,      48,      48,      48,      48)  \
	X(function_globals,           24,      24,      16,      16,      16,      16,      16)  \
	X(function_defaults,          32,      32,      56,      56,      56,      56,      56)  \
	X(function_closure,           48,      48,      72,      72,      72,      72,      72)  \
	X(function_dict,              72,      72,      88,      88,      88,      88,      88)  \
	X(heap_name,                 848,     840,     848,     848,     856,     856,     856)  \
	X(heap_qualname,             864,     856,     864,     864,     872,     872,     872)  \
	X(heap_cached_keys,          872,     864,     872,     872,     880,     880,     880)  \
	X(generator_code,             32,      32,      24,      16,    NONE,    NONE,    NONE)  \
	X(generator_frame,            16,      16,      16,      80,      72,      72,      72)  \
	X(generator_state,          NONE,    NONE,    NONE,      75,      67,      67,      67)  \
	X(generator_name,             48,      48,      40,      32,      24,      24,      24)  \
	X(generator_qualname,         56,      56,      48,      40,      32,      32,      32)  \
	X(task_bytes,                144,     184,     192,     176,     176,     144,     168)  \
	X(task_coro,                 112,     152,     160,     136,     136,     120,     128)  \
	X(task_name,                 120,     160,     168,     144,     144,     128,     136)  \
	X(task_fut_waiter,           104,     144,     152,     128,     128,     112,     120)  \
	X(task_state,                 72,      80,      88,      88,      88,      96,     104)  \
	X(future_callback0,           24,      24,      24,      24,      24,      24,      24)  \
	X(future_callbacks,           40,      40,      40,      40,      40,      40,      40)  \
	X(pool_bytes,               4096,    4096,   16384,   16384,   16384,   16384,   16384)  \
	X(arena_bytes,            262144,  262144, 1048576, 1048576, 1048576, 1048576, 1048576)
/* clang-format on */

#define IN_3_8(name, a, b, c, d, e, f, g)  .name = (a),
#define IN_3_9(name, a, b, c, d, e, f, g)  .name = (b),
#define IN_3_10(name, a, b, c, d, e, f, g) .name = (c),
#define IN_3_11(name, a, b, c, d, e, f, g) .name = (d),
#define IN_3_12(name, a, b, c, d, e, f, g) .name = (e),
#define IN_3_13(name, a, b, c, d, e, f, g) .name = (f),
#define IN_3_14(name, a, b, c, d, e, f, g) .name = (g),

#define KINDS(v, instruction, table) \
	.minor = (v), .previous_instruction = (instruction), .line_table = (table)

static const struct python_layout layouts[] = {
	{ KINDS(8, PYTHON_LASTI_BYTES, PYTHON_LNOTAB), FIELDS(IN_3_8) },
	{ KINDS(9, PYTHON_LASTI_BYTES, PYTHON_LNOTAB), FIELDS(IN_3_9) },
	{ KINDS(10, PYTHON_LASTI_UNITS, PYTHON_LINETABLE), FIELDS(IN_3_10) },
	{ KINDS(11, PYTHON_LASTI_POINTER, PYTHON_LOCATIONS), FIELDS(IN_3_11) },
	{ KINDS(12, PYTHON_LASTI_POINTER, PYTHON_LOCATIONS), FIELDS(IN_3_12) },
	{ KINDS(13, PYTHON_LASTI_POINTER, PYTHON_LOCATIONS), FIELDS(IN_3_13) },
	{ KINDS(14, PYTHON_LASTI_POINTER, PYTHON_LOCATIONS), FIELDS(IN_3_14) },
};

const struct python_layout *python_layout_find(unsigned int major, unsigned int minor)
{
	for (size_t i = 0; major == 3 && i < ARRAY_SIZE(layouts); i++)
		if (layouts[i].minor == minor)
			return &layouts[i];
	return NULL;
}

/* Where struct _Py_DebugOffsets has a member, by minor version, and which of ours it is. */
struct published {
	size_t member;	/* of struct python_layout */
	uint16_t at[2]; /* in 3.13, in 3.14 */
	uint16_t moves; /* 1: between micro versions, so it is taken; else it must be the table's */
};

#define PUBLISHED(name, at13, at14, moves)                                  \
	{                                                                   \
		offsetof(struct python_layout, name), { at13, at14 }, moves \
	}

static const struct published published[] = {
	PUBLISHED(runtime_interpreters, 40, 40, 1), PUBLISHED(interpreter_next, 64, 64, 1),
	PUBLISHED(interpreter_threads, 72, 72, 1),  PUBLISHED(interpreter_modules, 88, 96, 1),
	PUBLISHED(thread_next, 168, 192, 0),	    PUBLISHED(thread_interpreter, 176, 200, 0),
	PUBLISHED(thread_frame, 184, 208, 0),	    PUBLISHED(thread_id, 192, 216, 0),
	PUBLISHED(thread_native_id, 200, 224, 0),   PUBLISHED(frame_previous, 232, 256, 0),
	PUBLISHED(frame_code, 240, 264, 0),	    PUBLISHED(frame_instruction, 248, 272, 0),
	PUBLISHED(frame_owner, 264, 288, 0),	    PUBLISHED(code_filename, 280, 320, 0),
	PUBLISHED(code_name, 288, 328, 0),	    PUBLISHED(code_qualname, 296, 336, 0),
	PUBLISHED(code_linetable, 304, 344, 0),	    PUBLISHED(code_firstlineno, 312, 352, 0),
	PUBLISHED(code_first_unit, 344, 384, 0),    PUBLISHED(bytes_data, 528, 608, 0),
	PUBLISHED(str_ascii, 560, 640, 0),
};

#define COOKIE	      "xdebugpy"
#define VERSION_AT    8
#define THREADED_AT   16
#define PUBLISHED_MIN 13 /* 3.13 */

static uint64_t u64_at(const void *bytes, size_t offset)
{
	uint64_t v;

	memcpy(&v, (const uint8_t *)bytes + offset, sizeof(v));
	return v;
}

static int take_published(const struct published *p, const void *bytes, size_t n,
			  struct python_layout *l)
{
	size_t at = p->at[l->minor - PUBLISHED_MIN];
	uint16_t *ours = (uint16_t *)((uint8_t *)l + p->member);
	uint64_t theirs;

	if (at + sizeof(theirs) > n)
		return -EPROTO;
	theirs = u64_at(bytes, at);
	if (theirs >= PYTHON_NONE || (!p->moves && theirs != *ours))
		return -EPROTO;
	*ours = (uint16_t)theirs;
	return 0;
}

int python_layout_of_runtime(const struct python_layout *table, const void *bytes, size_t n,
			     struct python_layout *ret, const char **ret_why)
{
	*ret = *table;
	if (table->minor < PUBLISHED_MIN)
		return 0;
	if (n < THREADED_AT + sizeof(uint64_t) || memcmp(bytes, COOKIE, strlen(COOKIE)) != 0) {
		*ret_why = "its _PyRuntime does not begin with debug offsets";
		return -EPROTO;
	}
	if (u64_at(bytes, VERSION_AT) >> 16 != (3u << 8 | table->minor)) {
		*ret_why = "its debug offsets are of another version than its file";
		return -EPROTO;
	}
	if (u64_at(bytes, THREADED_AT)) {
		*ret_why = "free-threaded builds of Python are not supported";
		return -EPROTO;
	}
	for (size_t i = 0; i < ARRAY_SIZE(published); i++)
		if (take_published(&published[i], bytes, n, ret) < 0) {
			*ret_why =
				"its debug offsets contradict those that are known of its version";
			return -EPROTO;
		}
	return 0;
}
