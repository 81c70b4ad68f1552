// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Every program passes this kernel's verifier, one at a time, and stays far from its limit.
 *
 * The ceilings are about twice what the kernel that counts most does (make test-vm: 7.3); a change
 * that goes over one has made the verifier's work explode and will fail on some other kernel.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <linux/bpf.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "probe/object.h"

static const struct {
	const char *program;
	uint32_t ceiling; /* instructions that the verifier looks at */
	enum probe_links_kind links;
} programs[] = {
	{ "alloc_session", 560000, PROBE_LINKS_SESSION },
	{ "alloc_enter", 10000, PROBE_LINKS_MULTI },
	{ "alloc_exit", 560000, PROBE_LINKS_MULTI },
	{ "free_enter", 2000, PROBE_LINKS_MULTI },
	{ "malloc_enter", 7000, PROBE_LINKS_PERF },
	{ "calloc_enter", 7000, PROBE_LINKS_PERF },
	{ "realloc_enter", 7000, PROBE_LINKS_PERF },
	{ "reallocarray_enter", 7000, PROBE_LINKS_PERF },
	{ "posix_memalign_enter", 7000, PROBE_LINKS_PERF },
	{ "aligned_enter", 7000, PROBE_LINKS_PERF },
	{ "alloc_exit", 560000, PROBE_LINKS_PERF },
	{ "free_enter", 2000, PROBE_LINKS_PERF },
	{ "link_map_enter", 500, PROBE_LINKS_MULTI },
	{ "link_map_enter", 500, PROBE_LINKS_PERF },
	{ "object_enter", 14000, PROBE_LINKS_MULTI },
	{ "object_enter", 14000, PROBE_LINKS_PERF },
	{ "maker_session", 14000, PROBE_LINKS_SESSION },
	{ "maker_enter", 500, PROBE_LINKS_MULTI },
	{ "maker_enter", 500, PROBE_LINKS_PERF },
	{ "maker_exit", 14000, PROBE_LINKS_MULTI },
	{ "maker_exit", 14000, PROBE_LINKS_PERF },
	{ "process_fork", 1000, PROBE_LINKS_PERF },
	{ "process_exec", 2000, PROBE_LINKS_PERF },
	{ "process_exit", 1000, PROBE_LINKS_PERF },
	{ "selftest", 100, PROBE_LINKS_MULTI },
	{ "selftest", 100, PROBE_LINKS_PERF },
	{ "selftest_session", 100, PROBE_LINKS_SESSION },
};

static uint32_t verified_instructions(const struct bpf_program *prog)
{
	struct bpf_prog_info info = { 0 };
	uint32_t size = sizeof(info);

	assert_int_equal(bpf_obj_get_info_by_fd(bpf_program__fd(prog), &info, &size), 0);
	return info.verified_insns;
}

/* What src/probe/object.c asks, too: without it the legacy object is loaded instead. */
static bool has_callbacks(void)
{
	return libbpf_probe_bpf_helper(BPF_PROG_TYPE_KPROBE, BPF_FUNC_loop, NULL) == 1;
}

/* Whether the programs can look for mappings in the kernel. */
static bool has_mappings(bool legacy)
{
	struct btf *btf = btf__load_vmlinux_btf();
	bool has_tree = btf__find_by_name_kind(btf, "vmacache", BTF_KIND_STRUCT) > 0;

	btf__free(btf);
	return legacy ? has_tree : has_callbacks();
}

static void check_programs(bool legacy)
{
	for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
		struct bpf_program *prog, *chosen;
		struct seep_bpf *skel;
		uint32_t count;

		if (legacy && programs[i].links != PROBE_LINKS_PERF)
			continue;
		skel = object_open(legacy);
		assert_non_null(skel);
		chosen = bpf_object__find_program_by_name(skel->obj, programs[i].program);
		assert_non_null(chosen);
		bpf_object__for_each_program(prog, skel->obj)
			bpf_program__set_autoload(prog, prog == chosen);
		object_set_links(chosen, programs[i].links);
		skel->rodata->use_find_vma = has_mappings(legacy);
		if (seep_bpf__load(skel) != 0)
			fail_msg("the verifier refuses %s", programs[i].program);
		count = verified_instructions(chosen);
		print_message("# %s: %u\n", programs[i].program, count);
		if (count > programs[i].ceiling)
			fail_msg("%s takes %u instructions to verify, more than %u",
				 programs[i].program, count, programs[i].ceiling);
		seep_bpf__destroy(skel);
	}
}

static void every_program_is_accepted(void **state)
{
	(void)state;
	if (!has_callbacks()) {
		print_message("# skip: no bpf_loop (kernel before 5.17): the legacy programs are "
			      "used\n");
		skip();
	}
	check_programs(false);
}

static void every_legacy_program_is_accepted(void **state)
{
	(void)state;
	check_programs(true);
}

/* A program that is added must be added to the table above. */
static void no_program_is_left_out(void **state)
{
	struct seep_bpf *skel = object_open(false);
	struct bpf_program *prog;

	(void)state;
	assert_non_null(skel);
	bpf_object__for_each_program(prog, skel->obj)
	{
		bool listed = false;

		for (size_t i = 0; i < ARRAY_SIZE(programs); i++)
			listed |= strcmp(programs[i].program, bpf_program__name(prog)) == 0;
		if (!listed)
			fail_msg("%s is not verified here", bpf_program__name(prog));
	}
	seep_bpf__destroy(skel);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_program_is_accepted),
		cmocka_unit_test(every_legacy_program_is_accepted),
		cmocka_unit_test(no_program_is_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
