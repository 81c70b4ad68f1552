#!/usr/bin/awk -f
# Reads what a machine printed: a report, and in its last line the three counts. A file that ended
# early, by its plan, its exit status or the machine's end, is a failure. -v TAIL=n: lines of a failure.
function close_file() {
	if (file == "")
		return
	if (plan < 0 || ok + bad + skip != plan)
		problem = (ok + bad + skip) " results of " (plan < 0 ? "none" : plan) " planned"
	else if (status != "0" && !bad)
		problem = "exit status " (status == "" ? "unknown" : status)
	if (problem != "")
		bad++
	printf "  %-4s %-28s %3d passed%s%s\n", bad ? "FAIL" : "ok", file, ok,
		bad ? ", " bad " failed" : "", problem == "" ? "" : "  (" problem ")"
	if (bad && n > TAIL)
		printf "       | ... %d lines more in %s\n", n - TAIL, FILENAME
	for (i = n > TAIL ? n - TAIL + 1 : 1; bad && i <= n; i++)
		print "       | " substr(line[i], 1, 300)
	printf "%s", skips
	all_ok += ok; all_bad += bad; all_skip += skip
	file = ""
}
{ sub(/\r$/, "") }
/^# kernel / { print "  Linux " $3; next }
/^# preemption: ./ { print "  preemption " substr($0, 15); next }
/^# file / {
	close_file()
	file = substr($0, 8); skips = status = problem = reason = ""
	ok = bad = skip = n = 0; plan = -1
	next
}
/^# exit / { status = $3; next }
/^# end / { close_file(); print "  after " $3 " s"; ended = 1; next }
{ line[++n] = $0 }
/^# skip: / { reason = substr($0, 9); next }
/^(not )?ok .*# SKIP/ {
	skip++
	sub(/^(not )?ok [0-9]*( -)? /, ""); sub(/^# SKIP */, ""); sub(/ *# SKIP */, ": ")
	skips = skips "       skipped  " $0 (reason == "" ? "" : ": " reason) "\n"
	reason = ""
	next
}
/^ok / { ok++ }
/^not ok / { bad++ }
/^1\.\.[0-9]+$/ { plan = (plan < 0 ? 0 : plan) + substr($0, 4) } # each group has its own
END {
	close_file()
	if (!ended) {
		print "  FAIL the machine ended before the tests did"
		all_bad++
	}
	print all_ok + 0, all_bad + 0, all_skip + 0
}
