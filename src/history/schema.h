/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The layout of the database, and every statement that is prepared.
 */
#ifndef SEEP_HISTORY_SCHEMA_H
#define SEEP_HISTORY_SCHEMA_H

#include "history/database.h"

#define SCHEMA_VERSION	     1
#define SCHEMA_APPLICATION   0x73656570 /* "seep" */
#define SCHEMA_PAGE_BYTES    4096
#define SCHEMA_EVENTS_KEPT   4096
#define SCHEMA_PROFILES_KEPT 65536

extern const char *const schema_create;

/* By enum statement. */
extern const char *const schema_statements[STATEMENTS];

#endif
