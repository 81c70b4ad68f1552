/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What handover_write.c and handover_read.c have in common. */
#ifndef SEEP_MONITOR_HANDOVER_STATE_H
#define SEEP_MONITOR_HANDOVER_STATE_H

/* To be raised when a member changes its meaning. One that is missing has its default. */
#define HANDOVER_VERSION 1

#endif
