# SPDX-License-Identifier: GPL-2.0-or-later
# Completion for seepctl, from its own help and from what the daemon knows.

_seepctl_targets()
{
	timeout 0.2 seepctl targets --no-legend --quiet 2>/dev/null | awk '{ print $1 }'
}

_seepctl_leaks()
{
	timeout 0.2 seepctl leaks --all --no-legend --quiet 2>/dev/null | awk '{ print $1 }'
}

_seepctl()
{
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
	local verb='' help='' choices='' i

	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		-s | --socket) ((i++)) ;;
		-*) ;;
		*)
			verb=${COMP_WORDS[i]}
			break
			;;
		esac
	done
	help=$(seepctl ${verb:+"$verb"} --help 2>/dev/null) || return

	# "  -b, --by stack|line|function": what may follow is in the help.
	choices=$(sed -n "s/^ .*$before  *\([a-z]*|[a-z|]*\).*/\1/p" <<<"$help" | head -n 1)
	if [[ $before == -* && $choices ]]; then
		choices=${choices//|/ }
	elif [[ $word == -* ]]; then
		choices=$(grep -o -- '--[a-z-]*' <<<"$help")
	elif [[ ! $verb || $verb == help ]]; then
		choices=$(seepctl --help | sed -n 's/^  \([a-z]*\)  *[a-z].*/\1/p')
	else
		case $verb in
		show | ack | suppress | mark) choices=$(_seepctl_leaks) ;;
		run) choices='' ;;
		*) choices=$(_seepctl_targets) ;;
		esac
	fi
	mapfile -t COMPREPLY < <(compgen -W "$choices" -- "$word")
}

complete -o default -F _seepctl seepctl
