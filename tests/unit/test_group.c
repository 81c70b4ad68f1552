// SPDX-License-Identifier: GPL-2.0-or-later
/* heap/group.c, filter.c, plumbing.c, ids.c: whose line a site is, and how sites are summed up. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <string.h>

#include "heap/group.h"
#include "totals.h"

#define LIBC "/lib/x86_64-linux-gnu/libc.so.6"
#define APP  "/opt/app"
#define CXX  "/usr/include/c++/12/ext/new_allocator.h"

static void test_words(void **state)
{
	enum group_by by = GROUP_BY_FILE;
	enum group_sort sort = GROUP_SORT_COUNT;

	(void)state;
	for (int i = GROUP_BY_STACK; i <= GROUP_BY_MODULE; i++) {
		assert_int_equal(group_by_parse(group_by_name((enum group_by)i), &by), 0);
		assert_int_equal(by, i);
	}
	for (int i = GROUP_SORT_GROWTH; i <= GROUP_SORT_ALLOCATED; i++) {
		assert_int_equal(group_sort_parse(group_sort_name((enum group_sort)i), &sort), 0);
		assert_int_equal(sort, i);
	}
	assert_string_equal(group_by_name(GROUP_BY_LINE), "line");
	assert_string_equal(group_sort_name(GROUP_SORT_GROWTH), "growth");
	assert_int_equal(group_by_parse("Line", &by), -EINVAL);
	assert_int_equal(group_by_parse("", &by), -EINVAL);
	assert_int_equal(group_sort_parse("size", &sort), -EINVAL);
	assert_int_equal(by, GROUP_BY_MODULE);
	assert_string_equal(group_by_name((enum group_by)97), "unknown");
}

static void test_plumbing(void **state)
{
	static const struct {
		const char *function;
		const char *file;
		const char *module;
		bool is_plumbing;
	} cases[] = {
		{ NULL, NULL, LIBC, false },
		{ "", NULL, LIBC, false },
		{ "main", NULL, APP, false },
		{ "malloc", NULL, APP, true },
		{ "malloc.constprop.0", NULL, APP, true },
		{ "malloc_hook", NULL, APP, false },
		{ "my_malloc", NULL, APP, false },
		{ "operator new(unsigned long)", NULL, "/lib/libstdc++.so.6", true },
		{ "operator new[](unsigned long)", NULL, APP, true },
		{ "operator new[](unsigned long, std::nothrow_t const&)", NULL, APP, true },
		{ "operator new", NULL, APP, true },
		{ "Pool::operator new(unsigned long)", NULL, APP, true },
		{ "void* operator new<int>(unsigned long)", NULL, APP, false },
		{ "operator delete(void*)", NULL, APP, true },
		{ "operator_new", NULL, APP, false },
		{ "Vector::operator[](int)", NULL, APP, false },
		{ "bool operator< <int>(int)", NULL, APP, false },
		{ "std::allocator<int>::allocate(unsigned long)", NULL, APP, true },
		{ "std::__new_allocator<char>::allocate(unsigned long, void const*)", NULL, APP,
		  true },
		{ "__gnu_cxx::new_allocator<std::pair<int const, int> >::allocate(unsigned long)",
		  NULL, APP, true },
		{ "std::allocator_traits<std::allocator<int> >::allocate(std::allocator<int>&, "
		  "unsigned long)",
		  NULL, APP, true },
		{ "std::_Vector_base<int, std::allocator<int> >::_M_allocate(unsigned long)", NULL,
		  APP, true },
		{ "void std::vector<int, std::allocator<int> >::_M_realloc_insert<int const&>(int)",
		  NULL, APP, true },
		{ "std::__cxx11::basic_string<char>::_M_create(unsigned long&, unsigned long)",
		  NULL, APP, true },
		{ "std::_Rb_tree<int>::_M_get_node[abi:cxx11]()", NULL, APP, true },
		{ "std::vector<int, std::allocator<int> >::push_back(int const&)", NULL, APP,
		  true },
		{ "std::thread::_M_start_thread(int)", NULL, APP, true },
		{ "std::map<int, int>::operator[](int const&)", NULL, APP, true },
		{ "app::Table::operator[](int)", NULL, APP, false },
		{ "app::operator<<(std::ostream&, int)", NULL, APP, false },
		{ "stdx::make()", NULL, APP, false },
		{ "my::_M_create(int)", NULL, APP, false },
		/* Only in the arguments, the parameters or the return type. */
		{ "app::load<std::allocator<int>::allocate>(int)", NULL, APP, false },
		{ "app::load(std::allocator<int>)", NULL, APP, false },
		{ "std::allocator<int> app::make<int>()", NULL, APP, false },
		{ "(anonymous namespace)::malloc()", NULL, APP, false },
		/* Named by debug information without class. */
		{ "allocate", CXX, APP, true },
		{ "_M_allocate", "/usr/include/c++/12/bits/stl_vector.h", APP, true },
		{ "allocate", "/src/app.cc", APP, false },
		{ "allocate", NULL, APP, false },
		{ "g_malloc0", NULL, "/lib/libglib-2.0.so.0", true },
		{ "g_slice_alloc", NULL, "/lib/libglib-2.0.so.0", true },
		{ "g_object_new", NULL, "/lib/libgobject-2.0.so.0", false },
		{ "xmalloc", "/src/x.c", APP, true },
		{ "xstrdup", NULL, APP, true },
		{ "strdup", NULL, LIBC, true },
		{ "__getdelim", NULL, LIBC, true },
		{ "vasprintf", NULL, "/lib/libc-2.31.so", true },
		{ "strdup", NULL, "/lib/libc.musl-x86_64.so.1", true },
		{ "strdup", NULL, APP, false },
		{ "strdup", NULL, NULL, false },
		{ "strdup", NULL, "/lib/libcrypto.so.3", false },
		{ "fopen", NULL, LIBC, false },
		{ "CRYPTO_malloc", NULL, "/lib/libcrypto.so.3", true },
		{ "zmalloc", NULL, "/usr/bin/redis-server", true },
		{ "ztrymalloc_usable_internal", NULL, "/usr/bin/redis-server", true },
		{ "zmalloc_get_rss", NULL, "/usr/bin/redis-server", false },
		{ "_PyMem_RawMalloc", NULL, "/usr/bin/python3.11", true },
		{ "PyObject_Malloc", NULL, "/usr/bin/python3.11", true },
		/* The whole interpreter: some line of Python is meant. Not modules of other people's. */
		{ "PyList_New", NULL, "/usr/bin/python3.11", true },
		{ NULL, NULL, "/usr/lib/libpython3.9.so.1.0", true },
		{ "scan_once", NULL, "/usr/lib/python3.11/lib-dynload/_json.cpython-311.so", true },
		{ "leak", NULL, "/usr/lib/python3/dist-packages/ext.cpython-311.so", false },
		{ NULL, NULL, "/opt/pythonic", false },
		{ "__rust_alloc", NULL, APP, true },
		{ "alloc::alloc::exchange_malloc", NULL, APP, true },
		{ "alloc::raw_vec::RawVec<T,A>::grow_one", NULL, APP, true },
		{ "<alloc::alloc::Global as core::alloc::Allocator>::allocate", NULL, APP, true },
		{ "alloc::vec::Vec<T,A>::push", NULL, APP, true },
		{ "<alloc::string::String as core::clone::Clone>::clone", NULL, APP, true },
		{ "<app::Thing as core::clone::Clone>::clone", NULL, APP, false },
		/* Hostile forms. */
		{ "<", NULL, APP, false },
		{ "a<<<<", NULL, APP, false },
		{ ">", NULL, APP, false },
		{ "operator", NULL, APP, false },
		{ "::", NULL, APP, false },
		{ "std::", CXX, APP, true },
		{ " malloc", NULL, APP, true },
		{ "malloc ", NULL, APP, false },
		{ "malloc calloc", NULL, APP, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct frame f = { .function = cases[i].function,
				   .file = cases[i].file,
				   .module = cases[i].module };

		if (frame_is_plumbing(&f) != cases[i].is_plumbing)
			fail_msg("%s in %s", cases[i].function, cases[i].module);
	}
}

