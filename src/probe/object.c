// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Loading the BPF object: what this kernel can do, how large the maps are, which programs.
 */
#include <stdarg.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "base/log.h"
#include "probe/object.h"
#include "seep_legacy.skel.h"

/* libbpf's own words, for -v: its warnings repeat what the errors below say better. */
__attribute__((format(printf, 2, 0))) static int print_libbpf(enum libbpf_print_level level,
							      const char *format, va_list args)
{
	_cleanup_free_ char *text = NULL;
	char *rest, *line;
	int n;

	if (level == LIBBPF_DEBUG)
		return 0;
	n = vasprintf(&text, format, args);
	if (n < 0) {
		text = NULL;
		return 0;
	}
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		log_debug("%s", line);
	return n;
}

struct seep_bpf *object_open(bool legacy)
{
	struct seep_bpf *skel = calloc(1, sizeof(*skel));
	int r;

	if (!skel)
		return NULL;
	r = seep_bpf__create_skeleton(skel);
	if (r == 0 && legacy)
		skel->skeleton->data = (void *)seep_legacy_bpf__elf_bytes(&skel->skeleton->data_sz);
	if (r == 0)
		r = bpf_object__open_skeleton(skel->skeleton, NULL);
	if (r < 0) {
		seep_bpf__destroy(skel);
		errno = -r;
		return NULL;
	}
	return skel;
}

void object_set_links(struct bpf_program *prog, enum probe_links_kind kind)
{
	if (kind != PROBE_LINKS_PERF)
		bpf_program__set_expected_attach_type(
			prog,
			(enum bpf_attach_type)(kind == PROBE_LINKS_SESSION ? ATTACH_UPROBE_SESSION :
									     ATTACH_UPROBE_MULTI));
}

static bool has_helper(enum bpf_func_id helper)
{
	return libbpf_probe_bpf_helper(BPF_PROG_TYPE_KPROBE, helper, NULL) == 1;
}

static int detect_features(bool force_legacy, struct probe_features *f, const char **ret_why)
{
	struct btf *btf;
	int r;

	btf = btf__load_vmlinux_btf();
	r = libbpf_get_error(btf) ? -errno : 0;
	if (r < 0) {
		*ret_why = "the kernel has no BTF type information (/sys/kernel/btf/vmlinux); use "
			   "a kernel built with CONFIG_DEBUG_INFO_BTF, as Debian's are";
		return -ENOENT;
	}
	f->preempt_disable = btf__find_by_name_kind(btf, "bpf_preempt_disable", BTF_KIND_FUNC) > 0;
	/* Since 6.1 hash maps can take memory as they grow, from any context. */
	f->map_prealloc = btf__find_by_name_kind(btf, "bpf_mem_alloc", BTF_KIND_STRUCT) <= 0;
	f->legacy = force_legacy || !has_helper(BPF_FUNC_loop);
	/* The tree that the legacy programs walk went together with this cache, in 6.1. */
	f->find_vma = f->legacy ? btf__find_by_name_kind(btf, "vmacache", BTF_KIND_STRUCT) > 0 :
				  has_helper(BPF_FUNC_find_vma);
	btf__free(btf);
	return 0;
}

static int choose_links(const char *force, struct probe_features *f, const char **ret_why)
{
	static const enum probe_links_kind kinds[] = { PROBE_LINKS_SESSION, PROBE_LINKS_MULTI,
						       PROBE_LINKS_PERF };
	int r = -EINVAL;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (force && strcmp(force, probe_links_name(kinds[i])) != 0)
			continue;
		r = selftest_links(kinds[i], f->legacy);
		if (r == 0) {
			f->links = kinds[i];
			return 0;
		}
		log_debug_errno(r, "%s links cannot be used", probe_links_name(kinds[i]));
	}
	if (r == -EPERM || r == -EACCES)
		*ret_why = "loading BPF programs and setting uprobes is not permitted; run as root";
	else
		*ret_why = "the kernel can set no uprobes of any kind that seep knows; it needs "
			   "CONFIG_UPROBES and CONFIG_UPROBE_EVENTS";
	return r == -EPERM || r == -EACCES ? -EPERM : -EOPNOTSUPP;
}

static void choose_programs(struct seep_bpf *skel, const struct probe_features *f)
{
	bool session = f->links == PROBE_LINKS_SESSION, perf = f->links == PROBE_LINKS_PERF;
	const struct {
		struct bpf_program *prog;
		bool is_wanted;
		enum probe_links_kind links; /* that it is attached by */
	} programs[] = {
		{ skel->progs.alloc_session, session, PROBE_LINKS_SESSION },
		{ skel->progs.alloc_enter, !session && !perf, PROBE_LINKS_MULTI },
		{ skel->progs.alloc_exit, !session, f->links },
		{ skel->progs.free_enter, true, perf ? PROBE_LINKS_PERF : PROBE_LINKS_MULTI },
		{ skel->progs.link_map_enter, true, perf ? PROBE_LINKS_PERF : PROBE_LINKS_MULTI },
		{ skel->progs.malloc_enter, perf, PROBE_LINKS_PERF },
		{ skel->progs.calloc_enter, perf, PROBE_LINKS_PERF },
		{ skel->progs.realloc_enter, perf, PROBE_LINKS_PERF },
		{ skel->progs.reallocarray_enter, perf, PROBE_LINKS_PERF },
		{ skel->progs.posix_memalign_enter, perf, PROBE_LINKS_PERF },
		{ skel->progs.aligned_enter, perf, PROBE_LINKS_PERF },
		{ skel->progs.object_enter, true, perf ? PROBE_LINKS_PERF : PROBE_LINKS_MULTI },
		{ skel->progs.maker_session, session, PROBE_LINKS_SESSION },
		{ skel->progs.maker_enter, !session, f->links },
		{ skel->progs.maker_exit, !session, f->links },
		{ skel->progs.selftest, false, PROBE_LINKS_PERF },
		{ skel->progs.selftest_session, false, PROBE_LINKS_PERF },
	};

	for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
		bpf_program__set_autoload(programs[i].prog, programs[i].is_wanted);
		object_set_links(programs[i].prog, programs[i].links);
	}
}

