/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Alerts as the detector would make them. */
#ifndef TESTS_UNIT_ALERT_FIXTURE_H
#define TESTS_UNIT_ALERT_FIXTURE_H

#include <math.h>
#include <string.h>

#include "alert/alert.h"

#define MiB 1048576.0

/* 2026-03-01 00:00 UTC. */
#define BEGAN_MS 1772323200000ull

/* A leak of 2 MiB per hour in 14 of 14 intervals of 2 h, by ticks of a minute. */
static inline struct trend_evidence fixture_evidence(void)
{
	struct trend_evidence e = {
		.state = TREND_LEAKING,
		.channel = TREND_BY_COHORTS,
		.severity = TREND_MEDIUM,
		.confidence = 0.97,
		.e_value = 19285,
		.now = 1800,
		.since = 30,
		.until = 1710,
		.leaked_bytes = 56 * MiB,
		.leaked_blocks = 8210,
		.window = { .from = 30,
			    .width = 120,
			    .n = 14,
			    .sum = { 56 * MiB, 8210, 410500, 1e6 } },
		.presence = { .active = 14, .positive = 14, .last = 13, .gap = 1, .share = 1 },
		.window_rate = { .time = 0.97, .work = 0.95, .survival = 0.9, .best = 0.97 },
		.life_rate = { .time = 1.02, .work = 0.9, .survival = 0, .best = 1.02 },
		.survival = 0.98,
		.longest_lifetime = 71,
		.maturity = 90,
		.bytes_per_tick = 2 * MiB / 60,
		.bytes_per_tick_low = 1.5 * MiB / 60,
		.bytes_per_tick_high = 2.5 * MiB / 60,
		.live_bytes = 58 * MiB,
		.headroom_bytes = 1024 * MiB,
		.ticks_to_limit = 30720,
		.ticks_to_limit_low = 24576,
		.ticks_to_limit_high = INFINITY,
		.ticks_to_limit_then = 32000,
		.waited = 1770,
		.required = 1500,
	};

	for (unsigned i = 0; i < e.window.n; i++)
		e.window.slices[i] = (struct slice){ 4 * MiB + 0.1, 586 + i / 7.0, 29321, 7e4 };
	return e;
}

static inline struct frame fixture_frame(const char *function)
{
	return (struct frame){
		.kind = FRAME_NATIVE,
		.function = strdup(function),
		.file = strdup("/src/server/session.c"),
		.line = 42,
		.module = strdup("/usr/lib/libserver.so.1"),
		.build_id = strdup("00ff"),
		.offset = 0x1234,
	};
}

static inline struct alert *fixture_alert(uint64_t id, uint32_t target)
{
	struct alert *a = alert_new();

	a->id = id;
	a->service = strdup("server.service");
	a->scope = ALERT_STACK;
	a->target = target;
	snprintf(a->target_id, sizeof(a->target_id), "%u-%u", 1000 + target, target);
	a->pid = (pid_t)(1000 + target);
	a->uid = 33;
	snprintf(a->comm, sizeof(a->comm), "server");
	a->exe = strdup("/usr/bin/server");
	a->unit = strdup("server.service");
	a->state = TREND_LEAKING;
	a->severity = TREND_MEDIUM;
	a->evidence = fixture_evidence();
	a->life = (struct alert_life){ .began_ms = BEGAN_MS, .tick_seconds = 60 };
	a->frames = calloc(2, sizeof(*a->frames));
	a->frames[0] = fixture_frame("xmalloc");
	a->frames[1] = fixture_frame("session_open");
	a->n_frames = 2;
	a->stacks = calloc(2, sizeof(*a->stacks));
	a->n_stacks = 2;
	return a;
}

#endif
