#!/usr/bin/env bash
# tests/docker_network_test.sh [--cases NAME,...] [--bridge NAME] [--seconds N] [--recover-within N] [--list]
#
# Takes networks, brokers and bridges of the running stack away and gives them back, while the sample producer goes on
# sending. Tells of each case what is done, what is expected, what was seen, and in how many seconds the bridge went on
# copying. In the end the sample consumer's verdict on every record at the target decides.
#
#   --cases NAMES         some of them, in this order (default: all; see --list)
#   --bridge NAME         the bridge that is watched (default orders)
#   --seconds N           how long each outage lasts (default 15; under 10 no condition is expected)
#   --recover-within N    a case fails when the bridge does not go on within so many seconds (default 60)
#   --list                the cases, and what each expects
#   --help                this text
#
# The stack is left as it was found, also when this is interrupted. It needs a stack that is up: stack/up.
# Exit code 0: all cases as expected, and no record lost, repeated or out of order; 1: not so; 2: wrong arguments, or
# no stack that could be tested; 130: interrupted.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../stack/lib/common.sh"
source "$stackDir/lib/verdict.sh"

# name|what is done|what is expected|condition that is False meanwhile, - for none
cases='network1|the source broker is taken off network1|SourceReachable turns False, the bridge waits and goes on by itself|SourceReachable
network2|the operator is taken off network2|the bridge goes on copying meanwhile|-
network3|the target broker is taken off network3|TargetReachable turns False, the bridge waits and goes on by itself|TargetReachable
source|the source broker hangs (paused)|SourceReachable turns False, the bridge waits and goes on by itself|SourceReachable
target|the target broker hangs (paused)|TargetReachable turns False, the bridge waits and goes on by itself|TargetReachable
both|both brokers are taken off their networks|both conditions turn False, the bridge waits and goes on by itself|SourceReachable TargetReachable
flapping|both brokers come and go, every second|the bridge goes on by itself|-
bridge-network1|each replica is taken off network1|the operator attaches it again (NetworkReconnected)|-
bridge-network2|each replica is taken off network2|the operator attaches it again (NetworkReconnected)|-
bridge-network3|each replica is taken off network3|the operator attaches it again (NetworkReconnected)|-
restart-source|the source broker is restarted|the bridge waits and goes on by itself|-
restart-target|the target broker is restarted|the bridge waits and goes on by itself|-
kill-source|the source broker is killed, and started again later|SourceReachable turns False, the bridge waits and goes on by itself|SourceReachable
kill-target|the target broker is killed, and started again later|TargetReachable turns False, the bridge waits and goes on by itself|TargetReachable
kill-bridge|each replica is killed|the operator starts it again (Restarted)|-'

case_names() { cut -d'|' -f1 <<<"$cases"; }
# field NAME NUMBER: of the line of that case.
field() { grep "^$1|" <<<"$cases" | cut -d'|' -f"$2"; }
list_cases() { local name; for name in $(case_names); do printf '%-16s %s: %s\n' "$name" "$(field "$name" 2)" "$(field "$name" 3)"; done; }

chosen=$(case_names) bridge=orders seconds=15 recoverWithin=60
while [ $# -gt 0 ]; do
  case "$1" in
    --help|-h) show_help; exit 0 ;;
    --list) list_cases; exit 0 ;;
    --cases|--bridge|--seconds|--recover-within)
      [ $# -gt 1 ] || refuse_usage "$1 needs a value"
      case "$1" in
        --cases) chosen=${2//,/ } ;;
        --bridge) bridge=$2 ;;
        --seconds) seconds=$2 ;;
        --recover-within) recoverWithin=$2 ;;
      esac
      shift ;;
    *) refuse_usage "unknown argument $1" ;;
  esac
  shift
done
for name in $chosen; do
  grep -qx -- "$name" <<<"$(case_names)" || refuse_usage "unknown case $name, expected some of $(case_names | paste -sd, )"
done
[[ $seconds =~ ^[1-9][0-9]*$ ]] || refuse_usage "--seconds needs a number of at least 1, found '$seconds'"
[[ $recoverWithin =~ ^[1-9][0-9]*$ ]] || refuse_usage "--recover-within needs a number of at least 1, found '$recoverWithin'"

instance=$(setting COMPOSE_PROJECT_NAME)
unusable() { printf 'error: %s\n' "$*" >&2; exit 2; }
service() { printf '%s-%s-1' "$instance" "$1"; }
replicas() { docker ps --all --format '{{.Names}}' --filter "label=bridge.kafka/instance=$instance" --filter "label=bridge.kafka/bridge=$bridge"; }

# ---- what is seen

