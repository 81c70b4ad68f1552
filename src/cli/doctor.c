// SPDX-License-Identifier: GPL-2.0-or-later
/* seepctl doctor: what this machine can do, what it cannot, and what to do about it. */
#include "cli/verbs.h"

#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include <event2/event.h>

#include "base/cleanup.h"
#include "cli/doctor_places.h"
#include "cli/options.h"
#include "cli/render.h"
#include "monitor.h"

struct doctor_values {
	const char *file;
};

static const struct cli_option file_option[] = {
	{ "file", 0, OPTION_TEXT, offsetof(struct doctor_values, file), "PATH", NULL, 0, 0,
	  "only tell where probes would go in this ELF file" },
};

static const struct option_set doctor_options = {
	.verb = "doctor",
	.about = "Tries what tracing needs on this machine and says what does not work, why, and\n"
		 "what to do. Ends with 1 when something needed is missing. Then tells where the\n"
		 "probes go in the C library: an instruction that the kernel emulates costs a\n"
		 "fraction of one that it has to single-step.",
	.examples = "  seepctl doctor\n"
		    "  seepctl doctor --file /usr/lib/x86_64-linux-gnu/libjemalloc.so.2",
	.options = file_option,
	.n_options = ARRAY_SIZE(file_option),
};

enum finding {
	FINDING_OK,
	FINDING_WARN, /* works, but less well */
	FINDING_FAIL, /* tracing does not work */
};

static const char *finding_name(enum finding f)
{
	static const char *const names[] = { "ok", "warn", "fail" };

	return names[f];
}

static int add(json_t *checks, enum finding f, const char *name, const char *detail)
{
	json_t *check = json_pack("{s:s, s:s, s:s}", "name", name, "status", finding_name(f),
				  "detail", detail);

	return check && json_array_append_new(checks, check) == 0 ? 0 : -ENOMEM;
}

static int check_kernel(json_t *checks)
{
	struct utsname name;
	char text[2 * sizeof(name.release) + 16];

	if (uname(&name) < 0)
		return add(checks, FINDING_WARN, "kernel", "uname failed");
	if (snprintf(text, sizeof(text), "Linux %s on %s", name.release, name.machine) < 0)
		return -EINVAL;
	if (strcmp(name.machine, "x86_64") != 0)
		return add(checks, FINDING_FAIL, "kernel", "only x86-64 is supported so far");
	return add(checks, FINDING_OK, "kernel", text);
}

static int check_btf(json_t *checks)
{
	if (access("/sys/kernel/btf/vmlinux", R_OK) == 0)
		return add(checks, FINDING_OK, "btf", "/sys/kernel/btf/vmlinux is readable");
	return add(checks, FINDING_FAIL, "btf",
		   "no /sys/kernel/btf/vmlinux: use a kernel with CONFIG_DEBUG_INFO_BTF, as "
		   "Debian's are");
}

static int check_lockdown(json_t *checks)
{
	_cleanup_fclose_ FILE *f = fopen("/sys/kernel/security/lockdown", "re");
	char line[128];

	if (!f || !fgets(line, sizeof(line), f) || !strstr(line, "[confidentiality]"))
		return add(checks, FINDING_OK, "lockdown", "does not forbid reading user memory");
	return add(checks, FINDING_FAIL, "lockdown",
		   "the kernel is locked down for confidentiality, which forbids BPF to read "
		   "memory: boot with lockdown=integrity or less");
}

static int check_daemon(json_t *checks, const struct cli_context *context)
{
	struct stat st;
	_cleanup_free_ char *text = NULL;
	enum finding f = FINDING_OK;
	int r;

	if (stat(context->socket_path, &st) == 0 && S_ISSOCK(st.st_mode)) {
		r = asprintf(&text, "a socket is at %s", context->socket_path);
	} else {
		f = FINDING_WARN;
		r = asprintf(&text, "no seepd at %s: seepctl run and trace work without it",
			     context->socket_path);
	}
	if (r < 0) {
		text = NULL;
		return -ENOMEM;
	}
	return add(checks, f, "daemon", text);
}

static int check_features(json_t *checks, const struct monitor *m)
{
	struct monitor_info info;
	int r;

	monitor_get_info(m, &info);
	if (strcmp(info.links, "session") == 0)
		r = add(checks, FINDING_OK, "links", "uprobe session links pass the self-test");
	else if (strcmp(info.links, "multi") == 0)
		r = add(checks, FINDING_OK, "links",
			"uprobe_multi links pass the self-test; session links, which cost less "
			"where blocks are sampled, need kernel 6.13");
	else
		r = add(checks, FINDING_WARN, "links",
			"perf uprobes: they work, but are slow to remove; uprobe_multi needs "
			"kernel 6.6, best 6.10 or later");
	if (r == 0)
		r = info.find_vma ?
			    add(checks, FINDING_OK, "mappings",
				"libraries are recognised the moment they are mapped") :
			    add(checks, FINDING_WARN, "mappings",
				"kernel without bpf_find_vma: stacks through libraries loaded a "
				"moment ago are cut short");
	if (r == 0)
		r = info.map_prealloc ?
			    add(checks, FINDING_WARN, "memory",
				"maps take all their memory at once (kernel before 6.1)") :
			    add(checks, FINDING_OK, "memory", "maps grow with what is tracked");
	if (r == 0)
		r = info.preempt_disable ?
			    add(checks, FINDING_OK, "preemption",
				"probe programs run with preemption disabled") :
			    add(checks, FINDING_OK, "preemption",
				"no bpf_preempt_disable (kernel before 6.10): per-thread state is "
				"used, which does not need it");
	return r;
}

