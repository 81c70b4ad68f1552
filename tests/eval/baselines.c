// SPDX-License-Identifier: GPL-2.0-or-later
/* Rules of other tools. See baselines.h. */
#include "baselines.h"

#include <math.h>

#define MOST_POINTS 48
#define MONTH	    (30 * DAY)

static const int ages[3] = { 10, 60, 360 };

const struct baseline baselines[] = {
	/* window, R2, growth in a month in headrooms */
	{ SLOPE, 360, 0.8, 1 },
	{ SLOPE, 720, 0.8, 1 },
	{ SLOPE, 1440, 0.6, 1 },
	{ SLOPE, 1440, 0.8, 0.3 },
	{ SLOPE, 1440, 0.8, 1 },
	{ SLOPE, 1440, 0.8, 3 },
	{ SLOPE, 1440, 0.95, 1 },
	{ SLOPE, 2880, 0.8, 1 },
	{ SLOPE, 2880, 0.9, 1 },
	/* window, z, growth in a month */
	{ MANN_KENDALL, 720, 5, 1 },
	{ MANN_KENDALL, 1440, 3, 1 },
	{ MANN_KENDALL, 1440, 5, 1 },
	{ MANN_KENDALL, 1440, 7, 0.3 },
	{ MANN_KENDALL, 1440, 7, 1 },
	{ MANN_KENDALL, 1440, 7, 3 },
	{ MANN_KENDALL, 2880, 7, 1 },
	{ HAMED_RAO, 1440, 2, 1 },
	{ HAMED_RAO, 1440, 4, 1 },
	{ HAMED_RAO, 1440, 6, 1 },
	{ HAMED_RAO, 2880, 4, 1 },
	/* shortest window, R2, days to half of the headroom */
	{ BACKWARD_REGRESSION, 720, 0.8, 10 },
	{ BACKWARD_REGRESSION, 720, 0.9, 30 },
	{ BACKWARD_REGRESSION, 1440, 0.8, 10 },
	{ BACKWARD_REGRESSION, 1440, 0.8, 30 },
	{ BACKWARD_REGRESSION, 1440, 0.9, 30 },
	{ BACKWARD_REGRESSION, 1440, 0.95, 30 },
	/* drift per hour and threshold, in headrooms */
	{ PAGE_HINKLEY, 0, 0.1, 0 },
	{ PAGE_HINKLEY, 0, 0.2, 0 },
	{ PAGE_HINKLEY, 0, 0.3, 0 },
	{ PAGE_HINKLEY, 0, 0.4, 0 },
	{ PAGE_HINKLEY, 0, 0.5, 0 },
	{ PAGE_HINKLEY, 0.0005, 0.2, 0 },
	{ PAGE_HINKLEY, 0.0005, 0.3, 0 },
	{ PAGE_HINKLEY, 0.0005, 0.4, 0 },
	{ PAGE_HINKLEY, 0.002, 0.2, 0 },
	{ PAGE_HINKLEY, 0.002, 0.3, 0 },
	/* which age, share of the headroom */
	{ TOP_OUTSTANDING, 0, 0.3, 0 },
	{ TOP_OUTSTANDING, 0, 0.5, 0 },
	{ TOP_OUTSTANDING, 1, 0.1, 0 },
	{ TOP_OUTSTANDING, 1, 0.3, 0 },
	{ TOP_OUTSTANDING, 1, 0.4, 0 },
	{ TOP_OUTSTANDING, 1, 0.5, 0 },
	{ TOP_OUTSTANDING, 1, 0.7, 0 },
	{ TOP_OUTSTANDING, 2, 0.3, 0 },
	{ TOP_OUTSTANDING, 2, 0.4, 0 },
	{ TOP_OUTSTANDING, 2, 0.5, 0 },
	/* hours of birth */
	{ GENERATIONS, 12, 0, 0 },
	{ GENERATIONS, 24, 0, 0 },
	{ GENERATIONS, 48, 0, 0 },
	{ GENERATIONS, 96, 0, 0 },
	/* half hours in a row */
	{ RANK_DROP, 4, 0, 0 },
	{ RANK_DROP, 8, 0, 0 },
	{ RANK_DROP, 16, 0, 0 },
	/* blocks, and the share of those that got there and left */
	{ EXPIRY, 8, 0.01, 0 },
	{ EXPIRY, 64, 0.01, 0 },
	{ EXPIRY, 64, 0.1, 0 },
	/* probability, share of the headroom that is live */
	{ LAPLACE, 0.05, 0.1, 0 },
	{ LAPLACE, 0.5, 0.1, 0 },
	{ LAPLACE, 0.5, 0.3, 0 },
};

const size_t n_baselines = sizeof(baselines) / sizeof(baselines[0]);

