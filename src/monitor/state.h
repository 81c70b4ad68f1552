/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The monitor's state, shared by the files of this folder only.
 *
 *	watch ──┬─ tracked (a process) ── links on the allocator files it maps
 *	        └─ tracked ...
 *	files[slot] ── what the sandboxed child has said of a file: hooks, unwind table
 */
#ifndef SEEP_MONITOR_STATE_H
#define SEEP_MONITOR_STATE_H

#include <uthash.h>

#include "elf/files.h"
#include "heap/heap.h"
#include "monitor.h"
#include "monitor/snapshot_list.h"
#include "probe/governor.h"
#include "probe/probe.h"
#include "python/file.h"
#include "symbolize/symbolizer.h"
#include "target/procfs.h"
#include "target/selector.h"
#include "trend/options.h"
#include "trend/reconcile.h"

#define PROC_ROOT	      "/proc"
#define CGROUP_ROOT	      "/sys/fs/cgroup"
#define EXITED_TICKS	      2 /* how long a target that exited is still listed */
#define MAPPING_REFRESH_TICKS 6 /* mappings are read again this often without a reason */

struct event;

/* A process: pids are given again, but not with the same start. */
struct process_name {
	pid_t pid;
	uint64_t start_ticks;
};

/* What was asked for: a selector and the processes that it brought in. */
struct watch {
	struct selector *selector; /* owned */
	struct track_options options;
	struct process_name *left_out; /* owned: untracked by themselves, not to be found again */
	size_t n_left_out;
	struct watch *next;
};

enum file_progress {
	FILE_UNKNOWN,
	FILE_ASKED,
	FILE_KNOWN,
	FILE_FAILED, /* not this time: it is asked for again */
};

struct file_state {
	enum file_progress hooks;
	enum file_progress table;
	struct probe_point *points; /* owned; NULL: nothing to probe */
	size_t n_points;
	bool is_allocator;	 /* malloc and free are among them */
	bool defines_malloc;	 /* also one that is not probed */
	struct monitor *monitor; /* borrowed: userdata of the child's answers */
	uint16_t slot;
	int error; /* why the last one has failed */
	uint64_t failed_at_tick;
	enum file_progress python;
	struct python_file *interpreter; /* owned; NULL: it has none */
	pid_t probed_pid; /* probes set ahead by monitor_probe_file(): in this process, or */
};

#define PROBED_EVERYWHERE (-1) /* in every process that maps the file */

/* Whether the kernel side can walk a target's Python frames. */
enum python_progress {
	PYTHON_NOT_MET, /* it maps no interpreter (yet) */
	PYTHON_STARTING,
	PYTHON_READY,
	PYTHON_GIVEN_UP,
};

/* How a target of an earlier life was traced, until that is so again. */
struct resume {
	bool is_wanted;
	bool is_steady;	 /* all of its calls met the probes, and shall do so */
	bool in_windows; /* its probes are those of windows */
	enum governor_mode mode;
	uint64_t interval_bytes;
};

struct detector;
struct govern;
struct handover;
struct history;
struct keeping;
struct python_inspector;
struct python_watch;
struct survivors;
struct telling;

struct tracked {
	struct target *target; /* owned */
	struct watch *watch;   /* NULL: adopted */
	struct track_options options;
	struct monitor *monitor;      /* borrowed */
	struct govern *govern;	      /* owned; NULL: nothing is traced yet, or any more */
	struct detector *detector;    /* owned; NULL: no tick of it yet, or its life is over */
	struct trend_options trend;   /* the detector's: the monitor's, and its own thresholds */
	struct python_watch *objects; /* owned; NULL: nobody has looked for Python objects yet */
	uint64_t unseen_frees;	      /* blocks that may have been freed while no probe was there */
	double usage_share;	      /* of the memory limit, when last read */
	bool is_attached; /* its files were looked at, and probes set as far as wanted */
	bool from_start;  /* every allocation since its image began met the probes, if any did */
	bool armed_by_kernel; /* began at a fork or exec of another target */
	bool missed_frees;    /* for a while no probe was there: to be added to unseen_frees */
	struct resume resume;
	uint16_t *slots; /* of the files that it maps; owned */
	size_t n_slots;
	struct probe_links **links; /* owned, one per file with hooks; NULL: windows open them */
	uint16_t *link_slots;	    /* owned */
	size_t n_links;
	struct probe_mapping *mappings; /* owned: as they were when last read, ascending */
	size_t n_mappings;
	uint64_t mappings_hash; /* of what was published last */
	uint64_t exited_at_tick;
	struct reconcile reconcile;
	enum python_progress python;
	unsigned int python_tries; /* while the interpreter starts */
	bool mappings_stale;
	bool is_tried_again; /* it has failed for want of something, and is begun anew at the next tick */
	int mappings_error; /* why they, or files of them, cannot be read at this moment; 0: they were */
	bool purged;	    /* exited, and read for the last time */
	UT_hash_handle by_key;
};

