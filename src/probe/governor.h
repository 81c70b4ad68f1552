/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The governor of a target: how much of it is traced, so that what tracing costs stays in a budget.
 *
 * One per target. It decides; the caller counts, sets and removes probes, and keeps the timer:
 *
 *	governor_init()                        plan: count, probes all
 *	  set the probes ─► governor_applied() plan: the same, next_ns = in 200 ms
 *	  timer ─► governor_measure() = true   plan: exact, nothing changes but the mode
 *	  switch the mode ─► governor_applied()
 *	  timer or note ─► governor_measure()  ... as long as the target lives ...
 *	  note ─► governor_measure() = true    plan: windowed, probes none (it bursts)
 *	  remove the probes ─► governor_applied()
 *	governor_done()
 *
 * Whenever governor_init(), governor_measure() or governor_applied() has run, the caller sets its
 * timer to plan->next_ns (UINT64_MAX: none; the plan waits for governor_applied()) and calls
 * governor_measure() when it fires. If the call returned true the plan is a new one: the caller
 * makes it so (mode, interval, probes, alarm_hits) and then calls governor_applied(). The kernel
 * side sends a note each time that plan->alarm_hits hits of the target (allocation and free calls)
 * were made on one CPU since its last note; on a note governor_measure() is called at once. Every
 * call takes what was counted since the last call, so each hit is handed in once. If a plan cannot
 * be applied, or the probes have gone by themselves, that is told by governor_lost().
 *
 * What is promised of one core, for a target that is not forced:
 *	any minute	at most budget_ratio, the first one included;
 *	any second	at most burst_ratio.
 * What is spent between a note and the moment when the probes are gone is foreseen at the rate of
 * the last 10 ms. A rate that jumps then, or hits on several cores, can exceed either once by what
 * that costs, about limits.removal_ns per busy core. That is a debt: it is paid before the next
 * window.
 *
 * Pure: no I/O, no clock, no allocation. Times are monotonic nanoseconds; one before the last is
 * taken for the last one.
 */
#ifndef SEEP_PROBE_GOVERNOR_H
#define SEEP_PROBE_GOVERNOR_H

#include <stdbool.h>
#include <stdint.h>

#include "probe/governor_ledger.h"
#include "probe/governor_price.h"

enum governor_mode {
	GOVERNOR_NONE,	   /* no probes */
	GOVERNOR_COUNT,	   /* probes count calls and bytes; no block is taken */
	GOVERNOR_EXACT,	   /* every block is taken */
	GOVERNOR_SAMPLED,  /* a Poisson sample by bytes, with plan.interval_bytes */
	GOVERNOR_WINDOWED, /* sampled while plan.probes says so, for a short time now and then */
	GOVERNOR_MODES
};

/* Which probes are to be set. */
enum governor_probes {
	GOVERNOR_PROBES_NONE,
	GOVERNOR_PROBES_FREES, /* only if limits.watch_ratio > 0: blocks of a window are watched */
	GOVERNOR_PROBES_ALL,
};

/* Why this mode. */
enum governor_reason {
	GOVERNOR_MEASURING, /* it is being counted, or waits for that */
	GOVERNOR_FITS,	    /* every block can be taken */
	GOVERNOR_FORCED,    /* limits say so */
	GOVERNOR_BUDGET,    /* more would exceed the target's budget */
	GOVERNOR_SHARED,    /* more would exceed its share of the budget of all targets */
	GOVERNOR_BURST,	    /* more would have exceeded burst_ratio in one second */
	GOVERNOR_TOO_BUSY,  /* even the shortest window would */
	GOVERNOR_NO_PROBES, /* they were lost, or could not be set */
	GOVERNOR_REASONS
};

/* As in JSON: "none", "count", "exact", "sampled", "windowed". */
const char *governor_mode_name(enum governor_mode mode);
/* "measuring", "fits", "forced", "budget", "shared", "burst", "too_busy", "no_probes". */
const char *governor_reason_name(enum governor_reason reason);

struct governor_limits {
	double budget_ratio;	/* of one core, averaged over any minute; 0 < budget_ratio <= 1 */
	double burst_ratio;	/* of one core, in any second; not below budget_ratio */
	uint64_t count_ns;	/* how long calls are counted before a target is traced */
	uint64_t min_window_ns; /* shorter ones are not worth setting the probes */
	uint64_t max_window_ns;
	uint64_t removal_ns;	 /* how long removing the probes takes, until that is measured */
	uint64_t interval_bytes; /* of sampling */
	uint64_t max_interval_bytes;
	/*
	 * How much of what a window costs may be spent on watching frees after it, so that ages
	 * beyond the window are seen. 0: the free probes go with the others, and
	 * GOVERNOR_PROBES_FREES never occurs.
	 */
	double watch_ratio;
	uint32_t n_cpus; /* that the target may run on */
	/* Overrides the budgets. What it spends is reported, and not taken from other targets. */
	bool is_forced;
	enum governor_mode forced_mode; /* none, exact or sampled */
	uint64_t forced_interval_bytes; /* for sampled */
};

/* 2 %, 15 %, 200 ms, 20 ms .. 5 s, 100 ms, 64 KiB .. 1 MiB, no watching, not forced. */
struct governor_limits governor_default_limits(uint32_t n_cpus);

/* What the caller is to do. Only the governor writes it. */
struct governor_plan {
	enum governor_mode mode;
	enum governor_probes probes;
	uint64_t interval_bytes; /* while sampled or windowed; else 0 */
	uint64_t alarm_hits;	 /* 0: no notes */
	uint64_t next_ns; /* governor_measure() is due; UINT64_MAX: after governor_applied() */
	enum governor_reason reason;
};

