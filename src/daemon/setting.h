/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One thing that can be set, in a configuration file, on the command line, or both: its names, its
 * values, and the field that it sets. Tables of them are in options.c and target_rules.c.
 */
#ifndef SEEP_DAEMON_SETTING_H
#define SEEP_DAEMON_SETTING_H

#include <stdbool.h>
#include <stddef.h>

/* The field behind each kind is 0, false or NULL where nothing is set. */
enum setting_kind {
	SETTING_TEXT,	  /* char *, owned */
	SETTING_PATH,	  /* the same, absolute */
	SETTING_USER,	  /* the same, of a user that is there and is not root */
	SETTING_GROUP,	  /* the same, of a group that is there */
	SETTING_ADDRESS,  /* the same, loopback address and port */
	SETTING_SWITCH,	  /* bool */
	SETTING_WORD,	  /* unsigned: the place in .words, from 1 on */
	SETTING_COUNT,	  /* uint32_t */
	SETTING_SIZE,	  /* uint32_t or uint64_t, bytes */
	SETTING_POWER,	  /* the same, a power of two */
	SETTING_DURATION, /* uint64_t, ns */
	SETTING_PERCENT,  /* double, a ratio */
};

struct setting {
	const char *section; /* of the file; NULL: not in a file */
	const char *key;
	const char *option; /* of the command line, without dashes; NULL: not there */
	enum setting_kind kind;
	bool is_live;	     /* takes effect at a reload, without a restart */
	size_t offset, size; /* of the field; see SETTING_FIELD() */
	double least, most;  /* of numbers, in the field's unit; both 0: as the kind allows */
	const char *const *words;
	const char *form; /* "a duration from 1s to 1h": what may stand here, for people */
};

#define SETTING_FIELD(type, member) \
	.offset = offsetof(type, member), .size = sizeof(((type *)NULL)->member)

#define SETTING_WHY_MAX 256

/*
 * Sets the field of @of from a text. -EINVAL: @why says what is wrong with it, in words without an
 * end; the field is as before. -ENOMEM.
 */
int setting_take(const struct setting *s, void *of, const char *text, char why[SETTING_WHY_MAX]);

/* To what it is where nothing is set. */
void setting_reset(const struct setting *s, void *of);

bool setting_is_equal(const struct setting *s, const void *a, const void *b);

/* By the name in a file; NULL: there is none. */
const struct setting *setting_find(const struct setting *list, size_t n, const char *section,
				   const char *key);

/* For somebody who wrote @key into @section, where there is no such: what may have been meant. */
const struct setting *setting_suggest(const struct setting *list, size_t n, const char *section,
				      const char *key);

#endif
