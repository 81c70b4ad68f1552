// SPDX-License-Identifier: GPL-2.0-or-later
/* All that seepd can be told. See options.h. */
#include "daemon/options.h"

#include <syslog.h>

#include "../bpf/abi.h" /* SAMPLING_INTERVAL_MIN */

#define SECOND_NS	 1000000000.0
#define HOUR_NS		 (3600 * SECOND_NS)
#define YEAR_NS		 (365 * 24 * HOUR_NS)
#define FIELD(member)	 SETTING_FIELD(struct seepd_options, member)
#define COUNT(low, high) .kind = SETTING_COUNT, .least = (low), .most = (high)

static const char *const link_words[] = { "session", "multi", "perf", NULL };
static const char *const level_words[] = { "error", "warning", "info", "debug", NULL };

const struct setting seepd_settings[] = {
	{ "Daemon", "Socket", "socket", SETTING_TEXT, FIELD(socket_path), .form = "a path" },
	{ "Daemon", "Tick", "tick", SETTING_DURATION, FIELD(monitor.tick_ns), .least = SECOND_NS,
	  .most = HOUR_NS, .form = "a duration from 1s to 1h" },
	{ "Daemon", "AutoTrack", "auto-track", SETTING_SWITCH, FIELD(monitor.auto_track),
	  .form = "yes or no" },
	{ "Daemon", "LogLevel", NULL, SETTING_WORD, FIELD(log_level), .words = level_words,
	  .form = "error, warning, info or debug", .is_live = true },
	{ "Daemon", "MaxTargets", "max-targets", FIELD(monitor.max_targets), COUNT(1, 100000),
	  .form = "a number from 1 to 100000" },
	{ "Daemon", "MaxBlocks", "max-blocks", FIELD(monitor.max_blocks), COUNT(64, 1u << 28),
	  .form = "a number from 64 to 268435456" },
	{ "Daemon", "MaxSites", "max-sites", FIELD(monitor.max_sites), COUNT(16, 1u << 24),
	  .form = "a number from 16 to 16777216" },
	{ "Daemon", "MaxThreads", "max-threads", FIELD(monitor.max_threads), COUNT(16, 1u << 22),
	  .form = "a number from 16 to 4194304" },
	{ "Daemon", "MaxFrames", "max-frames", FIELD(monitor.max_frames), COUNT(1, 127),
	  .form = "a number from 1 to 127" },
	{ "Daemon", "RingSize", "ring-size", SETTING_POWER, FIELD(monitor.ring_bytes),
	  .least = 4096, .most = 64u << 20, .form = "a power of two from 4K to 64M" },
	{ "Daemon", "Links", "links", SETTING_WORD, FIELD(links), .words = link_words,
	  .form = "session, multi or perf" },
	{ "Budget", "Target", "budget", SETTING_PERCENT, FIELD(monitor.budget_ratio),
	  .form = "a percentage above 0, at most 100", .is_live = true },
	{ "Budget", "Total", "total-budget", SETTING_PERCENT, FIELD(monitor.total_budget_ratio),
	  .form = "a percentage above 0, at most 100", .is_live = true },
	{ "Budget", "Census", "census-budget", SETTING_PERCENT, FIELD(monitor.census_budget_ratio),
	  .form = "a percentage above 0, at most 100" },
	{ "Budget", "SamplingInterval", "sampling-interval", SETTING_SIZE,
	  FIELD(monitor.sampling_interval), .least = SAMPLING_INTERVAL_MIN,
	  .most = SAMPLING_INTERVAL_MAX, .form = "a size from 1K to 1G", .is_live = true },
	{ "Detector", "Tick", "detector-tick", SETTING_DURATION, FIELD(monitor.detector_tick_ns),
	  .least = DETECTOR_TICK_MIN_NS, .most = HOUR_NS, .form = "a duration from 50ms to 1h" },
	{ "Detector", "Confidence", NULL, SETTING_PERCENT,
	  FIELD(monitor.thresholds.least_confidence), .form = "a percentage above 0, at most 100",
	  .is_live = true },
	{ "Detector", "LeastBlocks", NULL, FIELD(monitor.thresholds.least_blocks),
	  COUNT(1, 1000000), .form = "a number from 1 to 1000000", .is_live = true },
	{ "Detector", "LongestToLimit", NULL, SETTING_DURATION,
	  FIELD(monitor.thresholds.longest_to_limit_ns), .least = 60 * SECOND_NS,
	  .most = 100 * YEAR_NS, .form = "a duration from 1min to 36500d", .is_live = true },
	{ "History", "Directory", "state-dir", SETTING_TEXT, FIELD(state_dir),
	  .form = "a folder, or none" },
	{ "History", "Size", NULL, SETTING_SIZE, FIELD(monitor.history_bytes), .least = 1u << 20,
	  .most = 1ull << 40, .form = "a size from 1M to 1024G" },
	{ "Alerts", "Command", "on-alert", SETTING_PATH, FIELD(on_alert),
	  .form = "the absolute path of a command, and arguments", .is_live = true },
	{ "Alerts", "User", "on-alert-user", SETTING_USER, FIELD(on_alert_user),
	  .form = "the name of a user", .is_live = true },
	{ "Alerts", "Suppressions", "suppressions", SETTING_TEXT, FIELD(suppressions),
	  .form = "the path of a file", .is_live = true },
	{ "Http", "Listen", "http", SETTING_ADDRESS, FIELD(http),
	  .form = "a loopback address and a port, such as 127.0.0.1:9837" },
	{ "Access", "ReadGroup", NULL, SETTING_GROUP, FIELD(read_group),
	  .form = "the name of a group" },
	{ "Access", "DetailGroup", NULL, SETTING_GROUP, FIELD(detail_group),
	  .form = "the name of a group" },
	{ "Access", "OperateGroup", NULL, SETTING_GROUP, FIELD(operate_group),
	  .form = "the name of a group" },
	{ "Access", "Others", NULL, SETTING_SWITCH, FIELD(others), .form = "yes or no" },
};

const size_t n_seepd_settings = ARRAY_SIZE(seepd_settings);

void seepd_options_done(struct seepd_options *o)
{
	for (size_t i = 0; i < n_seepd_settings; i++)
		setting_reset(&seepd_settings[i], o);
	for (size_t i = 0; i < o->n_selectors; i++)
		free(o->selectors[i]);
	free(o->config);
	*o = (struct seepd_options){ .monitor.watch_host = true };
}

int seepd_options_log_level(const struct seepd_options *o)
{
	static const int levels[] = {
		[0] = LOG_INFO,
		[LOG_LEVEL_ERROR] = LOG_ERR,
		[LOG_LEVEL_WARNING] = LOG_WARNING,
		[LOG_LEVEL_INFO] = LOG_INFO,
		[LOG_LEVEL_DEBUG] = LOG_DEBUG,
	};

	return levels[o->log_level];
}
