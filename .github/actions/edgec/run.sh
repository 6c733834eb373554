#!/usr/bin/env bash
# The action's work, by the variables that action.yml sets. Writes the reports, the summary ($GITHUB_STEP_SUMMARY) and
# annotations (stdout); its status is that of compress, else that of check.
set -uo pipefail
: "${EDGEC:=edgec}" "${MODEL:?the network}" "${RECIPE:=}" "${ARGUMENTS:=}" "${OUTPUT:=model.edgec.onnx}"
: "${REPORTS:=edgec-reports}" "${LOCK:=edgec.lock}" "${GITHUB_STEP_SUMMARY:=/dev/stdout}"
mkdir -p "$REPORTS" || exit
report=$REPORTS/report.json messages=$REPORTS/messages.txt
rm -f "$report"

# shellcheck disable=SC2086 # the arguments are words
"$EDGEC" compress "$MODEL" ${RECIPE:+--recipe "$RECIPE"} -o "$OUTPUT" --report "$report" --force $ARGUMENTS 2>"$messages"
status=$?
cat "$messages" >&2
# A missed budget and an error are errors of the job; other warnings stay warnings.
sed -n 's/%/%25/g; s/^edgec: warning: BUDGET MISSED/::error title=edgec::BUDGET MISSED/p
        s/^edgec: warning: /::warning title=edgec::/p; s/^edgec: error: /::error title=edgec::/p' "$messages"
[ -e "$report" ] || exit $status
for form in md html xml; do "$EDGEC" report "$report" -o "$REPORTS/report.$form" --force || exit; done
cat "$REPORTS/report.md" >>"$GITHUB_STEP_SUMMARY"
if [ -e "$LOCK" ]; then
  "$EDGEC" check "$report" --lock "$LOCK" --annotate || { changed=$?; [ $status != 0 ] || status=$changed; }
fi
exit $status