static void test_long_names(void **state)
{
	static char name[100003];
	struct frame f = { .function = name };

	(void)state;
	memset(name, 'x', sizeof(name) - 1);
	assert_false(frame_is_plumbing(&f));
	memset(name, '<', sizeof(name) - 1);
	assert_false(frame_is_plumbing(&f));
	/* Long arguments do not count. */
	memset(name, 'x', sizeof(name) - 1);
	memcpy(name, "std::allocator<", 15);
	memcpy(name + sizeof(name) - 14, ">::allocate()", 14);
	assert_true(frame_is_plumbing(&f));
	for (size_t n = 250; n < 260; n++) {
		memset(name, 'x', sizeof(name));
		memcpy(name + n - 12, "operator new", 13);
		memcpy(name + n - 14, "::", 2);
		assert_int_equal(frame_is_plumbing(&f), n < 256);
	}
}

static void test_blamed(void **state)
{
	static const struct frame new = { .function = "operator new(unsigned long)" };
	static const struct frame allocate = {
		.function = "std::allocator<int>::allocate(unsigned long)"
	};
	static const struct frame handler = { .function = "handler" };
	static const struct frame nameless = { .offset = 23 };
	const struct frame *deep[] = { &new, &allocate, &handler, &new };
	const struct frame *all[] = { &new, &allocate };
	const struct frame *unknown[] = { &new, &nameless, &handler };

	(void)state;
	assert_int_equal(group_blamed_frame(deep, 4), 2);
	assert_int_equal(group_blamed_frame(all, 2), 0);
	assert_int_equal(group_blamed_frame(unknown, 3), 1);
	assert_int_equal(group_blamed_frame(NULL, 0), 0);
}

