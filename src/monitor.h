/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The manager: owns probes, targets, heap and symbolizer, and the timer that reads them.
 *
 * The daemon and the foreground verbs (seepctl run, seepctl trace) use the same one. Everything
 * happens in the event loop that it is given; nothing here blocks on a target.
 */
#ifndef SEEP_MONITOR_H
#define SEEP_MONITOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/cleanup.h"
#include "heap/snapshot.h"
#include "target/target.h"
#include "trend/slope.h"

struct alert_book;
struct event_base;
struct events;
struct fd_store;
struct heap;
struct history;
struct kept_snapshot;
struct monitor;
struct selector;
struct snapshot;
struct symbolizer;

#define DETECTOR_TICK_MIN_NS 50000000ull

/* What the detector asks for before it alerts; each 0: its default (trend/options.h). */
struct detector_thresholds {
	double least_confidence;      /* of a leak, up to 1 */
	uint32_t least_blocks;	      /* survivors that are seen */
	uint64_t longest_to_limit_ns; /* what takes longer to fill the memory is not judged */
};

struct monitor_options {
	uint64_t tick_ns;     /* 0: 10 s */
	uint32_t max_blocks;  /* live blocks over all targets; 0: 1048576 */
	uint32_t max_sites;   /* 0: 65536 */
	uint32_t max_threads; /* 0: 16384 */
	uint32_t max_frames;  /* per stack, 1..127; 0: 48 */
	uint32_t max_targets; /* 0: 500 */
	uint32_t ring_bytes;  /* of the note ring buffer, a power of two of pages; 0: 256 KiB */
	double budget_ratio;  /* of one processor, for each target; 0: 0.02 */
	double total_budget_ratio;  /* the same for all together; 0: 0.05 */
	uint32_t sampling_interval; /* bytes; 0: 65536 */
	bool keep_exited;	    /* targets that exited stay, with their sites, until the end */
	uint64_t detector_tick_ns;  /* the unit of the detector's times; 0: 60 s */
	const char *history_path;   /* of the database; NULL: nothing outlives the monitor */
	uint64_t history_bytes;	    /* 0: 256 MiB */
	bool watch_host;	    /* every process is followed without probes, see below */
	double census_budget_ratio; /* of one processor, for each Python target; 0: 0.005 */
	bool auto_track;	    /* with watch_host: what it suggests is tracked */
	struct detector_thresholds thresholds;
	const char *force_links; /* one of monitor_link_words: instead of the best, for tests */
	/* Borrowed. What the next monitor goes on with lies there, and what the last one has left. */
	struct fd_store *store;
};

/* Kinds of links, the best first; NULL at the end. */
extern const char *const monitor_link_words[];

/*
 * -EPERM: not privileged; -ENOENT: no BTF; -EOPNOTSUPP: the kernel lacks something. *ret_why, if
 * wanted, is then a sentence that says what is missing and what to do; static.
 */
int monitor_new(struct event_base *base, const struct monitor_options *options,
		struct monitor **ret, const char **ret_why);

/* Removes every probe; with a store that keeps, all is left as it is for the next one. */
struct monitor *monitor_free(struct monitor *m);
DEFINE_CLEANUP(struct monitor *, monitor_free)

/* How much of a target's blocks is taken. */
enum track_mode {
	TRACK_GOVERNED, /* as many as the budget allows */
	TRACK_EXACT,	/* every block, whatever it costs */
	TRACK_SAMPLED,	/* sampled, whatever it costs */
};

struct track_options {
	bool follow; /* forked children become targets, too */
	enum track_mode mode;
	uint32_t sampling_interval; /* bytes; 0: the monitor's */
	double budget_ratio;	    /* while governed; 0: the monitor's */
	/* What its memory is judged against, if that is less than what it may have; 0: nothing. */
	uint64_t limit_bytes;
	struct detector_thresholds thresholds; /* each 0: the monitor's */
	bool is_configured;		       /* by a file, not by hand */
};

#define TRACK_LIMIT_MIN (1u << 20)