struct monitor {
	struct event_base *base; /* borrowed */
	struct monitor_options options;
	struct probe *probe;			      /* owned */
	struct file_table *files;		      /* owned */
	struct symbolizer *symbolizer;		      /* owned */
	struct heap *heap;			      /* owned */
	struct file_state *states[FILE_SLOT_MAX + 1]; /* owned */

	struct watch *watches;
	struct tracked *tracked; /* hash by target key, in order of arrival */
	struct target **list;	 /* owned: what monitor_targets() shows */
	size_t n_list;

	struct probe_links **file_links; /* owned: of monitor_probe_file() */
	size_t n_file_links;

	struct snapshot_list snapshots;
	struct keeping *keepings; /* owned: snapshots that wait for names */

	uint32_t *orphans; /* owned: ids that were unknown at the last tick */
	size_t n_orphans;

	struct event *tick_timer;
	struct event *notes_event;
	struct event *work_event; /* things to do soon: attach, purge */
	struct event *windows_event;
	struct event *revive_timer;
	struct event *python_timer; /* NULL: no interpreter was seen starting yet */
	bool final_read_wanted;
	bool flush_wanted;   /* of the history */
	bool refresh_wanted; /* some target's mappings are stale */
	bool purging;
	bool walking; /* over the live blocks, for an evaluation */

	struct host_watch *host;   /* owned; NULL: not wanted */
	struct handover *handover; /* owned; NULL: to nobody */

	struct monitor_prices prices; /* as told: believed_prices, with stacks of ten frames */
	struct probe_prices first_prices;
	struct probe_prices last_prices;
	struct probe_prices believed_prices;
	bool has_prices;
	struct event *prices_event;
	struct event *prices_timer;
	struct governor_total total;

	struct trend_options trend;
	struct event *detect_timer;
	unsigned names_asked; /* requests for names on their way, see names.c */
	uint64_t walk_began_ns;
	uint64_t walk_ns; /* spent on it so far */
	uint64_t last_walk_ns;
	uint64_t last_evaluation_ns;	     /* how long judging took */
	struct alert_book *alerts;	     /* owned */
	struct events *events;		     /* owned */
	struct history *history;	     /* owned; NULL: none is kept */
	struct python_inspector *inspector;  /* owned */
	struct python_watch *python_watches; /* all, also those whose target is gone */
	struct survivors *survivors;	     /* owned */
	struct census_ask *census_asks;	     /* owned: for who asked for one */
	struct telling *tellings;	     /* owned: findings that wait for names */
	uint64_t started_ns;
	bool unseen_are_closed;
	bool is_stopping; /* targets live on, and so do their alerts */
	bool is_leaving;  /* and so do their probes, for the next life */
	void (*on_alert)(int event, const struct alert *a, void *userdata);
	void *on_alert_userdata;

	uint64_t ticks;
	uint64_t last_tick_ns;
	uint64_t scanned_at_tick;
	uint64_t n_sites;
	uint64_t n_blocks;
	bool tick_failed;
	void (*on_tick)(void *userdata);
	void *on_tick_userdata;
};

uint64_t monotonic_ns(void);
void monitor_fill_defaults(struct monitor_options *o); /* where it says 0 */

/* tracked.c: the list of targets */
struct tracked *tracked_new(struct monitor *m, uint32_t key, pid_t pid, struct watch *watch,
			    uint32_t parent);
void tracked_remove(struct monitor *m, struct tracked *t);
struct tracked *tracked_find(const struct monitor *m, uint32_t key);
struct tracked *tracked_by_pid(const struct monitor *m, pid_t pid);
void tracked_drop_links(struct monitor *m, struct tracked *t);
/* Of all targets, or of those of a watch: at once, as each would wait for the kernel. */
void tracked_drop_all_links(struct monitor *m, const struct watch *of);
int tracked_rebuild_list(struct monitor *m);

/* attach.c: from a process to probes in it */
int attach_start(struct monitor *m, struct tracked *t);
void attach_advance(struct monitor *m);
void attach_later(struct monitor *m, struct tracked *t); /* its mappings are read again soon */
/*
 * A target of an earlier life: with the probes that it has left, and those that are missing. @is_armed: else
 * it has executed another image, whose note comes. Fails only for want of memory.
 */
