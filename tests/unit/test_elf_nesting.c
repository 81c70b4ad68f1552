// SPDX-License-Identifier: GPL-2.0-or-later
/* Which hooked functions call one another: handmade code, and code that is none. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "elf/nesting.h"
#include "fixtures/elf.h"

/* All rows have a hook at 0 that is judged, and another one at 0x40 whose probe is at 0x44. */
#define BASE	   0x1000
#define OTHER	   0x40
#define PROBE	   0x44
#define CODE_BYTES 0x80

/* Where slots are: beyond the code, as data is. */
#define HOOKED_SLOT 0x2000 /* of a function with a hooked name */
#define LOCAL_SLOT  0x2008 /* of the function at 0x20 */
#define OTHER_SLOT  0x2010 /* of the other hook, by another name */
#define NO_SLOT	    0x2018 /* of who knows what */

struct part {
	size_t offset;
	const char *code; /* hex; '#' at the beginning: a function starts here */
};

struct row {
	const char *what;
	struct part parts[6];
	bool expected;
};

static const struct row rows[] = {
	{ "returns", { { 0, "c3" } }, false },
	{ "calls the other", { { 0, "e83b000000 c3" } }, true },
	{ "calls its probe", { { 0, "e83f000000 c3" } }, true },
	{ "calls what is behind it", { { 0, "e840000000 c3" } }, false },
	{ "jumps to it", { { 0, "e93b000000" } }, true },
	{ "jumps a short way to it", { { 0, "eb3e" } }, true },
	{ "jumps to its probe", { { 0, "eb42" } }, true },
	{ "jumps behind its probe", { { 0, "eb43" } }, false },
	{ "jumps to it if zero", { { 0, "0f843a000000 c3" } }, true },
	{ "jumps to it if zero, short", { { 0, "743e c3" } }, true },
	{ "jumps to it if rcx is zero", { { 0, "e33e c3" } }, true },
	{ "loops to it", { { 0, "e23e c3" } }, true },
	{ "calls it on one way only", { { 0, "7401 c3 e838000000 c3" } }, true },
	{ "calls itself", { { 0, "e8fbffffff c3" } }, true },
	{ "loops to its start", { { 0, "90 ebfd" } }, true },
	{ "loops elsewhere", { { 0, "9090 ebfd" } }, false },
	{ "code behind the return", { { 0, "c3 e83a000000 c3" } }, false },
	{ "code behind a jump", { { 0, "eb05 e839000000 c3" } }, false },

	{ "one call deep", { { 0, "e81b000000 c3" }, { 0x20, "e81b000000 c3" } }, true },
	{ "one call deep, by a jump", { { 0, "e81b000000 c3" }, { 0x20, "eb1e" } }, true },
	{ "three calls deep",
	  { { 0, "e80b000000 c3" },
	    { 0x10, "e80b000000 c3" },
	    { 0x20, "e80b000000 c3" },
	    { 0x30, "e80b000000 c3" } },
	  true },
	{ "four calls deep",
	  { { 0, "e80b000000 c3" },
	    { 0x10, "e80b000000 c3" },
	    { 0x20, "e80b000000 c3" },
	    { 0x30, "e83b000000 c3" },
	    { 0x70, "e8cbffffff c3" } },
	  false },
	{ "jumps do not deepen",
	  { { 0, "eb0e" },
	    { 0x10, "eb0e" },
	    { 0x20, "eb0e" },
	    { 0x30, "eb3e" },
	    { 0x70, "e8cbffffff c3" } },
	  true },
	{ "calls one that calls itself",
	  { { 0, "e81b000000 c3" }, { 0x20, "e8fbffffff c3" } },
	  false },
	{ "two that call each other",
	  { { 0, "e81b000000 c3" },
	    { 0x20, "e80b000000 c3" },
	    { 0x30, "e8ebffffff e806000000 c3" } },
	  true },
	{ "calls one that calls this one",
	  { { 0, "e81b000000 c3" }, { 0x20, "e8dbffffff c3" } },
	  true },

	{ "by one that halts", { { 0, "e81b000000 c3" }, { 0x20, "e81b000000 f4" } }, false },
	{ "by one that traps", { { 0, "e81b000000 c3" }, { 0x20, "e81b000000 0f0b" } }, false },
	{ "by one that hangs", { { 0, "e81b000000 c3" }, { 0x20, "e81b000000 ebfe" } }, false },
	{ "before it halts itself", { { 0, "e83b000000 f4" } }, true },
	{ "by one that may halt",
	  { { 0, "e81b000000 c3" }, { 0x20, "e81b000000 7401 f4 c3" } },
	  true },
	{ "by one that ends in the next function",
	  { { 0, "e81b000000 c3" }, { 0x20, "e81b000000" }, { 0x25, "# c3" } },
	  false },
	{ "by one that ends in a jump through a register",
	  { { 0, "e81b000000 c3" }, { 0x20, "e81b000000 ffe0" } },
	  true },
	{ "by one that ends in a jump out of the code",
	  { { 0, "e81b000000 c3" }, { 0x20, "e81b000000 e900010000" } },
	  true },
	{ "the next function does", { { 0, "90" }, { 1, "# e83a000000 c3" } }, false },
	{ "the same code as one function", { { 0, "90" }, { 1, "e83a000000 c3" } }, true },
	{ "a part of it elsewhere does",
	  { { 0, "741e c3" }, { 0x20, "# e81b000000 ebda" } },
	  true },

	{ "through a slot of its name", { { 0, "ff15fa0f0000 c3" } }, true },
	{ "by a jump through it", { { 0, "ff25fa0f0000" } }, true },
	{ "through a slot of another name", { { 0, "ff150a100000 c3" } }, true },
	{ "through an unknown slot", { { 0, "ff1512100000 c3" } }, false },
	{ "by a jump through an unknown slot", { { 0, "ff2512100000" } }, false },
	{ "through an address", { { 0, "ff142500200000 c3" } }, true },
	{ "through an address of the thread", { { 0, "64ff142500200000 c3" } }, false },
	{ "through a table", { { 0, "ff14c500200000 c3" } }, false },
	{ "through a register", { { 0, "488b05f90f0000 ffd0 c3" } }, false },
	{ "through what a register points to", { { 0, "ff9000200000 c3" } }, false },
	{ "by a stub", { { 0, "e81b000000 c3" }, { 0x20, "ff25da0f0000" } }, true },
	{ "by a jump to a stub", { { 0, "eb1e" }, { 0x20, "ff25da0f0000" } }, true },
	{ "by a stub with endbr64 and bnd",
	  { { 0, "e81b000000 c3" }, { 0x20, "f30f1efa f2ff25d50f0000" } },
	  true },
	{ "by a stub of something else",
	  { { 0, "e81b000000 c3" }, { 0x20, "ff25f20f0000" } },
	  false },
	{ "by a slot of a function that does",
	  { { 0, "ff1502100000 c3" }, { 0x20, "e81b000000 c3" } },
	  true },
	{ "by a slot of one that does not", { { 0, "ff1502100000 c3" }, { 0x20, "c3" } }, false },
	/* A stub is no call of its own: through one, four functions are as deep as without. */
	{ "three calls deep by stubs",
	  { { 0, "e80b000000 c3" },
	    { 0x10, "e84b000000 c3" },
	    { 0x60, "ff25a20f0000" },
	    { 0x20, "e80b000000 c3" },
	    { 0x30, "e80b000000 c3" } },
	  true },

	{ "no instruction", { { 0, "06 e83a000000 c3" } }, false },
	{ "calls what is no code", { { 0, "e800010000 c3" } }, false },
	{ "calls what is before the code", { { 0, "e8f0feffff c3" } }, false },
	{ "calls the last byte", { { 0, "e87a000000 c3" }, { 0x7f, "e8" } }, false },
};

