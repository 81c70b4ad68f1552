// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * build: -O2 -fomit-frame-pointer -fno-builtin -fno-optimize-sibling-calls -std=c++17
 *
 * Who calls operator new, in all of its forms and by way of the standard library.
 */
#include <new>
#include <string>
#include <vector>

#include "workload.h"

enum {
	PLAIN,
	ARRAY,
	NOTHROW,
	ALIGNED,
	VECTOR,
	STRING,
	FUNCTIONS,
};

static struct ledger ledgers[FUNCTIONS] = {
	{ "caller_new", 0, 0, 0, 0 },	  { "caller_new_array", 0, 0, 0, 0 },
	{ "caller_nothrow", 0, 0, 0, 0 }, { "caller_aligned_new", 0, 0, 0, 0 },
	{ "caller_vector", 0, 0, 0, 0 },  { "caller_string", 0, 0, 0, 0 },
};

struct record {
	char bytes[72];
};

struct alignas(256) wide_record {
	char bytes[512];
};

static void *volatile escaped;

static NOINLINE void caller_new()
{
	escaped = new record;
	ledger_add(&ledgers[PLAIN], sizeof(record));
}

static NOINLINE void caller_new_array(size_t n)
{
	escaped = new record[n];
	ledger_add(&ledgers[ARRAY], n * sizeof(record));
}

static NOINLINE void caller_nothrow()
{
	escaped = new (std::nothrow) record;
	ledger_add(&ledgers[NOTHROW], sizeof(record));
}

static NOINLINE void caller_aligned_new()
{
	escaped = new wide_record;
	ledger_add(&ledgers[ALIGNED], sizeof(wide_record));
}

/* The vector itself is in static memory and never destroyed; each call is one allocation. */
static NOINLINE void caller_vector(std::vector<record> *v, size_t n)
{
	v->reserve(n);
	ledger_add(&ledgers[VECTOR], n * sizeof(record));
}

static NOINLINE void caller_string(std::string *s, size_t n)
{
	s->assign(n, 'x');
	ledger_add(&ledgers[STRING], s->capacity() + 1);
}

int main(int argc, char **argv)
{
	static std::vector<record> vectors[31];
	static std::string strings[37];

	workload_begin(argc, argv);
	for (int i = 0; i < 101; i++)
		caller_new();
	for (int i = 0; i < 53; i++)
		caller_new_array(3 + i);
	for (int i = 0; i < 47; i++)
		caller_nothrow();
	for (int i = 0; i < 43; i++)
		caller_aligned_new();
	for (int i = 0; i < 31; i++)
		caller_vector(&vectors[i], 2 + i);
	for (int i = 0; i < 37; i++)
		caller_string(&strings[i], 200 + i);
	say_truth(ledgers, FUNCTIONS);
	workload_end(argc, argv);
	/* Not by return: the destructors would free what the report is about. */
	_exit(0);
}