/* Of Python frames the function, its file's name and the line in it count, not where the file lies. */
static void test_python_ids(void **state)
{
	struct frame f = { .kind = FRAME_PYTHON,
			   .function = "Cache.put",
			   .file = "/srv/app/cache.py",
			   .line = 120,
			   .offset = 7 };
	struct frame moved = f, edited = f, other = f;
	const struct frame *one[] = { &f }, *there[] = { &moved };
	const struct frame *later[] = { &edited }, *another[] = { &other };

	(void)state;
	moved.file = "/home/user/venv/cache.py";
	moved.line = 96;
	edited.offset = 8;
	other.function = "Cache.get";
	assert_int_equal(group_site_id(one, 1), 0x6abeaaf06af10c8ull);
	assert_int_equal(group_leak_id(one, 1), 0x5f6d0fbe35085e2eull);
	assert_int_equal(group_leak_id(there, 1), group_leak_id(one, 1));
	assert_int_equal(group_site_id(there, 1), group_site_id(one, 1));
	assert_int_equal(group_site_id(later, 1), group_site_id(one, 1));
	assert_true(group_leak_id(later, 1) != group_leak_id(one, 1));
	assert_true(group_site_id(another, 1) != group_site_id(one, 1));
	assert_false(frame_is_plumbing(&f));
}

