// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Every program passes this kernel's verifier, one at a time, and stays far from its limit.
 *
 * The ceilings are about twice what Linux 6.18 counts; a change that goes over one has made the
 * verifier's work explode and will fail on some other kernel.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <linux/bpf.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "probe/object.h"

static const struct {
	const char *program;
	uint32_t ceiling; /* instructions that the verifier looks at */
	bool multi;
} programs[] = {
	{ "alloc_enter", 3000, true },
	{ "alloc_exit", 20000, true },
	{ "free_enter", 1000, true },
	{ "malloc_enter", 1500, false },
	{ "calloc_enter", 1500, false },
	{ "realloc_enter", 1500, false },
	{ "reallocarray_enter", 1500, false },
	{ "posix_memalign_enter", 1500, false },
	{ "aligned_enter", 1500, false },
	{ "alloc_exit", 20000, false },
	{ "free_enter", 1000, false },
	{ "process_fork", 1000, false },
	{ "process_exec", 1000, false },
	{ "process_exit", 1000, false },
	{ "selftest", 100, true },
	{ "selftest", 100, false },
};

static uint32_t verified_instructions(const struct bpf_program *prog)
{
	struct bpf_prog_info info = { 0 };
	uint32_t size = sizeof(info);

	assert_int_equal(bpf_obj_get_info_by_fd(bpf_program__fd(prog), &info, &size), 0);
	return info.verified_insns;
}

static void check_programs(bool legacy)
{
	for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
		struct bpf_program *prog, *chosen;
		struct seep_bpf *skel;
		uint32_t count;

		if (legacy && programs[i].multi)
			continue;
		skel = object_open(legacy);
		assert_non_null(skel);
		chosen = bpf_object__find_program_by_name(skel->obj, programs[i].program);
		assert_non_null(chosen);
		bpf_object__for_each_program(prog, skel->obj)
			bpf_program__set_autoload(prog, prog == chosen);
		if (programs[i].multi)
			bpf_program__set_expected_attach_type(
				chosen, (enum bpf_attach_type)ATTACH_UPROBE_MULTI);
		skel->rodata->use_find_vma = !legacy;
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
	bpf_object__for_each_program(prog, skel->obj) {
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