#define TRACK_BUDGET_MAX 1.0

/*
 * Starts to watch what the selector means, now and (for a lasting selector) later. Takes over
 * @selector, also on failure. Targets appear in TARGET_ATTACHING; *ret_targets, if wanted, lists
 * them (borrowed pointers, the array is the caller's).
 * -ESRCH: a pid selector without such a process; -EEXIST: the selector is tracked already;
 * -EPERM: seep itself or PID 1; -ENOSPC: too many targets.
 */
int monitor_track(struct monitor *m, struct selector *selector, const struct track_options *options,
		  struct target ***ret_targets, size_t *ret_n);

/*
 * What tracing costs on this machine, measured at the first use (half a second), and from then on every
 * two seconds while anything is tracked; the price of a window follows the others. If the first
 * measurement fails figures of another machine are used, which is logged.
 */
struct monitor_prices {
	double allocation_ns;  /* a call that is not followed */
	double return_ns;      /* what following it to its return adds */
	double block_ns;       /* what taking its block adds, with a stack of ten frames */
	double free_ns;	       /* a free */
	double single_step_ns; /* what an instruction adds that is not emulated */
	double window_ns;      /* what setting and removing the probes costs who hits them */
	uint64_t measured_ns;  /* monotonic: when, at last; 0: they are of another machine */
};

struct monitor_prices monitor_get_prices(struct monitor *m);
/* What a malloc and a free cost together when every block is taken. */
double monitor_pair_ns(struct monitor *m);

/*
 * For seepctl run, which sets its probes before the command is executed. Files that the command
 * will map are announced, so that their tables and hooks are ready before its first instruction:
 * monitor_add_file() takes over @fd (and reads it later); the file counts as it is mapped by
 * anyone. monitor_is_busy() says whether announced files are still being read.
 */
int monitor_add_file(struct monitor *m, const char *path, int fd, uint16_t *ret_slot);
bool monitor_is_busy(const struct monitor *m);
bool monitor_is_allocator(const struct monitor *m, uint16_t slot);
/* Allocators, and the dynamic linker. */
bool monitor_has_hooks(const struct monitor *m, uint16_t slot);

/*
 * Sets probes on an announced file with hooks: in every process that maps it (@pid 0), which only
 * suits a file that nobody else maps, or in one process and the images that it executes.
 */
int monitor_probe_file(struct monitor *m, uint16_t slot, pid_t pid);

/*
 * Makes a process a target whose probes are set by monitor_probe_file(). Those cannot be taken away, so
 * it is not governed: its mode must be exact or sampled.
 */
int monitor_adopt(struct monitor *m, pid_t pid, const struct track_options *options,
		  struct target **ret);

/* Ends what @text (a selector as it was tracked, or a target's id) started. -ENOENT. */
int monitor_untrack(struct monitor *m, const char *text);

/*
 * Other options for what is tracked as @text, and for its processes; whether forks are followed holds for
 * processes that come from now on. -ENOENT.
 */
int monitor_retune(struct monitor *m, const char *text, const struct track_options *options);

/* Other budgets, for all targets; 0: the default of monitor_options. */
struct monitor_budgets {
	double budget_ratio;
	double total_budget_ratio;
	uint32_t sampling_interval; /* bytes */
};

void monitor_set_budgets(struct monitor *m, const struct monitor_budgets *budgets);

/* From the detector's next tick on. */
void monitor_set_thresholds(struct monitor *m, const struct detector_thresholds *thresholds);

/* What is tracked, latest first: fills up to @max entries and returns how many there are. */
struct monitor_selector {
	const char *text; /* borrowed until the next monitor_untrack() or tick */
	bool follow;
	bool is_configured;
	size_t n_targets;
};

size_t monitor_selectors(const struct monitor *m, struct monitor_selector *list, size_t max);

/* Targets in the order they came; those that exited stay until the next tick but one. */
size_t monitor_targets(const struct monitor *m, struct target *const **ret);
struct target *monitor_find_target(const struct monitor *m, const char *id);
struct target *monitor_target_by_key(const struct monitor *m, uint32_t key);