static void decode(const char *hex, uint8_t *bytes)
{
	unsigned int byte;

	for (; *hex; hex++) {
		if (*hex == ' ' || *hex == '#')
			continue;
		assert_int_equal(sscanf(hex, "%2x", &byte), 1);
		*bytes++ = (uint8_t)byte;
		hex++;
	}
}

static bool judge(const struct row *row)
{
	static const struct nesting_slot slots[] = {
		{ HOOKED_SLOT, NESTING_HOOKED },
		{ LOCAL_SLOT, BASE + 0x20 },
		{ OTHER_SLOT, BASE + OTHER },
	};
	static const struct nesting_hook hooks[] = {
		{ BASE, BASE },
		{ BASE + OTHER, BASE + PROBE },
	};
	_cleanup_free_ uint8_t *bytes = malloc(CODE_BYTES);
	uint64_t starts[ARRAY_SIZE(row->parts)];
	struct nesting_code code = {
		.bytes = bytes,
		.size = CODE_BYTES,
		.vaddr = BASE,
		.starts = starts,
		.slots = slots,
		.n_slots = ARRAY_SIZE(slots),
		.hooks = hooks,
		.n_hooks = ARRAY_SIZE(hooks),
	};
	bool calls[2];

	assert_non_null(bytes);
	memset(bytes, 0xc3, CODE_BYTES);
	for (size_t i = 0; i < ARRAY_SIZE(row->parts) && row->parts[i].code; i++) {
		decode(row->parts[i].code, bytes + row->parts[i].offset);
		if (row->parts[i].code[0] == '#')
			starts[code.n_starts++] = BASE + row->parts[i].offset;
	}
	assert_int_equal(nesting_find(&code, calls), 0);
	assert_false(calls[1]);
	return calls[0];
}

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		print_message("  %s\n", rows[i].what);
		assert_int_equal(judge(&rows[i]), rows[i].expected);
	}
}

