/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages to people: one line each on standard error.
 *
 * The only file with static state: the program's name and the level. When standard error is the
 * journal, lines carry the "<N>" prefix of sd-daemon(3), so the journal knows the priority.
 */
#ifndef SEEP_BASE_LOG_H
#define SEEP_BASE_LOG_H

#include <syslog.h>

/* @name is borrowed for the life of the program and stands before each line. */
void log_open(const char *name);

/* Messages above @level (LOG_ERR .. LOG_DEBUG) are dropped. The default is LOG_INFO. */
void log_set_level(int level);

void log_message(int level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * Logs "format: strerror(r)" and returns @r, a negative errno, so that a failure is logged and
 * returned in one statement.
 */
int log_errno(int level, int r, const char *format, ...) __attribute__((format(printf, 3, 4)));

#define log_error(...)		  log_message(LOG_ERR, __VA_ARGS__)
#define log_warning(...)	  log_message(LOG_WARNING, __VA_ARGS__)
#define log_info(...)		  log_message(LOG_INFO, __VA_ARGS__)
#define log_debug(...)		  log_message(LOG_DEBUG, __VA_ARGS__)
#define log_error_errno(r, ...)	  log_errno(LOG_ERR, (r), __VA_ARGS__)
#define log_warning_errno(r, ...) log_errno(LOG_WARNING, (r), __VA_ARGS__)
#define log_debug_errno(r, ...)	  log_errno(LOG_DEBUG, (r), __VA_ARGS__)

#endif