# One line: the sum of all positions at the source, the lag, and whether every replica is ready. What a replica says of
# itself, asked from inside its own container, so that it answers whatever network is gone.
readonly askStatus='
import json, urllib.request
said = json.load(urllib.request.urlopen("http://127.0.0.1:8080/status", timeout=3))
print(sum(one["position"] or 0 for one in said["partitions"]), sum(one["lag"] or 0 for one in said["partitions"]), int(said["ready"]))'
look() {
  local name answer part position=0 lag=0 ready=1
  for name in $(replicas); do
    answer=$(docker exec "$name" python -I -c "$askStatus" 2>/dev/null) || return 1
    read -r -a part <<<"$answer"
    position=$((position + part[0])) lag=$((lag + part[1])) ready=$((ready & part[2]))
  done
  printf '%s %s %s' "$position" "$lag" "$ready"
}
position() { local seen; seen=$(look) && printf '%s' "${seen%% *}"; }

# has_event REASON SINCE: whether the bridge has had such an event since a time (UTC, ISO 8601).
has_event() {
  "$stackDir/bridgectl" events "$bridge" -o json 2>/dev/null | awk -v reason="\"$1\"" -v since="\"$2" '
    $1 == "\"time\":" { time = $2 }
    $1 == "\"reason\":" && index($2, reason) == 1 && time >= since { found = 1 }
    END { exit !found }'
}
# Asked for a few seconds at a time, so that whoever interrupts this need not wait for its end.
is_false() { "$stackDir/bridgectl" wait "$bridge" --for="condition=$1=False" --timeout=3s >/dev/null 2>&1; }

# await SECONDS COMMAND...: until it succeeds.
await() {
  local end=$((SECONDS + $1)); shift
  until "$@"; do
    [ "$SECONDS" -lt "$end" ] || return 1
    sleep 0.2
  done
}
milliseconds() { date +%s%3N; }
# seconds_since MILLISECONDS: with one decimal.
seconds_since() { local passed=$(($(milliseconds) - $1)); printf '%d.%d' $((passed / 1000)) $((passed % 1000 / 100)); }

has_passed() { local now; now=$(position) && [ "$now" -gt "$1" ]; }
# A producer that goes on sending leaves some records on their way at any moment.
is_caught_up() {
  local seen lag ready
  seen=$(look) && read -r _ lag ready <<<"$seen" && [ "$ready" -eq 1 ] && [ "$lag" -lt 500 ]
}

# ---- what is done, and how it is undone

# Commands that give back what was taken away: run at the end of each case, or when everything ends before.
undo=()
give_back() {
  local command
  while [ "${#undo[@]}" -gt 0 ]; do
    command=${undo[-1]}
    unset 'undo[-1]'
    eval "$command" >/dev/null 2>&1 || true
  done
}

# cut_off CONTAINER NETWORK: off the network; it will come back under its aliases.
cut_off() {
  local container=$1 network=${instance}_$2 alias aliases=()
  for alias in $(docker inspect --format "{{range (index .NetworkSettings.Networks \"$network\").Aliases}}{{.}} {{end}}" "$container"); do
    aliases+=(--alias "$alias")
  done
  undo+=("docker network connect ${aliases[*]} $network $container")
  docker network disconnect --force "$network" "$container" >/dev/null
}

each_replica() { local name; for name in $(replicas); do "$@" "$name"; done; }
cut_replica_off() { docker network disconnect --force "${instance}_$1" "$2" >/dev/null; }
kill_replica() { docker kill "$1" >/dev/null; }
pause_broker() { undo+=("docker unpause $(service "$1")"); docker pause "$(service "$1")" >/dev/null; }
kill_broker() { undo+=("docker start $(service "$1")"); docker kill "$(service "$1")" >/dev/null; }
restart_broker() { docker restart "$(service "$1")" >/dev/null; }

flap() {
  local end=$((SECONDS + seconds))
  while [ "$SECONDS" -lt "$end" ]; do
    cut_off "$(service source-kafka)" network1
    cut_off "$(service target-kafka)" network3
    sleep 1
    give_back
    sleep 1
  done
}

take_away() {
  case "$1" in
    network1) cut_off "$(service source-kafka)" network1 ;;
    network2) cut_off "$(service operator)" network2 ;;
    network3) cut_off "$(service target-kafka)" network3 ;;
    source|target) pause_broker "$1-kafka" ;;
    both) cut_off "$(service source-kafka)" network1; cut_off "$(service target-kafka)" network3 ;;
    flapping) flap ;;
    bridge-network*) each_replica cut_replica_off "${1#bridge-}" ;;
    restart-*) restart_broker "${1#restart-}-kafka" ;;
    kill-bridge) each_replica kill_replica ;;
    kill-*) kill_broker "${1#kill-}-kafka" ;;
  esac
}

# ---- a case

rows=() failures=0

