/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One configuration file: [sections], Key=value lines, and comments with '#' or ';' in front.
 *
 * inih splits the lines; what it tells only as "the first line that is wrong", or cuts without a word
 * (lines over its buffer), is found before it sees them. Blanks around names and values do not count; a
 * ';' after a blank begins a comment, too.
 */
#ifndef SEEP_DAEMON_CONFIG_FILE_H
#define SEEP_DAEMON_CONFIG_FILE_H

#include "daemon/problems.h"

struct config_file_reader {
	void (*section)(void *userdata, const char *name, unsigned line);
	void (*value)(void *userdata, const char *key, const char *value, unsigned line);
	void *userdata;
};

/*
 * Reads the file at @path; what is wrong with its form is added to @problems. An empty file and
 * /dev/null hold nothing. 0, also with problems; -ENOMEM.
 */
int config_file_read(const char *path, const struct config_file_reader *reader,
		     struct problems *problems);

/* The same of a text, whose name is @path in problems. */
int config_file_parse(const char *path, const char *text, size_t size,
		      const struct config_file_reader *reader, struct problems *problems);

#endif