/* The values are a contract: people keep these ids, so they never change. */
static void test_ids(void **state)
{
	struct frame a = {
		.function = "leak", .module = APP, .build_id = "abcd", .offset = 0x1234
	};
	struct frame b = {
		.function = "main", .module = APP, .build_id = "abcd", .offset = 0x2345
	};
	struct frame inlined = { .kind = FRAME_INLINED, .function = "helper", .module = APP };
	struct frame moved = {
		.function = "leak", .module = "/usr/bin/app", .build_id = "ef01", .offset = 0x9999
	};
	struct frame bare = { .module = APP, .offset = 0x1234 };
	struct frame bare_moved = { .module = "/usr/bin/app", .offset = 0x1234 };
	const struct frame *ab[] = { &a, &b };
	const struct frame *ba[] = { &b, &a };
	const struct frame *inlined_ab[] = { &inlined, &a, &b };
	const struct frame *moved_b[] = { &moved, &b };
	const struct frame *one[] = { &bare };
	const struct frame *one_moved[] = { &bare_moved };

	(void)state;
	assert_int_equal(group_site_id(ab, 2), 0xb63a05569b661435ull);
	assert_int_equal(group_leak_id(ab, 2), 0x0d87f1c793a07c3dull);
	assert_true(group_site_id(ab, 2) != group_site_id(ba, 2));
	assert_true(group_leak_id(ab, 2) != group_leak_id(ba, 2));
	assert_true(group_site_id(ab, 2) != group_site_id(ab, 1));
	/* Debug information or not. */
	assert_int_equal(group_site_id(inlined_ab, 3), group_site_id(ab, 2));
	assert_int_equal(group_leak_id(inlined_ab, 3), group_leak_id(ab, 2));
	/* Rebuilt and installed elsewhere. */
	moved.module = "/usr/bin/app";
	assert_int_equal(group_site_id(moved_b, 2), group_site_id(ab, 2));
	assert_true(group_leak_id(moved_b, 2) != group_leak_id(ab, 2));
	/* Neither name nor build-id: base name and offset. */
	assert_int_equal(group_site_id(one, 1), group_site_id(one_moved, 1));
	assert_int_equal(group_leak_id(one, 1), group_leak_id(one_moved, 1));
	bare_moved.offset++;
	assert_true(group_site_id(one, 1) != group_site_id(one_moved, 1));
	/* The bounds between parts count. */
	a.function = "leakm";
	b.function = "ain";
	assert_true(group_site_id(ab, 2) != 0xb63a05569b661435ull);
}

/* --- groupings ------------------------------------------------------------------------------- */

static const struct frame frame_new = { .function = "operator new(unsigned long)",
					.module = "/lib/libstdc++.so.6",
					.build_id = "c0",
					.offset = 11 };
static const struct frame frame_leak = { .function = "leak",
					 .file = "/src/server.c",
					 .line = 87,
					 .module = APP,
					 .build_id = "a0",
					 .offset = 13 };
static const struct frame frame_leak2 = { .function = "leak",
					  .file = "/src/server.c",
					  .line = 91,
					  .module = APP,
					  .build_id = "a0",
					  .offset = 17 };
static const struct frame frame_other = { .function = "other",
					  .file = "/src/server.c",
					  .line = 23,
					  .module = APP,
					  .build_id = "a0",
					  .offset = 19 };
static const struct frame frame_main = { .function = "main",
					 .file = "/src/main.c",
					 .line = 3,
					 .module = APP,
					 .build_id = "a0",
					 .offset = 29 };
static const struct frame frame_lib = { .function = "lib_open",
					.module = "/lib/liba.so",
					.offset = 31 };
static const struct frame frame_bare = { .module = "/lib/liba.so", .offset = 37 };
static const struct frame frame_jit = { .offset = 0x7f0000001000 };

static const struct frame *const stack_leak[] = { &frame_new, &frame_leak, &frame_main };
static const struct frame *const stack_leak2[] = { &frame_leak2, &frame_main };
static const struct frame *const stack_other[] = { &frame_other, &frame_main };
static const struct frame *const stack_lib[] = { &frame_lib, &frame_main };
static const struct frame *const stack_bare[] = { &frame_bare, &frame_main };
static const struct frame *const stack_jit[] = { &frame_jit };

#define STACK(s) .frames = (s), .n_frames = ARRAY_SIZE(s)

