// SPDX-License-Identifier: GPL-2.0-or-later
/* seepctl metrics: the daemon's figures as Prometheus reads them. */
#include "cli/verbs.h"

#include "cli/api.h"
#include "cli/options.h"

static const struct option_set metrics_options = {
	.verb = "metrics",
	.about = "Prints the daemon's metrics in Prometheus' text format: what /metrics answers.\n"
		 "There is no other form of them; --json is refused.",
	.examples = "  seepctl metrics\n"
		    "  seepctl metrics > seep.prom.new && mv seep.prom.new seep.prom",
};

int cli_metrics(int argc, char **argv, const struct cli_context *parent)
{
	_cleanup_(http_response_freep) struct http_response *response = NULL;
	struct cli_context context = *parent;
	struct operands operands;
	int code;

	if (!options_begin(&metrics_options, argc, argv, NULL, &context, &operands, &code))
		return code;
	if (context.json)
		return options_complain(&metrics_options, "metrics are no JSON");
	code = api_exchange(&context, "GET", "/metrics", NULL, &response);
	if (code != CLI_OK)
		return code;
	if (response->status != 200)
		return api_explain(response);
	/* What stands between quotes is printable: the daemon has made it so. */
	return fwrite(response->body, 1, response->body_bytes, stdout) == response->body_bytes ?
		       CLI_OK :
		       CLI_ERROR;
}
