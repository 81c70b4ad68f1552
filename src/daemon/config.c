// SPDX-License-Identifier: GPL-2.0-or-later
/* The configuration. See config.h. */
#include "daemon/config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/similar.h"
#include "daemon/config_file.h"
#include "daemon/suppressions.h"

#define MAIN_FILE "seep.conf"
#define DROP_INS  "seep.conf.d"
#define TARGETS	  "targets.d"

const char *const config_folders[] = { "/etc/seep", "/run/seep", "/usr/lib/seep" };
const size_t n_config_folders = ARRAY_SIZE(config_folders);

/* A file of settings, while it is read. */
struct reading {
	const char *path;
	struct config *config;
	char section[32]; /* as written; empty: none yet, or none that is known */
	bool has_section;
	int error;
};

static const struct setting *find_section(const char *name)
{
	for (size_t i = 0; i < n_seepd_settings; i++)
		if (strcmp(seepd_settings[i].section, name) == 0)
			return &seepd_settings[i];
	return NULL;
}

static const char *suggest_section(const char *name)
{
	unsigned nearest = SIMILAR_NOT;
	const char *best = NULL;

	for (size_t i = 0; i < n_seepd_settings; i++) {
		unsigned d = similar_distance(name, seepd_settings[i].section);

		if (d < nearest) {
			nearest = d;
			best = seepd_settings[i].section;
		}
	}
	return best;
}

static void on_section(void *userdata, const char *name, unsigned line)
{
	struct reading *in = userdata;
	const char *near;

	in->has_section = true;
	in->section[0] = '\0';
	if (find_section(name)) {
		(void)snprintf(in->section, sizeof(in->section), "%s", name);
		return;
	}
	if (!*name)
		return; /* was complained about */
	near = suggest_section(name);
	problems_add(&in->config->problems, in->path, line, "there is no section [%s]%s%s%s%s",
		     name, near ? "; did you mean [" : "", near ?: "", near ? "]?" : "",
		     strcmp(name, TARGET_SECTION) == 0 ? "; targets stand in files of " TARGETS :
							 "");
}

static void refuse_key(struct reading *in, const char *key, unsigned line)
{
	const struct setting *s =
		setting_suggest(seepd_settings, n_seepd_settings, in->section, key);

	if (!s)
		problems_add(&in->config->problems, in->path, line,
			     "[%s] has no %.64s=", in->section, key);
	else if (strcmp(s->section, in->section) == 0)
		problems_add(&in->config->problems, in->path, line,
			     "[%s] has no %.64s=; did you mean %s=?", in->section, key, s->key);
	else
		problems_add(&in->config->problems, in->path, line,
			     "[%s] has no %.64s=; there is %s= in [%s]", in->section, key, s->key,
			     s->section);
}

static void on_value(void *userdata, const char *key, const char *value, unsigned line)
{
	struct reading *in = userdata;
	const struct setting *s;
	char why[SETTING_WHY_MAX] = "";
	int r = 0;

	if (!in->has_section) {
		problems_add(&in->config->problems, in->path, line,
			     "%.64s= stands before the first section", key);
		return;
	}
	if (!in->section[0])
		return;
	s = setting_find(seepd_settings, n_seepd_settings, in->section, key);
	if (!s)
		refuse_key(in, key, line);
	else if (!*value)
		setting_reset(s, &in->config->options);
	else
		r = setting_take(s, &in->config->options, value, why);
	if (r == -ENOMEM)
		in->error = r;
	else if (r < 0)
		problems_add(&in->config->problems, in->path, line, "%s=: %s", key, why);
}

static int read_settings(struct config *c, const char *path)
{
	struct reading in = { .path = path, .config = c };
	const struct config_file_reader reader = { on_section, on_value, &in };
	int r;

	r = config_file_read(path, &reader, &c->problems);
	return r < 0 ? r : in.error;
}

/* A folder that cannot be read is no reason to take the rest for all there is. */
static int note_places(struct config *c, const char *name, int r)
{
	if (r == 0 || r == -ENOMEM)
		return r;
	problems_add(&c->problems, name, 0, "cannot be looked for: %s", strerror(-r));
	return 0;
}

int config_load_from(const char *const *folders, size_t n_folders, struct config *ret)
{
	struct config_paths *files = &ret->files;
	size_t n_settings;
	int r;

	*ret = (struct config){ .options.monitor.watch_host = true };
	r = note_places(ret, MAIN_FILE, config_places_main(folders, n_folders, MAIN_FILE, files));
	if (r == 0)
		r = note_places(ret, DROP_INS,
				config_places_drop_ins(folders, n_folders, DROP_INS, files));
	n_settings = files->n;
	if (r == 0)
		r = note_places(ret, TARGETS,
				config_places_drop_ins(folders, n_folders, TARGETS, files));
	for (size_t i = 0; r == 0 && i < files->n; i++)
		r = i < n_settings ?
			    read_settings(ret, files->paths[i]) :
			    target_rules_read(files->paths[i], &ret->rules, &ret->problems);
	if (r == 0 && ret->options.suppressions)
		r = suppressions_check(ret->options.suppressions, &ret->problems);
	return r;
}

/* One file, and nothing else. */
static int load_file(const char *path, struct config *ret)
{
	int r;

	*ret = (struct config){ .options.monitor.watch_host = true };
	r = config_paths_add(&ret->files, path);
	if (r == 0)
		r = read_settings(ret, path);
	if (r == 0 && ret->options.suppressions)
		r = suppressions_check(ret->options.suppressions, &ret->problems);
	return r;
}

int config_load(const char *where, struct config *ret)
{
	struct stat st;

	if (!where)
		return config_load_from(config_folders, n_config_folders, ret);
	if (stat(where, &st) == 0 && S_ISDIR(st.st_mode))
		return config_load_from(&where, 1, ret);
	return load_file(where, ret);
}

int config_read(int argc, char **argv, struct config *ret, int *ret_status)
{
	_cleanup_(seepd_options_done) struct seepd_options said = { .check = false };
	int r;

	*ret = (struct config){ .options.monitor.watch_host = true };
	if (seepd_options_parse(argc, argv, &said, ret_status) == 0)
		return 0;
	r = config_load(said.config, ret);
	if (r < 0) {
		log_error_errno(r, "failed to read the configuration");
		*ret_status = EXIT_STATUS_ERROR;
		return 0;
	}
	return seepd_options_parse(argc, argv, &ret->options, ret_status);
}

void config_done(struct config *c)
{
	seepd_options_done(&c->options);
	target_rules_done(&c->rules);
	config_paths_done(&c->files);
	problems_done(&c->problems);
}