/*                              live bytes, count     */
static const struct named_site sites[] = {
	{ .target = 1,
	  .stack = 101,
	  .totals = TOTALS(5000, 50, 1000, 10),
	  STACK(stack_leak),
	  .oldest_ns = 700,
	  .growth = { 30, 3, 500, true },
	  .stack_status = 2 },
	{ .target = 1,
	  .stack = 102,
	  .totals = TOTALS(9000, 9, 0, 0),
	  STACK(stack_leak2),
	  .oldest_ns = 300,
	  .growth = { -10, 4, 400, true },
	  .stack_status = 1 },
	{ .target = 1, .stack = 103, .totals = TOTALS(100000, 100, 99000, 99), STACK(stack_other) },
	{ .target = 1, .stack = 104, .totals = TOTALS(700, 70, 0, 0), STACK(stack_lib) },
	{ .target = 1, .stack = 105, .totals = TOTALS(600, 6, 0, 0), STACK(stack_bare) },
	{ .target = 2,
	  .stack = 201,
	  .totals = TOTALS(3000, 30, 1000, 10),
	  STACK(stack_leak),
	  .growth = { 5, 12, 450, true } },
	{ .target = 1, .stack = 106, .totals = TOTALS(50, 5, 0, 0), STACK(stack_jit) },
	{ .target = 2, .stack = 206, .totals = TOTALS(40, 4, 0, 0), STACK(stack_jit) },
	{ .target = 1, .stack = 107, .totals = TOTALS(30, 3, 0, 0) },
	{ .target = 1, .stack = 108, .totals = TOTALS(20, 2, 0, 0) },
};

static struct group_result *group(const struct group_options *options)
{
	struct group_result *r = NULL;

	assert_int_equal(group_sites(sites, ARRAY_SIZE(sites), options, &r), 0);
	return r;
}

static void check_group(const struct group *g, uint32_t target, int64_t live, size_t n_sites,
			const struct frame *first)
{
	if (totals_change_bytes(&g->totals) != live)
		fail_msg("live %lld, not %lld", (long long)totals_change_bytes(&g->totals),
			 (long long)live);
	assert_int_equal(g->target, target);
	assert_int_equal(g->n_sites, n_sites);
	if (first)
		assert_ptr_equal(g->frames[0], first);
	else
		assert_int_equal(g->n_frames, 0);
}

static void check_sum(const struct group_result *r)
{
	struct totals all = { 0 };
	struct totals sum = r->hidden;

	for (size_t i = 0; i < ARRAY_SIZE(sites); i++)
		totals_add(&all, &sites[i].totals);
	totals_add(&sum, &r->sum);
	assert_memory_equal(&sum, &all, sizeof(all));
}

static void test_by_stack(void **state)
{
	struct group_options options = { .by = GROUP_BY_STACK, .sort = GROUP_SORT_LIVE };
	_cleanup_(group_result_freep) struct group_result *r = group(&options);

	(void)state;
	assert_int_equal(r->n, 10);
	check_group(&r->groups[0], 1, 9000, 1, &frame_leak2);
	check_group(&r->groups[1], 1, 4000, 1, &frame_new);
	check_group(&r->groups[2], 2, 2000, 1, &frame_new);
	check_group(&r->groups[3], 1, 1000, 1, &frame_other);
	check_group(&r->groups[8], 1, 30, 1, NULL);
	check_group(&r->groups[9], 1, 20, 1, NULL);
	assert_int_equal(r->groups[1].n_frames, 3);
	assert_true(r->groups[1].site_id == r->groups[2].site_id);
	assert_true(r->groups[1].leak_id == r->groups[2].leak_id);
	assert_true(r->groups[1].leak_id == group_leak_id(stack_leak, 3));
	assert_true(r->groups[8].site_id != r->groups[9].site_id);
	assert_int_equal(r->groups[1].stack_status, 2);
	check_sum(r);
}

/* A walk that was cut, with the frames of one that was not: nothing is missing. */
static void test_status_of_same_frames(void **state)
{
	static const struct named_site same[] = {
		{ .target = 1,
		  .stack = 1,
		  .totals = TOTALS(900, 9, 0, 0),
		  STACK(stack_leak),
		  .stack_status = 2 },
		{ .target = 1, .stack = 2, .totals = TOTALS(100, 1, 0, 0), STACK(stack_leak) },
	};
	struct group_options options = { .by = GROUP_BY_STACK, .sort = GROUP_SORT_LIVE };
	struct group_result *r;

	(void)state;
	assert_int_equal(group_sites(same, 2, &options, &r), 0);
	assert_int_equal(r->n, 1);
	assert_int_equal(r->groups[0].stack_status, 0);
	group_result_free(r);
	options.by = GROUP_BY_LINE;
	assert_int_equal(group_sites(same, 2, &options, &r), 0);
	assert_int_equal(r->groups[0].stack_status, 2);
	group_result_free(r);
}