/* Two names of one function do not call each other. */
static void test_aliases(void **state)
{
	static const uint8_t bytes[] = { 0x90, 0x90, 0xc3, 0xe8, 0xf8, 0xff, 0xff, 0xff, 0xc3 };
	static const struct nesting_hook hooks[] = { { 0, 1 }, { 3, 3 }, { 0, 1 } };
	const struct nesting_code code = {
		.bytes = bytes, .size = sizeof(bytes), .hooks = hooks, .n_hooks = ARRAY_SIZE(hooks)
	};
	bool calls[3];

	(void)state;
	assert_int_equal(nesting_find(&code, calls), 0);
	assert_false(calls[0]);
	assert_true(calls[1]);
	assert_false(calls[2]);
}

/*
 * Code made to keep a walk busy: every instruction calls, or branches to, many more. The first hook
 * is at its start; the second one, which everything leads to in the end, is behind it.
 */
static void check_busy(const char *what, const uint8_t *pattern, size_t size, bool expected)
{
	enum {
		BYTES = 8 << 20
	};
	_cleanup_free_ uint8_t *bytes = malloc(BYTES);
	struct nesting_hook hooks[2] = { { 0, 0 }, { BYTES - 1, BYTES - 1 } };
	const struct nesting_code code = {
		.bytes = bytes, .size = BYTES, .hooks = hooks, .n_hooks = ARRAY_SIZE(hooks)
	};
	bool calls[2] = { false };

	print_message("  %s\n", what);
	assert_non_null(bytes);
	for (size_t i = 0; i < BYTES; i++)
		bytes[i] = pattern[i % size];
	bytes[BYTES - 1] = 0xc3;
	assert_int_equal(nesting_find(&code, calls), 0);
	assert_int_equal(calls[0], expected);
	assert_false(calls[1]);
}

static void test_busy(void **state)
{
	static const uint8_t calls[] = { 0xe8, 0, 0, 0, 0 };
	static const uint8_t branches[] = { 0x0f, 0x84, 0, 0, 0, 0 };
	static const uint8_t far[] = { 0x0f, 0x84, 0x34, 0x12, 0, 0 };
	static const uint8_t shifted[] = { 0xe8, 0xe8, 0, 0, 0 };
	static const uint8_t nops[] = { 0x90 };
	static const uint8_t back[] = { 0x90, 0x90, 0xeb, 0xfc };

	(void)state;
	check_busy("each calls the next", calls, sizeof(calls), false);
	check_busy("each branches to the next", branches, sizeof(branches), false);
	check_busy("each branches far", far, sizeof(far), false);
	check_busy("each calls into another", shifted, sizeof(shifted), false);
	check_busy("nothing but nops", nops, sizeof(nops), false);
	check_busy("a loop to its start", back, sizeof(back), true);
}

/* No code makes it read beyond its end, and the same code is judged the same twice. */
static void test_random(void **state)
{
	uint64_t seed = 11;
	unsigned int found = 0;

	(void)state;
	for (int i = 0; i < 499; i++) {
		size_t size = fixture_random(&seed) % 4099 + 1, n = fixture_random(&seed) % 7 + 1;
		_cleanup_free_ uint8_t *bytes = malloc(size);
		struct nesting_hook hooks[7];
		struct nesting_slot slots[3];
		bool once[7] = { false }, twice[7] = { false };
		const struct nesting_code code = {
			.bytes = bytes,
			.size = size,
			.slots = slots,
			.n_slots = 3,
			.vaddr = (uint64_t)-size * (i % 2),
			.hooks = hooks,
			.n_hooks = n,
		};

		assert_non_null(bytes);
		for (size_t k = 0; k < size; k++) {
			uint32_t random = fixture_random(&seed);

			/* Calls and branches of all lengths, among other things. */
			bytes[k] = random % 3 ? (uint8_t)(random >> 8) : random % 2 ? 0xe8 : 0;
		}
		for (size_t k = 0; k < n; k++) {
			hooks[k].start = code.vaddr + fixture_random(&seed) % (size + 7);
			hooks[k].probe = hooks[k].start + fixture_random(&seed) % 9;
		}
		for (size_t k = 0; k < 3; k++) {
			slots[k].vaddr = (k + 1) * 0x1000;
			slots[k].target = code.vaddr + fixture_random(&seed);
		}
		assert_int_equal(nesting_find(&code, once), 0);
		assert_int_equal(nesting_find(&code, twice), 0);
		assert_memory_equal(once, twice, sizeof(once));
		found += once[0];
	}
	print_message("  %u found\n", found);
	assert_true(found > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_aliases),
		cmocka_unit_test(test_busy),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