# What has to be seen while it is away; tells what was.
watch_meanwhile() {
  local name=$1 since=$2 end=$((SECONDS + seconds)) condition missing=() before
  # It is a shell of its own, which would take a command that ends well in spite of an interrupt for a reason to go on.
  trap 'exit 130' INT TERM HUP
  case "$name" in
    network2)
      before=$(position)
      sleep "$seconds"
      has_passed "$before" || { printf 'nothing was copied meanwhile'; return 1; }
      printf 'it went on copying' ;;
    bridge-network*)
      await "$recoverWithin" has_event NetworkReconnected "$since" || { printf 'no event NetworkReconnected'; return 1; }
      printf 'NetworkReconnected' ;;
    kill-bridge)
      await "$recoverWithin" has_event Restarted "$since" || { printf 'no event Restarted'; return 1; }
      printf 'Restarted' ;;
    restart-*|flapping) printf 'it is back' ;;
    *)
      for condition in $(field "$name" 4); do
        await $((end > SECONDS ? end - SECONDS : 1)) is_false "$condition" || missing+=("$condition")
      done
      while [ "$SECONDS" -lt "$end" ]; do sleep 1; done
      if [ "${#missing[@]}" -gt 0 ] && [ "$seconds" -ge 10 ]; then printf '%s did not turn False' "${missing[*]}"; return 1; fi
      if [ "${#missing[@]}" -gt 0 ]; then printf 'too short for a condition'; else printf '%s=False' "$(field "$name" 4 | sed 's/ /=False, /')"; fi ;;
  esac
}

run_case() {
  local name=$1 seen outcome=ok before wentOn=- caughtUp=- since gaveBackAt
  say "$name: $(field "$name" 2)"
  say "  expected: $(field "$name" 3)"
  await 60 is_caught_up || { say "  not begun: the bridge is not ready"; note_row "$name" FAILED - - "not ready before"; return; }
  since=$(date --utc +%Y-%m-%dT%H:%M:%S.%3N)
  take_away "$name"
  seen=$(watch_meanwhile "$name" "$since") || outcome=FAILED
  before=$(position || echo 0)
  give_back
  gaveBackAt=$(milliseconds)
  if await "$recoverWithin" has_passed "$before"; then
    wentOn=$(seconds_since "$gaveBackAt")
    if await "$recoverWithin" is_caught_up; then caughtUp=$(seconds_since "$gaveBackAt"); else outcome=FAILED; seen+='; it did not catch up'; fi
  else
    outcome=FAILED
    seen+='; it did not go on'
  fi
  say "  seen: $seen; it went on after $wentOn s: $outcome"
  note_row "$name" "$outcome" "$wentOn" "$caughtUp" "$seen"
}

note_row() {
  rows+=("$1|$2|$3|$4|$5")
  [ "$2" = ok ] || failures=$((failures + 1))
}

print_table() {
  local row
  printf '\n%-16s %-7s %10s %12s  %s\n' CASE RESULT 'GOES ON' 'CAUGHT UP' SEEN
  for row in "${rows[@]}"; do
    IFS='|' read -r -a row <<<"$row"
    printf '%-16s %-7s %8s s %10s s  %s\n' "${row[@]}"
  done
}

# ---- the verdict on the records

report() { docker exec "$(service target-consumer)" cat /var/lib/consumer/report.json 2>/dev/null; }
has_counted_more() { local now; now=$(number_in "$(report)" records) && [ "${now:-0}" -gt "$1" ]; }

print_verdict() {
  local counted said
  counted=$(number_in "$(report)" records)
  await "$recoverWithin" has_counted_more "${counted:-0}" || { printf 'The consumer counts no new records.\n'; return 1; }
  said=$(report)
  printf '\n%s records at the target: %s.\n' "$(number_in "$said" records)" "$(faults_in "$said")"
  grep -q '"clean": true' <<<"$said"
}

# ---- all of it

check_stack() {
  local one
  docker version >/dev/null 2>&1 || unusable "the Docker engine does not answer"
  for one in source-kafka target-kafka operator source-producer target-consumer; do
    [ "$(docker inspect --format '{{.State.Running}}' "$(service "$one")" 2>/dev/null)" = true ] ||
      unusable "$one of the instance $instance does not run; start the stack with stack/up"
  done
  [ -n "$(replicas)" ] || unusable "the bridge $bridge has no container; see stack/bridgectl status"
  grep -q '"clean": true' <<<"$(report)" || unusable "the consumer's report is not clean before anything is done; see stack/compose logs target-consumer"
}

trap 'give_back' EXIT
trap 'say "interrupted: giving back what was taken away"; exit 130' INT TERM HUP
check_stack
say "instance $instance, bridge $bridge; each outage lasts $seconds s"
for name in $chosen; do run_case "$name"; done
print_table
print_verdict || failures=$((failures + 1))
[ "$failures" -eq 0 ] || fail "$failures of the above is not as expected"
say "all as expected"