static int size_maps(struct seep_bpf *skel, const struct probe_options *o,
		     const struct probe_features *f)
{
	/* A thread's state ends with a stack, of which only max_frames are needed. */
	const uint32_t stack_bytes = (uint32_t)STACK_BYTES(o->max_frames);
	const uint32_t thread_bytes = bpf_map__value_size(skel->maps.threads) -
				      (uint32_t)sizeof(struct stack) + stack_bytes;
	/* An image that executes another one has two; and one that prices are measured on. */
	const uint32_t targets = o->max_targets * 2 + 1;
	const struct {
		struct bpf_map *map;
		uint32_t entries;
		uint32_t value_bytes; /* 0: as declared */
		bool hash;
	} sizes[] = {
		{ skel->maps.targets, targets, 0, true },
		{ skel->maps.live, o->max_blocks, 0, true },
		{ skel->maps.sites, o->max_sites, 0, true },
		{ skel->maps.stacks, o->max_sites, stack_bytes, true },
		{ skel->maps.counters, targets, 0, true },
		{ skel->maps.controls, targets + 1, 0, false },
		{ skel->maps.owners, targets + 1, 0, false },
		{ skel->maps.meters, targets + 1, 0, false },
		{ skel->maps.free_meters, targets, 0, false },
		{ skel->maps.threads, o->max_threads, thread_bytes, true },
		{ skel->maps.new_thread, 1, thread_bytes, false },
		{ skel->maps.file_slots, FRAME_SLOTS, 0, true },
		{ skel->maps.target_mappings, targets, 0, true },
		{ skel->maps.mapping_sets, o->max_targets + 16, 0, false },
		{ skel->maps.python_targets, targets, 0, true },
		{ skel->maps.python_contents, PROBE_CODES, 0, false },
		{ skel->maps.free_codes, PROBE_FREE_CODES, 0, false },
		{ skel->maps.unwind_rows, PROBE_UNWIND_ROWS, 0, false },
		{ skel->maps.unwind_buckets, PROBE_UNWIND_BUCKETS, 0, false },
		{ skel->maps.notes, o->ring_bytes, 0, false },
	};
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		r = bpf_map__set_max_entries(sizes[i].map, sizes[i].entries);
		if (r == 0 && sizes[i].value_bytes)
			r = bpf_map__set_value_size(sizes[i].map, sizes[i].value_bytes);
		if (r == 0 && sizes[i].hash && !f->map_prealloc)
			r = bpf_map__set_map_flags(sizes[i].map, BPF_F_NO_PREALLOC);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Slot 0 means that a frame has no file. */
static int fill_free_slots(struct seep_bpf *skel)
{
	int fd = bpf_map__fd(skel->maps.free_slots), r = 0;

	for (uint32_t slot = 1; slot < FRAME_SLOTS && r == 0; slot++)
		r = bpf_map_update_elem(fd, NULL, &slot, BPF_ANY);
	return r;
}

static uint32_t age_scale(uint64_t tick_ns)
{
	return tick_ns < AGE_TICK_MIN_NS ? 0 :
					   (uint32_t)((double)(1ull << 32) *
						      (1u << BLOCK_BIRTH_SHIFT) / (double)tick_ns);
}

int object_load(const struct probe_options *options, struct takeover *takeover,
		struct probe_features *features, struct seep_bpf **ret, const char **ret_why)
{
	struct seep_bpf *skel;
	int r;

	libbpf_set_print(print_libbpf);
	r = detect_features(options->force_legacy, features, ret_why);
	if (r < 0)
		return r;
	r = choose_links(options->force_links, features, ret_why);
	if (r < 0)
		return r;
	skel = object_open(features->legacy);
	if (!skel)
		return -errno;
	choose_programs(skel, features);
	skel->rodata->max_frames = options->max_frames;
	skel->rodata->use_find_vma = features->find_vma;
	skel->rodata->age_scale = age_scale(options->age_tick_ns);
	python_set_seed(skel);
	meters_fill_table((uint32_t *)skel->rodata->log2_table);
	r = size_maps(skel, options, features);
	if (r == 0 && takeover)
		r = takeover_reuse_maps(takeover, skel, options, features);
	if (r == 0)
		r = seep_bpf__load(skel);
	if (r == 0 && !takeover_is_on(takeover))
		r = fill_free_slots(skel);
	if (r == 0 && !takeover_is_on(takeover))
		r = meters_fill(skel);
	if (r == 0 && !takeover_is_on(takeover))
		r = python_fill_codes(skel);
	if (r < 0) {
		*ret_why = r == -ENOMEM ?
				   "not enough memory for the maps; lower the limits" :
				   "the kernel refused the BPF programs; run with -v for its "
				   "reasons and report them";
		seep_bpf__destroy(skel);
		return r;
	}
	*ret = skel;
	return 0;
}
