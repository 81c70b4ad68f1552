// SPDX-License-Identifier: GPL-2.0-or-later
/* The words of the API for what the governor decides. See governor.h. */
#include "base/cleanup.h"
#include "probe/governor.h"

const char *governor_mode_name(enum governor_mode mode)
{
	static const char *const names[GOVERNOR_MODES] = {
		[GOVERNOR_NONE] = "none",	  [GOVERNOR_COUNT] = "count",
		[GOVERNOR_EXACT] = "exact",	  [GOVERNOR_SAMPLED] = "sampled",
		[GOVERNOR_WINDOWED] = "windowed",
	};

	return (size_t)mode < ARRAY_SIZE(names) ? names[mode] : "unknown";
}

const char *governor_reason_name(enum governor_reason reason)
{
	static const char *const names[GOVERNOR_REASONS] = {
		[GOVERNOR_MEASURING] = "measuring", [GOVERNOR_FITS] = "fits",
		[GOVERNOR_FORCED] = "forced",	    [GOVERNOR_BUDGET] = "budget",
		[GOVERNOR_SHARED] = "shared",	    [GOVERNOR_BURST] = "burst",
		[GOVERNOR_TOO_BUSY] = "too_busy",   [GOVERNOR_NO_PROBES] = "no_probes",
	};

	return (size_t)reason < ARRAY_SIZE(names) ? names[reason] : "unknown";
}
