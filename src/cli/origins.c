// SPDX-License-Identifier: GPL-2.0-or-later
/* The lines that make objects of a type. See origins.h. */
#include "cli/origins.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "cli/api.h"
#include "cli/field.h"
#include "cli/format.h"
#include "cli/pick.h"
#include "cli/verbs.h"

static int call(const struct cli_context *context, const char *method, const json_t *target,
		const char *type, json_t **ret)
{
	_cleanup_(api_path_done) struct api_path path = { .stream = NULL };
	const char *text;

	if (api_path_init(&path, "/v1/census/origins", NULL) < 0)
		return cli_no_memory();
	api_path_add(&path, "target", field_text_or(target, "id", "?"));
	api_path_add(&path, "type", type);
	text = api_path_text(&path);
	if (!text)
		return cli_no_memory();
	return api_call(context, method, text, NULL, ret);
}

static int wait_for_lines(const struct cli_context *context, const json_t *target, const char *type,
			  json_t **ret)
{
	static const struct timespec pause = { .tv_sec = 1 };
	int code;

	for (;;) {
		_cleanup_(json_decrefp) json_t *answer = NULL;

		code = call(context, "GET", target, type, &answer);
		if (code != CLI_OK)
			return code;
		if (strcmp(field_text_or(answer, "state", "?"), "sampling") != 0) {
			*ret = TAKE_PTR(answer);
			return CLI_OK;
		}
		(void)nanosleep(&pause, NULL);
	}
}

static void print(const json_t *answer)
{
	const json_t *line;
	size_t i;

	json_array_foreach(json_object_get(answer, "created_at"), i, line)
		(void)printf("%" PRIu64 " of %" PRIu64 " stay: %s (%s:%" PRIu64 ")\n",
			     field_count(line, "survivors"), field_count(line, "sampled"),
			     field_text_or(line, "function", "?"), field_text_or(line, "file", "?"),
			     field_count(line, "line"));
	if (i == 0)
		(void)puts("None of the objects that were seen to be made is still there.");
	if (field_number(answer, "constructions_seen") > 0)
		(void)printf("seep saw %.0f %% of the constructions.\n",
			     100 * field_number(answer, "constructions_seen"));
	else
		(void)puts("Which share of the constructions seep saw is not known.");
}

int cli_origins(const struct cli_context *context, const char *selector, const char *type)
{
	_cleanup_(json_decrefp) json_t *target = NULL;
	_cleanup_(json_decrefp) json_t *begun = NULL;
	_cleanup_(json_decrefp) json_t *answer = NULL;
	int code = pick_from_daemon(context, selector, &target);

	if (code == CLI_OK)
		code = call(context, "POST", target, type, &begun);
	if (code == CLI_OK)
		code = wait_for_lines(context, target, type, &answer);
	if (code != CLI_OK)
		return code;
	if (context->json)
		return cli_print_json(answer);
	print(answer);
	return CLI_OK;
}
