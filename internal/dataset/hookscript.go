package dataset

import (
	"fmt"
	"strings"
)

// hookScript is the shell script of a hook. It finds tarn on PATH, or where it was when it was installed, which graphical clients need. pre-push reads its
// input twice, once for each hook, and fails where there is no tarn; the others come after Git did its work and can only warn.
func hookScript(name, exe string) string {
	head := fmt.Sprintf(`#!/bin/sh
%s written by "tarn hooks install"; "tarn hooks uninstall" takes it away.
# The hook that was here before runs first.
old=${0%%/*}/%s
tarn=$(command -v tarn) || tarn=%s
`, hookMark, name+chainedSuffix, shellQuote(exe))
	if name == "pre-push" {
		return head + `refs=$(cat)
give() { [ -z "$refs" ] || printf '%s\n' "$refs"; }
if [ -x "$old" ]; then
	give | "$old" "$@" || exit
fi
if [ ! -x "$tarn" ]; then
	echo >&2 "pre-push: tarn is not on PATH, so it can't look whether the data is on the remote."
	echo >&2 "  try: put tarn on PATH, or git push --no-verify"
	exit 1
fi
give | "$tarn" hooks run pre-push "$@"
`
	}
	return head + fmt.Sprintf(`code=0
if [ -x "$old" ]; then
	"$old" "$@" || code=$?
fi
if [ -x "$tarn" ]; then
	"$tarn" hooks run %[1]s "$@"
else
	echo >&2 "%[1]s: tarn is not on PATH; datasets stay as they are."
fi
exit $code
`, name)
}

// shellQuote makes one word of s.
func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