static void test_by_line(void **state)
{
	struct group_options options = { .by = GROUP_BY_LINE, .sort = GROUP_SORT_LIVE };
	_cleanup_(group_result_freep) struct group_result *r = group(&options);
	const struct group *g = r->groups;

	(void)state;
	assert_int_equal(r->n, 9);
	check_group(&g[0], 1, 9000, 1, &frame_leak2);
	/* Of two targets, blamed past operator new. */
	check_group(&g[1], 0, 6000, 2, &frame_leak);
	assert_int_equal(g[1].n_frames, 1);
	assert_int_equal(g[1].leak_id, 0);
	assert_true(g[1].growth.valid);
	assert_true(g[1].growth.per_hour == 35);
	assert_true(fabs(g[1].growth.per_hour_error - sqrt(9 + 144)) < 1e-12);
	assert_true(g[1].growth.since_ns == 450);
	assert_true(g[1].oldest_ns == 700);
	assert_true(g[1].totals.allocated_count == 80);
	check_group(&g[2], 1, 1000, 1, &frame_other);
	check_group(&g[3], 1, 700, 1, &frame_lib);
	check_group(&g[4], 1, 600, 1, &frame_bare);
	/* The same bare address in two processes is not the same code. */
	check_group(&g[5], 1, 50, 1, &frame_jit);
	check_group(&g[6], 2, 40, 1, &frame_jit);
	assert_false(g[2].growth.valid);
	check_sum(r);
}

static void test_by_function(void **state)
{
	struct group_options options = { .by = GROUP_BY_FUNCTION, .sort = GROUP_SORT_LIVE };
	_cleanup_(group_result_freep) struct group_result *r = group(&options);
	const struct group *g = r->groups;

	(void)state;
	assert_int_equal(r->n, 8);
	/* The frame is that of the largest site. */
	check_group(&g[0], 0, 15000, 3, &frame_leak2);
	assert_int_equal(g[0].stack_status, 1);
	assert_true(g[0].oldest_ns == 300);
	assert_true(g[0].growth.since_ns == 400);
	check_group(&g[1], 1, 1000, 1, &frame_other);
	check_sum(r);
}

static void test_by_file_and_module(void **state)
{
	struct group_options options = { .by = GROUP_BY_FILE, .sort = GROUP_SORT_LIVE };
	_cleanup_(group_result_freep) struct group_result *files = group(&options);
	_cleanup_(group_result_freep) struct group_result *modules = NULL;

	(void)state;
	assert_int_equal(files->n, 4);
	check_group(&files->groups[0], 0, 16000, 4, &frame_leak2);
	check_group(&files->groups[1], 1, 1300, 2, &frame_lib);
	check_group(&files->groups[2], 0, 90, 2, &frame_jit);
	check_group(&files->groups[3], 1, 50, 2, NULL);
	check_sum(files);
	options.by = GROUP_BY_MODULE;
	modules = group(&options);
	assert_int_equal(modules->n, 4);
	check_group(&modules->groups[0], 0, 16000, 4, &frame_leak2);
	check_group(&modules->groups[1], 1, 1300, 2, &frame_lib);
	assert_true(modules->groups[0].site_id != files->groups[0].site_id);
}

