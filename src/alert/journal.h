/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Events as entries of the systemd journal, with fields, so that they are found by machines
 * (MESSAGE_ID=) and stand in the log of the service that leaks (OBJECT_PID=, journalctl -u).
 *
 *	MESSAGE MESSAGE_ID PRIORITY OBJECT_PID (while the process is there)
 *	SEEP_EVENT SEEP_LEAK_ID SEEP_SERVICE SEEP_TARGET SEEP_STATE SEEP_SEVERITY SEEP_CONFIDENCE
 *	SEEP_LEAKED_BYTES SEEP_LEAKED_BLOCKS SEEP_BYTES_PER_HOUR SEEP_SECONDS_TO_LIMIT
 *	SEEP_FUNCTION SEEP_FILE SEEP_LINE SEEP_MODULE SEEP_BUILD_ID (of the line that is blamed)
 *	SEEP_STACK SEEP_EVIDENCE (lines) SEEP_WOULD_DISPROVE
 *
 * What is not known has no field. Where there is no journal, the message goes to standard error.
 */
#ifndef SEEP_ALERT_JOURNAL_H
#define SEEP_ALERT_JOURNAL_H

#include "alert/book.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"

/*
 * Of suspects (and that they are none any more) nothing is written: they are shown, and nobody is
 * told. -ENOMEM; when the journal refuses it, its errno, and the message went to standard error.
 */
int journal_write(enum alert_event event, const struct alert *a);

/* 32 hex digits, for ever the same; systemd/seep.catalog has a text for each that is written. */
const char *journal_message_id(enum alert_event event);

/* Of syslog(3): while it grows by the severity, else that of a note. */
int journal_priority(enum alert_event event, const struct alert *a);

#endif