bool baseline_is_strong(const struct baseline *b)
{
	return b->rule == PAGE_HINKLEY || b->rule == TOP_OUTSTANDING;
}

const char *baseline_name(enum baseline_rule rule)
{
	static const char *const names[] = {
		"slope",	 "Mann-Kendall", "Mann-Kendall, Hamed-Rao",
		"backward regr", "Page-Hinkley", "top outstanding",
		"generations",	 "rank drop",	 "expiry age",
		"Laplace",
	};

	return names[rule];
}

static void look_at(const struct world *w, const struct world_site *s, int tick,
		    struct baseline_view *v)
{
	const struct holding *h = s->holding;
	int generation = -1;

	*v = (struct baseline_view){ .world = w, .site = s, .tick = tick };
	for (int word = w->start / 64; word <= tick / 64; word++) {
		for (uint64_t bits = h->some[word]; bits; bits &= bits - 1) {
			int birth = 64 * word + __builtin_ctzll(bits);

			for (int k = 0; k < 3; k++)
				if (tick - birth >= ages[k])
					v->older[k] += h->bytes[birth];
			if (tick - birth >= ages[2])
				v->older_blocks += h->live[birth];
			if (tick - birth >= 60 && (birth - w->start) / 60 != generation) {
				generation = (birth - w->start) / 60;
				v->generations++;
			}
		}
	}
}

void baseline_look(const struct world *w, int tick, struct baseline_view views[SITES])
{
	for (int i = 0; i < SITES; i++)
		look_at(w, &w->sites[i], tick, &views[i]);
	for (int k = 0; k < 3; k++) {
		int most = 0;

		for (int i = 1; i < SITES; i++)
			if (views[i].older[k] > views[most].older[k])
				most = i;
		views[most].is_largest[k] = true;
	}
}

void baseline_rank(const struct world *w, int tick, int scores[SITES])
{
	double growth[SITES];
	int order[SITES];
	int drop = -1;

	for (int i = 0; i < SITES; i++) {
		const uint32_t *blocks = w->sites[i].holding->blocks_series;
		int k = i;

		growth[i] = (double)blocks[tick] -
			    (tick - 30 >= w->start ? (double)blocks[tick - 30] : 0);
		for (; k > 0 && growth[order[k - 1]] < growth[i]; k--)
			order[k] = order[k - 1];
		order[k] = i;
	}
	for (int k = 0; k + 1 < SITES && drop < 0 && growth[order[0]] > 0; k++)
		if (growth[order[k]] > 2 * growth[order[k + 1]])
			drop = k;
	for (int k = 0; k < SITES; k++)
		scores[order[k]] = k <= drop ? scores[order[k]] + 1 : 0;
}

/* Means of n equal parts of a window that ends now; false if the life is too short. */
static bool take_means(const struct baseline_view *v, int window, int n, double *ret)
{
	const float *series = v->site->holding->series;

	if (v->tick - v->world->start + 1 < window)
		return false;
	for (int i = 0; i < n; i++) {
		int from = v->tick + 1 - window + i * window / n;
		int to = v->tick + 1 - window + (i + 1) * window / n;
		double sum = 0;

		for (int t = from; t < to; t++)
			sum += series[t];
		ret[i] = sum / (to - from);
	}
	return true;
}

static void fit_line(const double *y, int n, double *ret_slope, double *ret_r2)
{
	double mean_x = (n - 1) / 2.0, mean_y = 0, sxy = 0, sxx = 0, syy = 0;

	for (int i = 0; i < n; i++)
		mean_y += y[i] / n;
	for (int i = 0; i < n; i++) {
		sxy += (i - mean_x) * (y[i] - mean_y);
		sxx += (i - mean_x) * (i - mean_x);
		syy += (y[i] - mean_y) * (y[i] - mean_y);
	}
	*ret_slope = sxy / sxx;
	*ret_r2 = syy > 0 ? sxy * sxy / (sxx * syy) : 0;
}

/* Hamed and Rao (1998): by how much the ranks' autocorrelation widens the variance. */
static double autocorrelation_factor(const double *y, int n)
{
	double slope, r2, detrended[MOST_POINTS], rank[MOST_POINTS];
	double mean = (n - 1) / 2.0, variance = 0, sum = 0;

	fit_line(y, n, &slope, &r2);
	for (int i = 0; i < n; i++)
		detrended[i] = y[i] - slope * i;
	for (int i = 0; i < n; i++) {
		rank[i] = 0;
		for (int k = 0; k < n; k++)
			rank[i] += detrended[k] < detrended[i]		  ? 1 :
				   detrended[k] == detrended[i] && k != i ? 0.5 :
									    0;
		variance += (rank[i] - mean) * (rank[i] - mean);
	}
	for (int lag = 1; lag < n - 3 && variance > 0; lag++) {
		double c = 0;

		for (int i = 0; i + lag < n; i++)
			c += (rank[i] - mean) * (rank[i + lag] - mean) / variance;
		if (fabs(c) > 1.96 / sqrt(n))
			sum += (n - lag) * (n - lag - 1.0) * (n - lag - 2.0) * c;
	}
	return fmax(0.2, 1 + 2 * sum / (n * (n - 1.0) * (n - 2.0)));
}