static void test_sort(void **state)
{
	struct group_options options = { .by = GROUP_BY_STACK, .sort = GROUP_SORT_GROWTH };
	_cleanup_(group_result_freep) struct group_result *growth = group(&options);
	_cleanup_(group_result_freep) struct group_result *count = NULL;
	_cleanup_(group_result_freep) struct group_result *allocated = NULL;

	(void)state;
	assert_true(growth->groups[0].growth.per_hour == 30);
	assert_true(growth->groups[1].growth.per_hour == 5);
	assert_true(growth->groups[2].growth.per_hour == -10);
	/* Unknown growth comes last, the largest first. */
	check_group(&growth->groups[3], 1, 1000, 1, &frame_other);
	check_group(&growth->groups[9], 1, 20, 1, NULL);

	options.sort = GROUP_SORT_COUNT;
	count = group(&options);
	check_group(&count->groups[0], 1, 700, 1, &frame_lib);
	check_group(&count->groups[1], 1, 4000, 1, &frame_new);

	options.sort = GROUP_SORT_ALLOCATED;
	options.limit = 2;
	allocated = group(&options);
	assert_int_equal(allocated->n, 2);
	assert_int_equal(allocated->n_total, 10);
	check_group(&allocated->groups[0], 1, 1000, 1, &frame_other);
	check_group(&allocated->groups[1], 1, 9000, 1, &frame_leak2);
	check_sum(allocated);
}

/* In a difference what shrank has a sign, and equal sizes have a fixed order. */
static void test_sort_signed_and_ties(void **state)
{
	static const struct named_site changes[] = {
		{ .target = 1, .stack = 1, .totals = TOTALS(0, 0, 500, 5), STACK(stack_leak2) },
		{ .target = 1, .stack = 2, .totals = TOTALS(100, 1, 0, 0), STACK(stack_lib) },
		{ .target = 1, .stack = 3, .totals = TOTALS(100, 1, 0, 0), STACK(stack_bare) },
		{ .target = 1, .stack = 4, .totals = TOTALS(100, 1, 0, 0), STACK(stack_other) },
		{ .target = 1, .stack = 5, .totals = TOTALS(0, 0, 7, 1), STACK(stack_leak) },
	};
	struct named_site turned[ARRAY_SIZE(changes)];
	struct group_options options = { .by = GROUP_BY_LINE, .sort = GROUP_SORT_LIVE };
	_cleanup_(group_result_freep) struct group_result *r = NULL;
	_cleanup_(group_result_freep) struct group_result *s = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++)
		turned[i] = changes[ARRAY_SIZE(changes) - 1 - i];
	assert_int_equal(group_sites(changes, ARRAY_SIZE(changes), &options, &r), 0);
	assert_int_equal(group_sites(turned, ARRAY_SIZE(turned), &options, &s), 0);
	assert_int_equal(r->n, 5);
	check_group(&r->groups[3], 1, -7, 1, &frame_leak);
	check_group(&r->groups[4], 1, -500, 1, &frame_leak2);
	assert_true(r->groups[0].site_id < r->groups[1].site_id);
	assert_true(r->groups[1].site_id < r->groups[2].site_id);
	for (size_t i = 0; i < 5; i++)
		assert_true(r->groups[i].site_id == s->groups[i].site_id);
}

static void test_ties_by_stack(void **state)
{
	struct group_options options = { .by = GROUP_BY_STACK, .sort = GROUP_SORT_LIVE };
	_cleanup_(group_result_freep) struct group_result *r = NULL;
	struct named_site equal[31];
	struct frame frames[31];
	const struct frame *stacks[31];

	(void)state;
	for (size_t i = 0; i < 31; i++) {
		frames[i] = (struct frame){ .module = APP, .build_id = "a0" };
		frames[i].function = &"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"[i];
		frames[i].offset = i;
		stacks[i] = &frames[i];
		equal[i] = (struct named_site){ .target = 1,
						.stack = i,
						.totals = TOTALS(7, 1, 0, 0) };
		equal[i].frames = &stacks[i];
		equal[i].n_frames = 1;
	}
	assert_int_equal(group_sites(equal, 31, &options, &r), 0);
	assert_int_equal(r->n, 31);
	for (size_t i = 1; i < 31; i++)
		assert_true(r->groups[i - 1].site_id < r->groups[i].site_id);
}

