// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * leakgen SCENARIO [--seed N] [--minute MS] [--from MINUTE] [--life MINUTES] [--limit BYTES]
 *         [--every MINUTES] [--wait] [--hold]
 *
 * One life of a service of a family of tests/eval (L01, N03, ...), with real blocks and in compressed
 * time: a simulated minute takes MS milliseconds, 0 for as fast as it goes. Everything the service
 * does follows from the scenario, the seed and the minute at which the life begins.
 *
 * Prints JSON lines: first what it is; then every so many minutes, for each function that allocates,
 * {"minute","function","leaked_bytes","live_bytes"}; last how the life ended: "life" (its minutes
 * are over), "restart" (the family restarts itself) or "exhausted" (the limit is reached). The next
 * life begins with --from the minute at which the last one ended.
 *
 * --wait, --hold: see workload.h; it holds with all its blocks.
 */
#include <math.h>
#include <time.h>

#include "../workloads/workload.h"
#include "families.h"
#include "real.h"

struct options {
	const char *scenario;
	unsigned long seed, minute_ms, from, life, limit, every;
};

/* Families whose site in question allocates on threads that come and go. */
static const char *const threaded[] = { "L23" };

static const struct family *find_family(const char *id)
{
	static struct family_list (*const lists[])(void) = { leak_families, benign_families,
							     blind_families, fuzz_families,
							     fresh_families };

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		struct family_list list = lists[i]();

		for (size_t k = 0; k < list.n; k++)
			if (strcmp(list.at[k].id, id) == 0)
				return list.at + k;
	}
	return NULL;
}

static unsigned long number(const char *text)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(text, &end, 10);
	if (errno || *text < '0' || *text > '9' || *end)
		die("not a number");
	return n;
}

static struct options parse(int argc, char **argv)
{
	struct options o = {
		.seed = 1,
		.minute_ms = 50,
		.life = LIFE_TICKS,
		.limit = 192ul << 20,
		.every = 1,
	};

	const struct {
		const char *name;
		unsigned long *number;
	} known[] = {
		{ "--seed", &o.seed }, { "--minute", &o.minute_ms }, { "--from", &o.from },
		{ "--life", &o.life }, { "--limit", &o.limit },	     { "--every", &o.every },
		{ "--wait", NULL },    { "--hold", NULL },
	};

	for (int i = 1; i < argc; i++) {
		size_t k = 0;

		if (argv[i][0] != '-') {
			o.scenario = argv[i];
			continue;
		}
		while (k < sizeof(known) / sizeof(known[0]) && strcmp(argv[i], known[k].name) != 0)
			k++;
		if (k == sizeof(known) / sizeof(known[0]))
			die("unknown option");
		if (known[k].number)
			*known[k].number = number(++i < argc ? argv[i] : "");
	}
	if (!o.scenario || o.limit < 1 << 20 || o.every < 1)
		die("usage: leakgen SCENARIO [--seed N] [--minute MS] [--from MINUTE] "
		    "[--life MINUTES] [--limit BYTES] [--every MINUTES] [--wait] [--hold]");
	if (o.from >= RUN_TICKS || o.life > RUN_TICKS - o.from)
		o.life = o.from < RUN_TICKS ? RUN_TICKS - o.from : 0;
	return o;
}

/* Families think of a limit of gigabytes. Blocks stay as many, and become smaller. */
static void scale(struct world *w, double limit)
{
	double factor = limit / w->limit;

	w->limit *= factor;
	w->base *= factor;
	w->usage *= factor;
	w->fragmentation *= factor;
	for (int i = 0; i < SITES; i++) {
		for (int k = 0; k < w->sites[i].n; k++) {
			w->sites[i].components[k].bytes *= factor;
			w->sites[i].components[k].most_bytes *= factor;
		}
	}
}

static void build(const struct options *o, const struct family *f, struct world *w)
{
	family_build(f, w, o->seed);
	scale(w, (double)o->limit);
	for (size_t i = 0; i < sizeof(threaded) / sizeof(threaded[0]); i++)
		if (strcmp(threaded[i], f->id) == 0)
			world_use_threads(w);
	if (o->from > 0) {
		world_restart(w, (int)o->from);
		w->random = random_stream(o->seed, o->from);
	}
}

static void say_begin(const struct options *o, const struct family *f, const struct world *w)
{
	say("{\"scenario\":\"%s\",\"title\":\"%s\",\"leaks\":%s,\"hard\":%s,\"seed\":%lu,"
	    "\"from\":%lu,\"limit_bytes\":%.0f,\"headroom_bytes\":%.0f,\"leaks_from\":%d,"
	    "\"leaks_until\":%d,\"restart_every\":%d,\"function\":\"%s\"}\n",
	    f->id, f->title, f->leaks ? "true" : "false", f->hard ? "true" : "false", o->seed,
	    o->from, w->limit, world_headroom(w), w->sites[0].leaks_from, w->sites[0].leaks_until,
	    w->restart_every, place_name(site_place(w, 0)));
}

static void say_minute(const struct world *w, int tick)
{
	for (int i = 0; i < SITES; i++)
		say("{\"minute\":%d,\"function\":\"%s\",\"leaked_bytes\":%.0f,\"live_bytes\":%.0f}"
		    "\n",
		    tick, place_name(site_place(w, i)), w->sites[i].leaked, world_live_bytes(w, i));
}

static void sleep_until(struct timespec start, unsigned long long ms)
{
	start.tv_sec += (time_t)(ms / 1000);
	start.tv_nsec += (long)(ms % 1000) * 1000000;
	if (start.tv_nsec >= 1000000000) {
		start.tv_nsec -= 1000000000;
		start.tv_sec++;
	}
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &start, NULL) == EINTR)
		;
}

/* Returns how the life ended; *ret_tick is the minute after its last. */
static const char *live(const struct options *o, struct world *w, int *ret_tick, double *ret_peak)
{
	int from = (int)o->from;
	int end = from + (int)o->life;
	bool restarts = w->restart_every > 0 && from + w->restart_every < end;
	struct timespec start;
	bool over = false;
	int tick;

	if (restarts)
		end = from + w->restart_every;
	*ret_peak = 0;
	clock_gettime(CLOCK_MONOTONIC, &start);
	for (tick = from; tick < end && !over; tick++) {
		if (o->minute_ms > 0)
			sleep_until(start, (unsigned long long)(tick - from) * o->minute_ms);
		world_step(w, tick);
		*ret_peak = fmax(*ret_peak, w->usage);
		over = w->usage > w->limit;
		if ((tick + 1 - from) % (int)o->every == 0 || tick + 1 == end || over)
			say_minute(w, tick);
	}
	*ret_tick = tick;
	if (over)
		return "exhausted";
	return restarts ? "restart" : "life";
}

int main(int argc, char **argv)
{
	struct options o = parse(argc, argv);
	const struct family *f = find_family(o.scenario);
	struct world *w;
	const char *how;
	double peak;
	int tick;

	if (!f)
		die("no such scenario");
	workload_begin(argc, argv);
	w = world_new();
	build(&o, f, w);
	say_begin(&o, f, w);
	how = live(&o, w, &tick, &peak);
	say("{\"minute\":%d,\"end\":\"%s\",\"peak_bytes\":%.0f}\n", tick, how, peak);
	workload_end(argc, argv);
	world_free(w);
	return 0;
}