static double mann_kendall_z(const double *y, int n, bool corrected)
{
	double s = 0, variance = n * (n - 1.0) * (2.0 * n + 5) / 18;

	for (int i = 0; i < n; i++)
		for (int k = i + 1; k < n; k++)
			s += (y[k] > y[i]) - (y[k] < y[i]);
	if (corrected)
		variance *= autocorrelation_factor(y, n);
	if (s == 0)
		return 0;
	return (s > 0 ? s - 1 : s + 1) / sqrt(variance);
}

/* Growth in a month, in headrooms, of n points that cover a window. */
static double month_growth(const struct baseline_view *v, double slope, int n, double window)
{
	return slope * n / window * MONTH / world_headroom(v->world);
}

static bool counts(struct baseline_state *s, bool positive, int needed)
{
	s->in_a_row = positive ? s->in_a_row + 1 : 0;
	return s->in_a_row >= needed;
}

static bool step_trend(const struct baseline *b, struct baseline_state *s,
		       const struct baseline_view *v)
{
	int n = b->rule == SLOPE ? 24 : MOST_POINTS;
	double y[MOST_POINTS], slope, r2;
	int window = (int)b->a;
	bool positive;

	if (v->tick - v->world->start + 1 < window + 60 || !take_means(v, window, n, y))
		return false;
	fit_line(y, n, &slope, &r2);
	positive = month_growth(v, slope, n, window) >= b->c;
	if (positive && b->rule == SLOPE)
		positive = r2 >= b->b;
	else if (positive)
		positive = mann_kendall_z(y, n, b->rule == HAMED_RAO) >= b->b;
	return counts(s, positive, 3);
}

static bool step_backward(const struct baseline *b, struct baseline_state *s,
			  const struct baseline_view *v)
{
	bool positive = false;
	double y[32], slope, r2;

	for (int window = (int)b->a; window <= v->tick - v->world->start - 30;
	     window += window / 2) {
		if (!take_means(v, window, 32, y))
			break;
		fit_line(y, 32, &slope, &r2);
		if (slope > 0 && r2 >= b->b &&
		    slope * 32 / window * b->c * DAY >= 0.5 * world_headroom(v->world))
			positive = true;
	}
	return counts(s, positive, 2);
}

static bool step_page_hinkley(const struct baseline *b, struct baseline_state *s,
			      const struct baseline_view *v)
{
	const float *series = v->site->holding->series;
	int from = v->tick - 59 > v->world->start ? v->tick - 59 : v->world->start;
	double floor = series[from];

	for (int t = from; t <= v->tick; t++)
		floor = fmin(floor, series[t]);
	/* The first two hours are start-up. */
	if (v->tick - v->world->start < 120) {
		s->sum = s->least = 0;
	} else {
		s->sum += (floor - s->last) / world_headroom(v->world) - b->a;
		s->least = fmin(s->least, s->sum);
	}
	s->last = floor;
	return s->sum - s->least > b->b;
}

static double left_beyond(const struct holding *h, double age)
{
	double n = 0;

	for (unsigned k = lifetime_bin(age) + 1; k < LIFETIME_BINS; k++)
		n += (double)h->freed[k];
	return n;
}

bool baseline_step(const struct baseline *b, struct baseline_state *s,
		   const struct baseline_view *v)
{
	const struct holding *h = v->site->holding;
	double headroom = world_headroom(v->world);

	switch (b->rule) {
	case SLOPE:
	case MANN_KENDALL:
	case HAMED_RAO:
		return step_trend(b, s, v);
	case BACKWARD_REGRESSION:
		return step_backward(b, s, v);
	case PAGE_HINKLEY:
		return step_page_hinkley(b, s, v);
	case TOP_OUTSTANDING:
		return v->is_largest[(int)b->a] && v->older[(int)b->a] > b->b * headroom;
	case GENERATIONS:
		return v->generations >= b->a;
	case RANK_DROP:
		return v->rank_in_a_row >= b->a;
	case EXPIRY:
		return v->older_blocks >= b->a &&
		       left_beyond(h, ages[2]) < b->b * (v->older_blocks + left_beyond(h, ages[2]));
	case LAPLACE:
		return 1 - (h->frees + 1.0) / (h->allocations - h->frees + 2.0) >= 1 - b->a &&
		       h->live_bytes >= b->b * headroom;
	}
	return false;
}