static int check_tracing(json_t *checks)
{
	struct monitor_options options = { .max_blocks = 1024, .max_sites = 1024 };
	struct event_base *base = event_base_new();
	struct monitor *m = NULL;
	const char *why = NULL;
	int r;

	if (!base)
		return -ENOMEM;
	r = monitor_new(base, &options, &m, &why);
	if (r < 0)
		r = add(checks, FINDING_FAIL, "tracing", why ? why : strerror(-r));
	else
		r = add(checks, FINDING_OK, "tracing", "the BPF programs load");
	if (r == 0 && m)
		r = check_features(checks, m);
	monitor_free(m);
	event_base_free(base);
	return r;
}

/* The C library's places; that they cannot be told is no obstacle to tracing. */
static int check_places(json_t *checks, json_t *places)
{
	_cleanup_free_ char *path = NULL, *text = NULL;
	int r;

	r = doctor_c_library(&path);
	if (r == 0)
		r = doctor_find_places(path, places);
	if (r == 0 || r == -ENOMEM)
		return r;
	if (asprintf(&text, "cannot tell where probes go in %s: %s", path ? path : "the C library",
		     strerror(-r)) < 0) {
		text = NULL;
		return -ENOMEM;
	}
	return add(checks, FINDING_WARN, "places", text);
}

static bool has_failed(const json_t *checks)
{
	json_t *check;
	size_t i;

	json_array_foreach(checks, i, check) {
		const char *status = json_string_value(json_object_get(check, "status"));

		if (status && strcmp(status, finding_name(FINDING_FAIL)) == 0)
			return true;
	}
	return false;
}

static void print_checks(const json_t *checks)
{
	json_t *check;
	size_t i;

	json_array_foreach(checks, i, check)
		printf("%-5s %-11s %s\n", json_string_value(json_object_get(check, "status")),
		       json_string_value(json_object_get(check, "name")),
		       json_string_value(json_object_get(check, "detail")));
}

static int run_checks(json_t *checks, json_t *places, const struct cli_context *context)
{
	int r;

	r = check_kernel(checks);
	if (r == 0)
		r = check_btf(checks);
	if (r == 0)
		r = check_lockdown(checks);
	if (r == 0)
		r = check_tracing(checks);
	if (r == 0)
		r = check_daemon(checks, context);
	if (r == 0)
		r = check_places(checks, places);
	return r;
}

static int report_machine(const struct cli_context *context)
{
	_cleanup_(json_decrefp) json_t *report = NULL;
	json_t *checks = json_array(), *places = json_array();
	int code;

	report = json_pack("{s:o, s:o}", "checks", checks, "places", places);
	if (!report || run_checks(checks, places, context) < 0)
		return cli_no_memory();
	if (context->json) {
		code = cli_print_json(report);
		if (code != CLI_OK)
			return code;
	} else {
		print_checks(checks);
		if (!context->no_legend && json_array_size(places) > 0)
			(void)putchar('\n');
		if (doctor_print_places(places, context) < 0)
			return cli_no_memory();
	}
	return has_failed(checks) ? CLI_ERROR : CLI_OK;
}

static const char *why_no_places(int error)
{
	if (error == -ENOEXEC)
		return "not an ELF file for x86-64";
	return error == -EINVAL ? "not a regular file" : strerror(-error);
}

static int report_file(const char *path, const struct cli_context *context)
{
	_cleanup_(json_decrefp) json_t *report = NULL;
	json_t *places = json_array();
	int r;

	report = json_pack("{s:o}", "places", places);
	if (!report)
		return cli_no_memory();
	r = doctor_find_places(path, places);
	if (r < 0) {
		cli_error("cannot look for functions in '%s': %s", path, why_no_places(r));
		return CLI_ERROR;
	}
	if (json_array_size(places) == 0)
		cli_info("'%s' defines none of the functions that seep hooks", path);
	if (context->json)
		return cli_print_json(report);
	return doctor_print_places(places, context) < 0 ? cli_no_memory() : CLI_OK;
}

int cli_doctor(int argc, char **argv, const struct cli_context *parent)
{
	struct cli_context context = *parent;
	struct doctor_values values = { 0 };
	struct operands operands;
	int code;

	if (!options_begin(&doctor_options, argc, argv, &values, &context, &operands, &code))
		return code;
	return values.file ? report_file(values.file, &context) : report_machine(&context);
}
