/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the API's JSON to text for people.
 *
 * Every member may be missing or of another type, every string may be hostile. Functions return 0
 * or -ENOMEM; whether @out could be written is for its owner to check (ferror()).
 */
#ifndef SEEP_CLI_RENDER_H
#define SEEP_CLI_RENDER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct cli_context;

struct render_options {
	bool colour;
	bool ascii;	  /* the terminal does not take UTF-8 */
	bool legend;	  /* headings, sums and coverage */
	bool raw_bytes;	  /* plain numbers */
	bool hints;	  /* the next command to type */
	bool indent_json; /* JSON on several lines, in ASCII */
	bool traceback;	  /* stacks as Python prints them */
	unsigned columns; /* of the terminal; 0: no limit */
};

/* From the common options, the environment and what @out is. */
void render_options_init(struct render_options *o, const struct cli_context *context, FILE *out);

enum render_style {
	RENDER_PLAIN,
	RENDER_BOLD,
	RENDER_DIM,
	RENDER_WARN,
};

/* Nothing without colour. */
void render_style(FILE *out, const struct render_options *o, enum render_style style);

/* With a newline. -EIO or another errno when it could not be written. */
int render_json(FILE *out, const json_t *value, bool indent);

/* @targets: an array of target objects. */
int render_targets(FILE *out, const json_t *targets, const struct render_options *o);

/* Where a process belongs: its unit, else its container, else its executable; NULL: unknown. */
const char *render_home(const json_t *target);

/* "server (pid 4242, target 4242-1)": how a target is called in headings. */
void render_target_name(FILE *out, const json_t *target, const struct render_options *o);

/* Two lines: who, and in what state. */
void render_target_heading(FILE *out, const json_t *target, const struct render_options *o);

/* Memory, its limit, and what explains its growth: some lines. */
void render_memory(FILE *out, const json_t *target, const struct render_options *o);

/* A line if memory grows by what live blocks do not explain; else nothing. */
void render_retained(FILE *out, const json_t *target, const struct render_options *o);

/* @suggestions: an array of what may be worth tracking. */
int render_suggestions(FILE *out, const json_t *suggestions, const struct render_options *o);

/* How a listing is to be read. */
struct render_listing {
	const char *by;	      /* "stack", "line", ...; NULL: as the listing says */
	bool is_difference;   /* live figures are changes, shown with their sign */
	bool several_targets; /* say for each site which target it is of */
};

/*
 * @list: {"sites":[...],"total","sum","hidden",...} of /v1/sites and /v1/diff, or only an array of
 * sites. Blocks of text by stack, else a table.
 */
int render_sites(FILE *out, const json_t *list, const struct render_listing *listing,
		 const struct render_options *o);

/* Sums, and what was not shown. Belongs below render_sites(). */
void render_sums(FILE *out, const json_t *list, const struct render_listing *listing,
		 const struct render_options *o);

/*
 * One stack, a line per frame, indented by four; @status is why it ends where it does. As a traceback:
 * the most recent call last, with whole file names, so that editors find them.
 */
int render_stack(FILE *out, const json_t *frames, const char *status,
		 const struct render_options *o);

/* Leaf first, with a mark at the blamed frame that is seen without colour, too. */
int render_blamed_stack(FILE *out, const json_t *frames, const struct render_options *o);

/* The innermost frame that is not allocator plumbing, else the innermost; NULL without frames. */
const json_t *render_blamed_frame(const json_t *frames);

/* Why a stack of this status (a word of the API) is cut, in words. Borrowed from @status or static. */
const char *render_cut_reason(const char *status);

/* What a frame is called: "leak (server.c:87)"; cleaned. The caller frees. */
int render_frame_name(const json_t *frame, bool full_path, bool ascii, char **ret);

/* How much of the target is traced and what that costs it; nothing if that is not known. */
void render_cost(FILE *out, const json_t *target, const struct render_options *o);

/* " ±1.2 KiB": the standard error of an object's live bytes; "": they are exact. */
struct number render_error(const json_t *object, const struct render_options *o);

/*
 * What was seen and what was not, in sentences. @coverage: of one target, or of several ones
 * summed up by render_coverage_sum().
 */
void render_coverage(FILE *out, const json_t *coverage, const struct render_options *o);

/* Sums up "coverage" of an array of targets. NULL: no memory. */
json_t *render_coverage_sum(const json_t *targets);

/* How much of the growth live blocks explain; part of render_coverage(). */
void render_growth(FILE *out, const json_t *coverage, const struct render_options *o);

/* All losses of a coverage object. */
uint64_t render_lost(const json_t *coverage);

/* "Next: seepctl ..." unless hints are off. */
void render_next(FILE *out, const struct render_options *o, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