/*
 * With watch_host: processes that nobody traces and whose memory keeps growing (host_growth.h), the
 * nearest to a limit first, at most MONITOR_SUGGESTIONS; only those of a user, if one is given. With
 * auto_track, each is tracked once: what people untrack stays so. -ENOMEM. The caller frees with
 * monitor_suggestions_free().
 */
#define MONITOR_SUGGESTIONS 64

struct monitor_suggestion {
	struct target *target; /* owned; described, but not tracked: no key, no id */
	double bytes_per_hour;
	double seconds_to_limit;
	uint64_t since_ns; /* monotonic */
	char why[384];	   /* plain sentences */
};

int monitor_suggestions(struct monitor *m, const uid_t *only, struct monitor_suggestion **ret,
			size_t *ret_n);
struct monitor_suggestion *monitor_suggestions_free(struct monitor_suggestion *list, size_t n);

struct heap *monitor_heap(struct monitor *m);
struct symbolizer *monitor_symbolizer(struct monitor *m);

/*
 * The Python objects of a target, at its latest census. Targets whose files look like Python's have one
 * each detector tick, or as seldom as its budget asks for. -ENOENT: no such target.
 */
struct python_census;
struct trend_evidence;

struct monitor_census {
	const struct python_census *census; /* borrowed until the loop runs on; NULL: none yet */
	uint64_t taken_ns;		    /* monotonic */
	uint64_t interval_ns; /* until the next one; 0: none is planned, it is no Python */
	int error;	 /* of the last try: negative errno; 0: it was taken, or there was none */
	const char *why; /* a sentence, borrowed like census; NULL: not known */
};

int monitor_census(const struct monitor *m, uint32_t target, struct monitor_census *ret);

/* What is known of a kind of that census, by its index. */
struct monitor_kind {
	uint64_t id;			       /* the same in all censuses and lives */
	struct slope_estimate growth;	       /* of its bytes */
	const struct trend_evidence *evidence; /* borrowed; NULL: nothing is thought of it */
	uint64_t leak;			       /* id of the alert that it would be told under */
};

int monitor_census_kind(const struct monitor *m, uint32_t target, size_t index,
			struct monitor_kind *ret);

/*
 * A census of any process, now, of which nothing is kept. @done is called from the event loop or
 * monitor_free(): -ENOENT it runs no Python; -EOPNOTSUPP its heap cannot be swept, @why says why;
 * -ESRCH; -ECANCELED.
 */
typedef void (*monitor_census_fn)(int error, const char *why, struct python_census *c,
				  void *userdata);
int monitor_take_census(struct monitor *m, pid_t pid, monitor_census_fn done, void *userdata);

struct alert_python;

/*
 * Looks for the lines of a target that make objects of a type: for some seconds probes see constructions,
 * then it is waited for what is left of them. One such search at a time, -EBUSY; it takes half a minute or a
 * few of them. -EAGAIN: no census of the target yet; -ENOENT: none of its objects have the type; -ENODATA: it
 * is not traced, or its Python frames cannot be walked.
 */
int monitor_find_origin(struct monitor *m, uint32_t target, const char *type);
/*
 * How that came out: created_at and constructions_seen of *ret, borrowed until the loop runs on.
 * -EINPROGRESS; -ENOENT: nobody has asked for it, or for something else since; -ENODATA: nothing that is
 * called when such objects are made was found; other errors.
 */
int monitor_origin(const struct monitor *m, uint32_t target, const char *type,
		   const struct alert_python **ret);

/* What the detector says. */
struct alert_book *monitor_alerts(struct monitor *m);
struct events *monitor_events(struct monitor *m);
struct history *monitor_history(struct monitor *m); /* NULL: none is kept */
/* Called for each event of an alert (enum alert_event), after it was noted. One listener. */
struct alert;
void monitor_on_alert(struct monitor *m,
		      void (*callback)(int event, const struct alert *a, void *userdata),
		      void *userdata);