static void test_filters(void **state)
{
	static const struct {
		const char *include;
		const char *exclude;
		int64_t live;
		bool all_frames;
	} cases[] = {
		{ NULL, NULL, 17440, false },
		{ "leak", NULL, 15000, false },
		{ "lea?", NULL, 15000, false },
		{ "operator new*", NULL, 0, false },
		{ "operator new*", NULL, 6000, true }, /* any frame, plumbing too */
		{ "main", NULL, 0, false },	       /* nobody is blamed on main */
		{ "main", NULL, 17300, true },
		{ "server.c", NULL, 16000, false },
		{ "/src/*", NULL, 16000, false },
		{ "/src/*", NULL, 17300, true },
		{ "liba.so", NULL, 1300, false },
		{ "/lib/liba.so", NULL, 1300, false },
		{ "lib", NULL, 0, true },    /* the whole of it, not a part */
		{ "*", NULL, 17300, false }, /* what has neither name nor file matches nothing */
		{ NULL, "leak", 2440, false },
		{ NULL, "main", 17440, false },
		{ NULL, "main", 140, true },
		{ NULL, "operator new*", 17440, false }, /* nor on plumbing */
		{ NULL, "operator new*", 11440, true },
		{ NULL, "liba*", 16140, false },
		{ NULL, "*", 140, false }, /* what has neither name nor file stays */
		{ "main", "leak", 0, false },
		{ "leak", "leak", 0, false },
		/* A file and its line */
		{ "server.c:87", NULL, 6000, false },
		{ "/src/server.c:91", NULL, 9000, false },
		{ "s*.c:9?", NULL, 0, false },
		{ "s*.c:91", NULL, 9000, false },
		{ "server.c:", NULL, 0, false },
		{ "main.c:3", NULL, 17300, true },
		{ "leak:87", NULL, 0, false }, /* of a file, not of a function */
		{ NULL, "server.c:91", 8440, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct group_options options = {
			.by = GROUP_BY_STACK,
			.sort = GROUP_SORT_LIVE,
			.include = &cases[i].include,
			.n_include = cases[i].include ? 1 : 0,
			.exclude = &cases[i].exclude,
			.n_exclude = cases[i].exclude ? 1 : 0,
			.all_frames = cases[i].all_frames,
		};
		_cleanup_(group_result_freep) struct group_result *r = group(&options);

		if (totals_change_bytes(&r->sum) != cases[i].live)
			fail_msg("%s, %s: %lld", cases[i].include, cases[i].exclude,
				 (long long)totals_change_bytes(&r->sum));
		check_sum(r);
		assert_true((r->n_hidden > 0) == (totals_change_bytes(&r->hidden) > 0));
	}
}

static void test_several_patterns(void **state)
{
	static const char *const include[] = { "nothing", "lib_open", "other" };
	static const char *const exclude[] = { "nobody", "other" };
	struct group_options options = { .by = GROUP_BY_LINE,
					 .sort = GROUP_SORT_LIVE,
					 .include = include,
					 .n_include = 3,
					 .exclude = exclude,
					 .n_exclude = 2 };
	_cleanup_(group_result_freep) struct group_result *r = group(&options);

	(void)state;
	assert_int_equal(r->n, 1);
	check_group(&r->groups[0], 1, 700, 1, &frame_lib);
	check_sum(r);
}

static void test_none(void **state)
{
	struct group_options options = { .by = GROUP_BY_LINE };
	_cleanup_(group_result_freep) struct group_result *r = NULL;

	(void)state;
	assert_int_equal(group_sites(NULL, 0, &options, &r), 0);
	assert_int_equal(r->n, 0);
	assert_int_equal(r->n_total, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_plumbing),
		cmocka_unit_test(test_long_names),
		cmocka_unit_test(test_blamed),
		cmocka_unit_test(test_python_ids),
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_by_stack),
		cmocka_unit_test(test_status_of_same_frames),
		cmocka_unit_test(test_by_line),
		cmocka_unit_test(test_by_function),
		cmocka_unit_test(test_by_file_and_module),
		cmocka_unit_test(test_sort),
		cmocka_unit_test(test_sort_signed_and_ties),
		cmocka_unit_test(test_ties_by_stack),
		cmocka_unit_test(test_filters),
		cmocka_unit_test(test_several_patterns),
		cmocka_unit_test(test_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
