/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tables and gates of the evaluation. */
#ifndef SEEP_EVAL_REPORT_H
#define SEEP_EVAL_REPORT_H

#include "corpus.h"

/* Precision, recall, delay and share leaked, pooled by group and phase, with intervals. */
void report_pooled(const struct corpus *c);
/* Found of leaking and false of lives, for each family. */
void report_families(const struct corpus *c);
/* The best setting of each rule, beside seep. */
void report_baselines(const struct corpus *c);
void report_calibration(const struct corpus *c);

/*
 * The gates in TAP. A gate fails if the figure's interval of 95 % lies outside of what is asked, so
 * that few seeds do not fail by chance; in the full form (strict) if the figure itself does.
 * Returns how many failed.
 */
int report_gates(const struct corpus *c, bool strict);

/* Time and memory that ten thousand sites take. */
void report_cost(void);

#endif
