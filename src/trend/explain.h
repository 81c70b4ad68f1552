/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a finding to the evidence that people see; for src/trend only. */
#ifndef SEEP_TREND_EXPLAIN_H
#define SEEP_TREND_EXPLAIN_H

#include "trend/judge.h"
#include "trend/site_state.h"

struct forecast {
	double ticks, low, high;    /* to the limit */
	double rate_low, rate_high; /* quartiles of the finding's slices; bytes per tick */
	enum trend_severity severity;
};

/*
 * When the limit is reached: headroom over the larger of the finding's rate, the rates of all leaks
 * and suspects, and the growth of the process' floor. Without growth all three are 0, and low.
 */
struct forecast forecast_of(const struct trend_process *p, const struct finding *f);

/* What an evaluation knows beyond the site itself. */
struct explanation {
	const struct subject *subject;
	const struct finding *finding;
	double confidence;
	double lost_share;
	enum trend_hold hold;
	struct forecast forecast;
};

void explain(const struct trend_site *s, const struct explanation *why, enum trend_event event,
	     struct trend_evidence *ret);

#endif
