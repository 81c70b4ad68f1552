// SPDX-License-Identifier: GPL-2.0-or-later
/* The table for the README. See report.h. */
#include "report.h"

#include <cpuid.h>
#include <gnu/libc-version.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/cleanup.h"

static const char *const mode_names[N_MODES] = {
	[MODE_UNPROBED] = "unprobed",
	[MODE_FLOOR_SKIPPED] = "empty probes, return skipped",
	[MODE_FLOOR_RETURNS] = "empty probes, entry and return",
	[MODE_SEEP_SAMPLED] = "seep, sampled at 64 KiB",
	[MODE_SEEP_EXACT] = "seep, every block, whole stacks",
	[MODE_CLASSIC] = "classic design (memleak)",
};

const char *report_mode_name(enum mode_id id)
{
	return mode_names[id];
}

/* The CPU's own words, without the blanks that fill them up. */
static void cpu_model(char *ret, size_t bytes)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/cpuinfo", "re");
	char line[256];

	(void)snprintf(ret, bytes, "unknown CPU");
	while (f && fgets(line, sizeof(line), f)) {
		const char *value = strchr(line, ':');

		if (strncmp(line, "model name", 10) != 0 || !value)
			continue;
		value += 1 + strspn(value + 1, " \t");
		(void)snprintf(ret, bytes, "%.*s", (int)strcspn(value, "\n"), value);
		return;
	}
}

/* "virtual (KVMKVMKVM)": bit 31 of leaf 1 and the signature of leaf 0x40000000 are made for that. */
static void virtualisation(char *ret, size_t bytes)
{
	uint32_t a, b, c, d;
	char signature[13] = "";

	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & 1u << 31)) {
		(void)snprintf(ret, bytes, "not virtual");
		return;
	}
	__cpuid(0x40000000, a, b, c, d);
	memcpy(signature, &b, 4);
	memcpy(signature + 4, &c, 4);
	memcpy(signature + 8, &d, 4);
	(void)snprintf(ret, bytes, "virtual (%s)", signature);
}

void report_machine(char *ret, size_t bytes)
{
	char model[128], virtual[48];

	cpu_model(model, sizeof(model));
	virtualisation(virtual, sizeof(virtual));
	(void)snprintf(ret, bytes, "%s, %ld cores, %s", model, sysconf(_SC_NPROCESSORS_ONLN),
		       virtual);
}

/* "1.02 ×", or nothing if there is no number. */
static void print_ratio(double ratio, int digits)
{
	if (isnan(ratio))
		printf(" |");
	else
		printf(" %.*f × |", digits, ratio);
}

static void print_modes(const struct report *r)
{
	printf("| one malloc/free pair | ns | adds, over its floor | classic adds, over it | "
	       "true frames of %u | caller |\n|---|--:|--:|--:|--:|---|\n",
	       r->frames);
	for (enum mode_id id = 0; id < N_MODES; id++) {
		const struct mode_result *m = &r->modes[id];

		if (!m->measured)
			continue;
		printf("| %s | %.0f |", mode_names[id], m->ns);
		print_ratio(m->of_floor, 2);
		print_ratio(id == MODE_CLASSIC ? (double)NAN : m->classic_of_it, 1);
		if (m->has_stack)
			printf(" %u | %s |\n", m->stack.true_frames,
			       m->stack.true_caller ? "right" : "wrong");
		else
			printf(" | |\n");
	}
}

static void print_burst(const struct burst_result *b)
{
	printf("\n| seep's default, as many pairs as a process can make | |\n|---|--:|\n");
	printf("| loss of throughput over %.0f s | %.1f %% |\n", b->seconds, 100 * b->loss);
	if (!isnan(b->worst_second))
		printf("| worst second but the first | %.1f %% |\n", 100 * b->worst_second);
	if (isnan(b->back_off_seconds))
		printf("| backed off after | never |\n");
	else
		printf("| backed off after | %.2f s |\n", b->back_off_seconds);
	printf("| mode at the end | %s |\n", b->mode);
}

void report_print(const struct report *r)
{
	char machine[256];
	struct utsname u;

	report_machine(machine, sizeof(machine));
	printf("%s; ", machine);
	if (uname(&u) == 0)
		printf("Linux %s; ", u.release);
	printf("glibc %s.%s\n\n", gnu_get_libc_version(),
	       r->has_session ? "" : " No session links: the floors are two links.");
	print_modes(r);
	if (r->burst.measured)
		print_burst(&r->burst);
	printf("\n| | |\n|---|--:|\n");
	printf("| one frame more on the stack | %.0f ns |\n", r->frame_ns);
	for (size_t i = 0; i < r->n_ticks; i++)
		printf("| a tick, %llu stacks, %llu live blocks | %.2f ms |\n", r->ticks[i].sites,
		       r->ticks[i].live_blocks, r->ticks[i].ms);
	printf("| maps, idle | %.0f MB |\n", r->idle_map_mb);
	if (r->n_ticks)
		printf("| maps, %llu live blocks | %.0f MB |\n",
		       r->ticks[r->n_ticks - 1].live_blocks, r->full_map_mb);
	printf("| seepd, idle, resident | %.1f MB |\n", r->resident_mb);
	for (size_t i = 0; i < EVALUATION_RESULTS; i++) {
		const struct evaluation_result *e = &r->evaluations[i];

		if (e->judged)
			printf("| an evaluation, %llu keys, %llu live blocks | %.1f ms, walk %.1f "
			       "ms, "
			       "%.0f MB resident |\n",
			       e->judged, e->live_blocks, e->ms, e->walk_ms, e->resident_mb);
	}
	if (r->scale.targets)
		printf("| seepd with %llu targets, %llu stacks, %llu live blocks | %.2f %% of a "
		       "core, "
		       "%.1f MB |\n",
		       r->scale.targets, r->scale.sites, r->scale.live_blocks,
		       100 * r->scale.cpu_ratio, r->scale.resident_mb);
}