/* A tick now, outside of the timer. */
int monitor_tick(struct monitor *m);

/* Only reads the maps, so that the figures are those of this moment. */
int monitor_read(struct monitor *m);

/* Sets oldest_ns of all sites by a walk over the live blocks, at most once per tick. */
int monitor_scan_ages(struct monitor *m);

/* Called after each tick; one listener. */
void monitor_on_tick(struct monitor *m, void (*callback)(void *userdata), void *userdata);

/*
 * Taken in this life of the monitor, or in an earlier one. Of the latter, which may be many and large,
 * only the packed form is in memory.
 */
struct monitor_snapshot {
	struct snapshot_head head; /* owns its name */
	uint64_t sites;
	uint64_t live_bytes;
	uint64_t live_count;
	bool is_kept;		/* in the history, for the next life */
	struct snapshot *taken; /* owned; NULL: of an earlier life; then */
	void *packed;		/* owned: what monitor_open_snapshot() reads */
	size_t packed_size;
};

void monitor_snapshot_done(struct monitor_snapshot *s);

/* The sites of one of an earlier life. -ENOMEM. The caller frees. */
int monitor_open_snapshot(const struct monitor_snapshot *s, struct kept_snapshot **ret);

/*
 * Snapshots, by name, oldest first. What is returned is borrowed until the next of these calls that
 * changes the list. -EEXIST, -EINVAL (name), -ENOSPC (64 there are), -ESRCH (target), -ENOENT.
 */
int monitor_snapshot(struct monitor *m, const char *name, uint32_t target,
		     const struct monitor_snapshot **ret);
const struct monitor_snapshot *monitor_find_snapshot(const struct monitor *m, const char *name);
size_t monitor_snapshots(const struct monitor *m, const struct monitor_snapshot **ret);

/*
 * Keeps a snapshot in the history, once the names of its frames are known: then @done is called, from
 * the event loop or monitor_free(). A failure is logged, and is_kept stays false; the snapshot stands.
 * -EOPNOTSUPP: there is no history.
 */
int monitor_keep_snapshot(struct monitor *m, const char *name, void (*done)(void *userdata),
			  void *userdata);

/*
 * Also from the history, where there may be one that could not be read. If that fails, with its error,
 * the snapshot stays.
 */
int monitor_drop_snapshot(struct monitor *m, const char *name);

/*
 * The present, named "now", which is in no list; empty of a target that is gone. The caller ends it with
 * monitor_snapshot_done(). -ENOMEM.
 */
int monitor_take_present(struct monitor *m, uint32_t target, struct monitor_snapshot *ret);

/* What the kernel offers and what the monitor uses, for /v1/info and doctor. */
struct monitor_info {
	const char *links; /* one of monitor_link_words */
	bool preempt_disable;
	bool find_vma;
	bool map_prealloc; /* hash maps take all their memory at once (kernels before 6.1) */
	uint64_t tick_ns;
	uint64_t last_tick_ns; /* how long the last tick took */
	uint64_t ticks;
	uint32_t max_blocks;
	uint32_t max_sites;
	uint32_t max_threads;
	uint32_t max_frames;
	uint32_t max_targets;
	uint64_t live_blocks; /* entries in use, as of the last tick */
	uint64_t sites;
	double budget_ratio;
	double total_budget_ratio;
	double total_cost_ratio; /* spent in the last minute, over all targets */
	uint32_t sampling_interval;
	uint64_t detector_tick_ns;
	uint64_t last_evaluation_ns; /* how long judging took, without the walk over the blocks */
	uint64_t last_walk_ns;	     /* how long the steps of that walk took */
	uint64_t judged;	     /* stacks, shared frames and processes that are followed */
	uint64_t left_out;	     /* such that there was no room for, so far */
	bool has_history;
	uint64_t history_bytes;
	uint64_t history_lost; /* records that could neither be written nor wait, so far */
	int history_error;     /* negative errno, while writing fails */
};

void monitor_get_info(const struct monitor *m, struct monitor_info *ret);

#endif
