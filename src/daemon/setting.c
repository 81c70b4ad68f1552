// SPDX-License-Identifier: GPL-2.0-or-later
/* One thing that can be set. See setting.h. */
#include "daemon/setting.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "base/similar.h"
#include "serve/loopback.h"

static void *field_of(const struct setting *s, void *of)
{
	return (char *)of + s->offset;
}

static bool is_text(const struct setting *s)
{
	return s->kind <= SETTING_ADDRESS;
}

/* --- texts ------------------------------------------------------------------------------------------ */

static int check_text(const struct setting *s, const char *text, char why[SETTING_WHY_MAX])
{
	struct sockaddr_storage address;
	const struct passwd *user;

	switch (s->kind) {
	case SETTING_PATH:
		if (text[0] == '/')
			return 0;
		break;
	case SETTING_USER:
		user = getpwnam(text);
		if (user && user->pw_uid != 0)
			return 0;
		(void)snprintf(why, SETTING_WHY_MAX,
			       user ? "'%.64s' is root, who must not run it" :
				      "there is no user '%.64s'",
			       text);
		return -EINVAL;
	case SETTING_GROUP:
		if (getgrnam(text))
			return 0;
		(void)snprintf(why, SETTING_WHY_MAX, "there is no group '%.64s'", text);
		return -EINVAL;
	case SETTING_ADDRESS:
		if (loopback_parse(text, &address) == 0)
			return 0;
		break;
	default:
		return 0;
	}
	(void)snprintf(why, SETTING_WHY_MAX, "'%.64s' is not %s", text, s->form);
	return -EINVAL;
}

static int take_text(const struct setting *s, void *of, const char *text, char why[SETTING_WHY_MAX])
{
	char **field = field_of(s, of), *copy;
	int r;

	r = check_text(s, text, why);
	if (r < 0)
		return r;
	copy = strdup(text);
	if (!copy)
		return -ENOMEM;
	free(*field);
	*field = copy;
	return 0;
}

/* --- numbers ---------------------------------------------------------------------------------------- */

static int parse_switch(const char *text, bool *ret)
{
	static const struct {
		const char *word;
		bool is_on;
	} words[] = { { "yes", true }, { "true", true },   { "on", true },   { "1", true },
		      { "no", false }, { "false", false }, { "off", false }, { "0", false } };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strcasecmp(words[i].word, text) == 0) {
			*ret = words[i].is_on;
			return 0;
		}
	return -EINVAL;
}

static int parse_word(const struct setting *s, const char *text, unsigned *ret)
{
	for (unsigned i = 0; s->words[i]; i++)
		if (strcmp(s->words[i], text) == 0) {
			*ret = i + 1;
			return 0;
		}
	return -EINVAL;
}

static int parse_whole(const struct setting *s, const char *text, uint64_t *ret)
{
	int r;

	if (s->kind == SETTING_COUNT)
		return parse_u64(text, ret);
	if (s->kind == SETTING_DURATION)
		return parse_duration(text, ret);
	r = parse_size(text, ret);
	if (r == 0 && s->kind == SETTING_POWER && (*ret & (*ret - 1)))
		return -EINVAL;
	return r;
}

static bool is_within(const struct setting *s, double value)
{
	return (s->least == 0 && s->most == 0) || (value >= s->least && value <= s->most);
}

static int take_whole(const struct setting *s, void *of, const char *text)
{
	uint64_t whole;
	uint32_t narrow;

	if (parse_whole(s, text, &whole) < 0 || !is_within(s, (double)whole) ||
	    (s->size == sizeof(narrow) && whole > UINT32_MAX))
		return -EINVAL;
	narrow = (uint32_t)whole;
	if (s->size == sizeof(narrow))
		memcpy(field_of(s, of), &narrow, sizeof(narrow));
	else
		memcpy(field_of(s, of), &whole, sizeof(whole));
	return 0;
}

static int take_number(const struct setting *s, void *of, const char *text)
{
	double ratio;

	switch (s->kind) {
	case SETTING_SWITCH:
		return parse_switch(text, field_of(s, of));
	case SETTING_WORD:
		return parse_word(s, text, field_of(s, of));
	case SETTING_PERCENT:
		if (parse_percent(text, &ratio) < 0 || !is_within(s, ratio))
			return -EINVAL;
		memcpy(field_of(s, of), &ratio, sizeof(ratio));
		return 0;
	default:
		return take_whole(s, of, text);
	}
}

int setting_take(const struct setting *s, void *of, const char *text, char why[SETTING_WHY_MAX])
{
	int r;

	if (is_text(s) && *text)
		return take_text(s, of, text, why);
	r = *text ? take_number(s, of, text) : -EINVAL;
	if (r < 0)
		(void)snprintf(why, SETTING_WHY_MAX, "'%.64s' is not %s", text, s->form);
	return r;
}

void setting_reset(const struct setting *s, void *of)
{
	if (is_text(s))
		free(*(char **)field_of(s, of));
	memset(field_of(s, of), 0, s->size);
}

bool setting_is_equal(const struct setting *s, const void *a, const void *b)
{
	const void *x = (const char *)a + s->offset, *y = (const char *)b + s->offset;
	const char *t, *u;

	if (!is_text(s))
		return memcmp(x, y, s->size) == 0;
	t = *(char *const *)x;
	u = *(char *const *)y;
	return t && u ? strcmp(t, u) == 0 : t == u;
}

/* --- tables ----------------------------------------------------------------------------------------- */

const struct setting *setting_find(const struct setting *list, size_t n, const char *section,
				   const char *key)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].section && strcmp(list[i].section, section) == 0 &&
		    strcmp(list[i].key, key) == 0)
			return &list[i];
	return NULL;
}

const struct setting *setting_suggest(const struct setting *list, size_t n, const char *section,
				      const char *key)
{
	const struct setting *best = NULL;
	unsigned nearest = SIMILAR_NOT;

	for (size_t i = 0; i < n; i++) {
		unsigned d;

		if (!list[i].section)
			continue;
		d = similar_distance(key, list[i].key);
		/* Of those that are as near, the one of this section. */
		if (d < nearest || (best && d == nearest && d != SIMILAR_NOT &&
				    strcmp(list[i].section, section) == 0)) {
			nearest = d;
			best = &list[i];
		}
	}
	return best;
}
