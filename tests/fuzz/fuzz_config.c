// SPDX-License-Identifier: GPL-2.0-or-later
/* Configuration files: their form, and every value with every key. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/config_file.h"
#include "daemon/options.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct reading {
	struct seepd_options options;
	char section[64];
	unsigned line; /* last told */
};

static void on_section(void *userdata, const char *name, unsigned line)
{
	struct reading *in = userdata;

	if (line <= in->line || strlen(name) >= sizeof(in->section))
		abort();
	in->line = line;
	memcpy(in->section, name, strlen(name) + 1);
}

/* Texts that name users, groups and addresses are looked up elsewhere: not at this rate. */
static void on_value(void *userdata, const char *key, const char *value, unsigned line)
{
	struct reading *in = userdata;
	const struct setting *s = setting_find(seepd_settings, n_seepd_settings, in->section, key);
	char why[SETTING_WHY_MAX] = "";

	if (line <= in->line)
		abort(); /* each line says one thing, in order */
	in->line = line;
	if (!s)
		s = setting_suggest(seepd_settings, n_seepd_settings, in->section, key);
	if (!s || s->kind == SETTING_USER || s->kind == SETTING_GROUP)
		return;
	if (setting_take(s, &in->options, value, why) < 0 && !why[0])
		abort(); /* a mistake that nobody is told */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reading in = { .line = 0 };
	const struct config_file_reader reader = { on_section, on_value, &in };
	struct problems problems = { .n = 0 };

	if (config_file_parse("fuzz.conf", (const char *)data, size, &reader, &problems) < 0)
		abort();
	problems_done(&problems);
	seepd_options_done(&in.options);
	return 0;
}