int attach_resume(struct monitor *m, struct tracked *t, bool is_armed);
void attach_again(struct monitor *m, struct tracked *t); /* if it is to be tried again */
void attach_failed(struct tracked *t, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* mappings.c: what a target has mapped */
/* Reads them and tells the kernel side what changed. -ESRCH: it is gone. */
int mappings_refresh(struct monitor *m, struct tracked *t);
/* Why some of its files are not known (yet): opening them failed, or looking at them. 0: all are known. */
int mappings_missing(const struct monitor *m, const struct tracked *t);
/* The stored frame of an address that the kernel side could not place; as given if nobody can. */
uint64_t mappings_place_frame(const struct tracked *t, uint64_t frame);

/* govern.c: how much of a target is traced */
int govern_begin(struct monitor *m, struct tracked *t);
void govern_retune(struct tracked *t); /* its options, or the monitor's budget, have changed */
bool govern_wants_probes(const struct tracked *t);
bool govern_has_links(const struct tracked *t); /* no windows, but links as of the attach */
void govern_attached(struct tracked *t);	/* the probes are set */
void govern_alarm(struct tracked *t);		/* it makes many calls */
void govern_report(struct tracked *t);
/* Probes that are not of its plan have cost the target so many ns since then. */
void govern_spend(struct tracked *t, uint64_t from_ns, double ns);
void govern_price(struct tracked *t); /* prices were measured */
struct resume govern_how(const struct tracked *t);
/* govern_limits.c */
struct governor_prices govern_prices(struct monitor *m, const struct tracked *t);
struct governor_limits govern_limits(const struct monitor *m, const struct track_options *o);
enum target_mode govern_target_mode(enum governor_mode mode);
void govern_end(struct tracked *t);

/*
 * windows.c: probes that come and go. 1: nothing is awaited, and they are as wanted if there is no error
 * (-EAGAIN: too much is waiting, some are still there; try again); 0: answers are awaited
 */
struct window_state {
	bool has_links; /* those that were set at the attach */
	bool has_frees; /* window of the free functions */
	bool has_allocs;
	size_t awaited; /* answers */
	int error;	/* of the last change */
};
int windows_change(struct monitor *m, struct tracked *t, struct window_state *s, bool frees,
		   bool allocs);
void windows_close(struct monitor *m, struct tracked *t, struct window_state *s);
/* An answer: 1 if it was the last one awaited. */
int windows_answer(struct window_state *s, int error);
/* Both of its windows have probes of an earlier life. */
bool windows_resume(struct monitor *m, const struct tracked *t);
/* All of a target's windows are gone by themselves. */
void windows_forget(struct window_state *s);
/* Answers go to govern_answer(); that all windows are lost, to govern_lose_windows(). */
int windows_listen(struct monitor *m);
void govern_answer(struct tracked *t, int error);
void govern_lose_windows(struct tracked *t);

/* anonymous.c: executable memory without a file; the slot of a mapping, 0: none */
uint16_t anonymous_slot(struct monitor *m, const struct target *target, const struct mapping *map);
void anonymous_prepare(struct monitor *m); /* what is the same in all targets */
bool anonymous_is_generated(const struct monitor *m, uint16_t slot);

/* files.c: what is known of the files */
int files_learn(struct monitor *m, uint16_t slot);
bool files_ready(const struct monitor *m, uint16_t slot); /* no answer is awaited */
int files_error(const struct monitor *m,
		uint16_t slot); /* why the last look failed; 0: it did not */
enum file_progress files_progress(struct file_state *s, int error); /* after an answer */
bool files_are_to_be_asked(const struct file_state *s, enum file_progress progress);
/* It says something of this moment only: descriptors or memory are wanting. */
bool files_is_passing(int error);
int files_take_note(struct monitor *m, const struct note *note);
/* Whether a stored frame lies in a library that only passes allocations on: libc, libstdc++, ... */
bool files_only_pass_on(const struct monitor *m, uint64_t frame);
int files_add_opened(struct monitor *m, const char *path, int fd, uint16_t *ret_slot);

/* python_frames.c: Python frames on native stacks */
int python_frames_learn(struct monitor *m, struct file_state *s, const struct file *file);
bool python_frames_is_interpreter(const struct monitor *m, uint16_t slot);
/* Has the kernel side walk them, once the target's mappings were read and its files are known. */
void python_frames_attach(struct monitor *m, struct tracked *t);
void python_frames_take_note(struct monitor *m, const struct note *note);

/* life.c: fork, exec, exit, and processes that selectors bring in */
void life_note(const struct note *note, void *userdata);
void life_reconcile(struct monitor *m);
void life_collect_orphans(struct monitor *m);
void life_end_watch_of(struct monitor *m, struct watch *w);
void life_unlink_watch(struct monitor *m, struct watch *gone);
int life_search(struct monitor *m, struct watch *w, struct target ***ret, size_t *ret_n);
void life_forget_exited(struct monitor *m);
void life_exited(struct monitor *m, struct tracked *t);
bool life_is_same_process(const struct target *target); /* what cannot be read now is not gone */

/* host.c: every process of the host, without probes */
int host_start(struct monitor *m);
void host_stop(struct monitor *m);

/* reconcile.c: how much of a target's growth its live blocks explain */
void reconcile_take(struct monitor *m, struct tracked *t, uint64_t now_ns);

/* snapshots.c: after the history was opened, and before it is closed */
int snapshots_start(struct monitor *m);
void snapshots_stop(struct monitor *m);

/* ages.c */
int ages_scan(struct monitor *m);

/* tick.c */
int tick_read(struct monitor *m);
int tick_schedule_work(struct monitor *m);

#endif