#define GOVERNOR_MEASUREMENTS 3 /* that must agree before more is traced */

struct governor_window {
	uint64_t length_ns;
	uint64_t watch_ns; /* how long frees are watched after it */
	uint64_t interval_bytes;
	double need_ns;	  /* what it costs, with the hits while the probes are removed */
	double second_ns; /* the most of it that falls into one second */
};

/* Members but plan are private. Not to be copied or moved between init and done. */
struct governor {
	struct governor_plan plan;
	struct governor_limits limits;
	struct governor_prices prices;
	struct governor_total *total; /* borrowed; NULL: none */
	struct governor_ledger ledger;
	struct governor_spending second; /* ns spent */
	struct governor_spending minute;
	struct governor_spending set; /* ns with allocation probes set */
	/* Measurements: the last one of 10 ms, and the last ones of a second or a whole window. */
	struct governor_rates instant;
	struct governor_rates recent[GOVERNOR_MEASUREMENTS];
	uint32_t n_recent;
	/* What is being measured. */
	struct governor_rates instant_sum;
	struct governor_rates recent_sum;
	uint64_t instant_ns;
	uint64_t recent_ns;
	double taken_factor; /* share of the most that could be taken, as measured */
	double demand;	     /* as told to the total */
	double booked_ns;    /* taken out of the total's ledger for the count or window at hand */
	struct governor_window window; /* the next one or this one */
	struct governor_waiter turn;   /* for the next one, in the total's queue */
	uint64_t window_begin_ns;      /* of the next one, as far as known */
	uint64_t watch_end_ns;
	/* Removing probes. */
	double closing_calls; /* allocation calls per second before it */
	double closing_sum;   /* allocation calls since then */
	double removal_ns;    /* hits go on for so long */
	uint64_t now_ns;
	uint64_t retry_ns; /* from one count of a target that is too busy to the next */
	uint64_t again_ns; /* from a loss of the probes to the next try */
	enum governor_probes in_place;
	bool is_applied;
	bool owes_attach; /* probes were set, and what that costs is not charged yet */
};

/*
 * 1: there is a plan to be applied. 0: nothing to do before plan.next_ns (no probes are wanted, or
 * the budget of all targets is used up). -EINVAL: limits that make no sense. @total: shared by
 * targets, may be NULL, outlives the governor. To change limits later: governor_set_limits().
 */
int governor_init(struct governor *g, const struct governor_limits *limits,
		  const struct governor_prices *prices, struct governor_total *total,
		  uint64_t now_ns);

/*
 * Other limits for a target that is traced. What it has spent stays spent. A budget holds from the next
 * measurement on; another forced mode, or another interval, is a new plan, which begins with a count if
 * nothing is forced. True: the plan is to be applied. -EINVAL as of governor_init(): nothing changes.
 */
int governor_set_limits(struct governor *g, const struct governor_limits *limits, uint64_t now_ns,
			const struct governor_counts *counts);

/*
 * Instead of governor_init(), for a target whose probes are all in place and whose calls are taken so, as
 * another governor has decided: it is measured while that goes on. What was spent before is not known.
 */
int governor_resume(struct governor *g, const struct governor_limits *limits,
		    const struct governor_prices *prices, struct governor_total *total,
		    uint64_t now_ns, enum governor_mode mode, uint64_t interval_bytes);

/* Gives back its part of the total. */
void governor_done(struct governor *g);

/*
 * New prices, as measured while tracing; they hold for counts that come from now on. The plan's
 * alarm_hits may change, which needs no governor_applied().
 */
void governor_set_prices(struct governor *g, const struct governor_prices *prices);

/*
 * Takes what was counted since the last call, and decides. To be called at plan.next_ns and on a
 * note, and may be called at any time. True: the plan is to be applied.
 */
bool governor_measure(struct governor *g, uint64_t now_ns, const struct governor_counts *counts);

/*
 * @ns more were spent on the target since @from_ns, by probes that are not of its plan. They are paid by what
 * comes next, and are in the report.
 */
void governor_spend(struct governor *g, uint64_t from_ns, uint64_t now_ns, double ns);

/*
 * The plan is in force since now: the probes it wants are set, others are gone. Takes counts like
 * governor_measure(). True: there is a new plan already.
 */
bool governor_applied(struct governor *g, uint64_t now_ns, const struct governor_counts *counts);

/*
 * No probes are in place any more, whatever the plan was: they were lost, or could not be set. The mode
 * is none until plan.next_ns, in a second, and later each time that it fails again; then it begins anew.
 */
void governor_lost(struct governor *g, uint64_t now_ns, const struct governor_counts *counts);

struct governor_report {
	enum governor_mode mode;
	enum governor_reason reason;
	uint64_t interval_bytes; /* 0 unless sampled or windowed */
	double duty_ratio;	 /* share of the last minute with allocation probes set */
	double hits_per_second;	 /* while they were set, in the last measurement */
	double ns_per_hit;	 /* average of that measurement; 0 without hits */
	double cost_ratio;	 /* spent in the last minute / 60 s */
	uint64_t window_ns;	 /* length of the next or present window; 0 unless windowed */
	uint64_t next_window_ns; /* when it begins; 0: it has begun, or there is none */
};

struct governor_report governor_report(const struct governor *g, uint64_t now_ns);

#endif
