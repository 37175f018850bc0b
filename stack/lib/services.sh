# Starts the stack's services and tells, where one does not come up, which and why. Sourced, after common.sh.

# start_services SECONDS: everything that the Compose file starts by itself, in its order. What runs as it should is
# left as it is.
start_services() {
  local log; log=$(mktemp)
  say "starting the services"
  if ! composeSeconds=$1 compose --progress plain up --detach --no-build --remove-orphans 2>&1 |
    tee "$log" | report_changes; then
    explain_services || tail -n 15 "$log" >&2
    rm -f "$log"
    fail "the services did not come up within $1 s; what is wrong with them is above"
  fi
  rm -f "$log"
}

# Compose says a line for each container that changes, some more than once, and for each that something waits for.
# Told is what this run started, and what has become of it.
report_changes() {
  local instance kind name state
  declare -A started=() told=()
  instance=$(setting COMPOSE_PROJECT_NAME)
  while read -r kind name state _; do
    [ "$kind" = Container ] || continue
    name=${name#"$instance"-}; name=${name%-1}
    case "$state" in
      Started) started[$name]=yes ;;
      Healthy|Exited) [ -n "${started[$name]:-}" ] || continue ;;
      Recreated|Error) ;;
      *) continue ;;
    esac
    [ -z "${told[$name $state]:-}" ] || continue
    told[$name $state]=yes
    say "  $name: ${state,,}"
  done
}

# Names each service that is not as it should be, with its last lines. Exit code 1 where all are well.
explain_services() {
  local service state health exitCode found=1
  while IFS='|' read -r service state health exitCode; do
    case "$state/$health/$exitCode" in
      running/healthy/*|running//*|exited//0) continue ;;
    esac
    found=0
    printf '\n%s is %s%s (exit code %s); its last lines:\n' "$service" "$state" "${health:+, $health}" "$exitCode" >&2
    compose logs --no-log-prefix --tail 15 "$service" 2>&1 | sed 's/^/  | /' >&2
  done < <(compose ps --all --format '{{.Service}}|{{.State}}|{{.Health}}|{{.ExitCode}}')
  return "$found"
}

# The containers that the operator made for this instance; Compose does not know them.
bridge_containers() {
  docker ps --all --quiet --no-trunc --filter "label=bridge.kafka/instance=$(setting COMPOSE_PROJECT_NAME)" "$@"
}
