# Rolls a Helm release back by one revision, or forward again: the one container of a Job of `helmRollback`.
#   RELEASE   the release, in the namespace PRUNELLA_TARGET_NAMESPACE
#   CHANGED   when the target was changed, in seconds since 1970: the newest revision must be of that hour,
#             and the one that has done it as far as times tell
#   KINDS     the kinds that it may write, each with its group: Deployment.apps, ConfigMap
#   HOOKS     Refuse or Run
#   EXPECT, TO   to go forward again: the newest revision, and the one to return to
# It refuses (exit 3) before anything is written; all that is written Helm itself writes.
set -eu
tmp=${TMPDIR:-/tmp}
export HOME="$tmp"  # Of all that Helm keeps beside releases; nothing else can be written.
say() { echo "prunella: $*"; }
refuse() { say "refused: $*"; exit 3; }
of_release() { command="$1" what="$2"; shift 2; helm "$command" $what "$RELEASE" -n "$PRUNELLA_TARGET_NAMESPACE" "$@"; }

# Helm's history in YAML has its keys at two places, and what is longer than a line further in.
of_release history "" --max 256 -o yaml > "$tmp"/history
choice=$(awk -v changed="${CHANGED:-}" -v expect="${EXPECT:-}" -v to="${TO:-}" '
  function epoch(t,   y, m, d, zone) {  # Of RFC 3339; days as in a year that begins in March.
    y = substr(t, 1, 4) + 0; m = substr(t, 6, 2) + 0; d = substr(t, 9, 2) + 0
    if (m < 3) { m += 12; y -= 1 }
    d += 365 * y + int(y / 4) - int(y / 100) + int(y / 400) + int((153 * (m - 3) + 2) / 5) - 719469
    zone = 0
    if (match(t, /[+-][0-9][0-9]:[0-9][0-9]$/))
      zone = (substr(t, RSTART, 1) "1") * (substr(t, RSTART + 1, 2) * 3600 + substr(t, RSTART + 4, 2) * 60)
    return d * 86400 + substr(t, 12, 2) * 3600 + substr(t, 15, 2) * 60 + substr(t, 18, 2) - zone
  }
  function told(s) { return (s < 0 ? -s : s) " s " (s < 0 ? "before" : "after") }
  function refused(why) { print "refused " why; exit }
  /^- / { n += 1 }
  /^[- ] [a-z_]+:/ {
    key = substr($0, 3, index($0, ":") - 3); value = substr($0, index($0, ":") + 2)
    gsub(/^["\047]|["\047]$/, "", value)
    found[n, key] = value
  }
  END {
    if (n == 0) refused("it has no revision")
    newest = found[n, "revision"] + 0; state = found[n, "status"]
    if (state ~ /^pending/) refused("revision " newest " is " state ": another Helm is at work, or was broken off")
    if (state !~ /^(deployed|failed)$/) refused("revision " newest " is " state)
    if (expect != "") {
      if (newest != expect) refused("revision " newest " is not revision " expect ", which was made: somebody has released since")
      for (i = 1; i < n; i++) if (found[i, "revision"] + 0 == to + 0) { print "go " to " " newest; exit }
      refused("revision " to " is no longer kept")
    }
    if (found[n, "description"] ~ /^Rollback to /) refused("revision " newest " is a rollback itself")
    late = epoch(found[n, "updated"]) - changed
    if (late > 3600 || late < -3600)
      refused("revision " newest " is of " found[n, "updated"] ", which is not when the target was changed")
    # A minute after the change is a matter of clocks; any later it was not the newest that made it.
    for (i = n - 1; i > 0; i--) {
      other = epoch(found[i, "updated"]) - changed
      if (other != late && other >= -3600 && (late > 60 || other * other <= late * late))
        refused("revision " found[i, "revision"] " was made " told(other) " the target was changed, and the newest, " newest ", " told(late) ": which is the cause is not known")
    }
    for (i = n - 1; i > 0; i--)
      if (found[i, "status"] ~ /^(superseded|deployed)$/ && found[i, "description"] !~ /failed/) {
        print "go " found[i, "revision"] " " newest; exit
      }
    refused("no revision before " newest " was deployed")
  }' "$tmp"/history)
case "$choice" in
  "go "*) set -- ${choice#go }; to=$1 from=$2 ;;
  *) refuse "$RELEASE: ${choice#refused }" ;;
esac

# Whether documents hold what may be written: each kind by name and group, each in the own namespace.
# Hooks are all that Helm lists as such; those that are tests alone no rollback runs.
look() {
  awk -v kinds=" $KINDS " -v own="$PRUNELLA_TARGET_NAMESPACE" -v revision="$1" -v what="$2" -v run="$HOOKS" '
    function holds(found) { if (why == "") why = "revision " revision " holds " found }
    function judge() {
      if (filled && !(what == "hooks" && tests && !others)) {
        if (what == "hooks" && run != "Run") why = "revision " revision " has hooks, and allowHooks is not set"
        if (json) holds("an object in JSON, which can not be looked through")
        else if (kind == "") holds("an object whose kind can not be read")
        else if (!index(kinds, " " kind group " ")) holds("a " kind group ", which helmRollback.kinds does not list")
        if (where != "" && where != own) holds("an object of namespace " where)
      }
      filled = json = tests = others = 0; kind = group = where = top = ""
    }
    { sub(/\r$/, "") }
    /^---/ { judge(); sub(/^---[ \t]*/, "") }
    /^[{[]/ { json = 1 }
    { gsub(/["\047]/, ""); sub(/[ \t]+:/, ":"); sub(/(^|[ \t]+)#.*/, "") }
    /[^ \t]/ { filled = 1 }
    /^[a-zA-Z]/ { top = $1 }
    /^apiVersion:/ { group = $2; if (!sub(/\/.*/, "", group)) group = ""; if (group != "") group = "." group }
    /^kind:/ { if (kind != "") holds("an object of two kinds"); kind = $2 }
    /^  namespace:/ && top == "metadata:" { where = $2 }
    /helm\.sh\/hook:/ { if ($0 ~ /helm\.sh\/hook:[ \t]*test(-success)?[ \t]*$/) tests = 1; else others = 1 }
    END { judge(); if (why != "") { print why; exit 1 } }'
}
for revision in "$from" "$to"; do
  for what in manifest hooks; do
    of_release get $what --revision "$revision" > "$tmp/$what"
    look "$revision" $what < "$tmp/$what" > "$tmp"/why || refuse "$RELEASE: $(cat "$tmp"/why)"
  done
done

say "rolling $RELEASE from revision $from to what revision $to held"
code=0
of_release rollback "" "$to" --history-max "$HISTORY_MAX" --timeout "${TIMEOUT}s" || code=$?
# What it has made is told even when it failed halfway, as only then can it be undone.
# Its description is "Rollback to N", or, in a block when it is of several lines, "Rollback N failed".
of_release history "" --max 1 -o yaml > "$tmp"/newest || :
made=$(awk '/^[- ] revision: [0-9]+$/ { print $NF }' "$tmp"/newest)
if [ "$made" = "$((from + 1))" ] && grep -qE '^( +|[- ] description: .?)Rollback ' "$tmp"/newest; then
  say "made revision $made of $RELEASE as revision $to was, after revision $from"
else
  say "revision ${made:-unknown} of $RELEASE is the newest, and not $((from + 1)) as a rollback: nothing was made, or somebody has released meanwhile; see: helm history $RELEASE -n $PRUNELLA_TARGET_NAMESPACE"
fi
exit "$code"
