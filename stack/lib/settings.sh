# Names what is wrong with the settings before anything is started. Sourced, after common.sh.

declare -A expectedPattern=() expectedWords=()

# expect WORDS PATTERN NAME…: what a value has to look like, as an extended regular expression for all of it.
expect() {
  local words=$1 pattern=$2 name
  shift 2
  for name; do expectedWords[$name]=$words expectedPattern[$name]=$pattern; done
}

expect "anything" '.*' COMPOSE_OVERRIDE MANIFESTS_DIR CA_BUNDLE KAFKA_HEAP_OPTS CERTIFICATE_EXTRA_NAMES PROXY_PASSWORD
expect "lower-case letters, digits and -, first a letter or digit" '[a-z0-9][a-z0-9-]*' COMPOSE_PROJECT_NAME
expect "the full path of a socket" '/.+' DOCKER_SOCKET
expect "the number of a group, or nothing" '[0-9]*' DOCKER_GID
expect "a size such as 512m or 1g" '[1-9][0-9]*[kmgKMG]' KAFKA_MEMORY_LIMIT KAFKA_UI_MEMORY_LIMIT
expect "name=path, with blanks between, or nothing" '([^ =]+=[^ =]+( +[^ =]+=[^ =]+)*)?' OPERATOR_CONSOLE_LINKS
expect "a port from 1 to 65535" \
  '[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]' PROXY_PORT PROXY_HTTP_PORT
expect "letters, digits, . _ and -" '[A-Za-z0-9._-]+' PROXY_USER
expect "kaskade, kafbat or none" 'kaskade|kafbat|none' KAFKA_UI
expect "topic=schema file, with blanks between, or nothing" '([^ =]+=[^ =]+( +[^ =]+=[^ =]+)*)?' KAFKA_UI_SCHEMAS
expect "the name of an image" '[^ ]+' KAFBAT_IMAGE
expect "a number of cores such as 1.5, or nothing" '([0-9]+(\.[0-9]+)?)?' KAFKA_CPU_LIMIT
expect "a whole number, or -1 for no limit" '-1|[1-9][0-9]*' KAFKA_LOG_RETENTION_HOURS
expect "TRACE, DEBUG, INFO, WARN or ERROR" 'TRACE|DEBUG|INFO|WARN|ERROR' KAFKA_LOG_LEVEL
expect "TRACE, DEBUG, INFO, WARNING or ERROR" 'TRACE|DEBUG|INFO|WARNING|ERROR' OPERATOR_LOG_LEVEL
expect "a whole number of at least 1" '[1-9][0-9]*' CA_DAYS CERTIFICATE_DAYS SAMPLE_PARTITIONS PRODUCER_KEYS \
  OPERATOR_STOP_GRACE_SECONDS KAFKA_UI_SESSIONS
expect "a whole number" '[0-9]+' CERTIFICATE_RENEW_BEFORE_DAYS PRODUCER_COUNT
expect "a number" '[0-9]+(\.[0-9]+)?' PRODUCER_RATE OPERATOR_REMOVE_GRACE_SECONDS
expect "a number above 0" '0*[1-9][0-9]*(\.[0-9]+)?|0*\.[0-9]*[1-9][0-9]*' \
  OPERATOR_RESYNC_SECONDS OPERATOR_HEALTH_POLL_SECONDS OPERATOR_CRASH_BACKOFF_FIRST_SECONDS \
  OPERATOR_CRASH_BACKOFF_MAX_SECONDS OPERATOR_CRASH_BACKOFF_RESET_SECONDS OPERATOR_PASS_DEADLINE_SECONDS
expect "a topic's name: letters, digits, . _ and -" '[A-Za-z0-9._-]{1,249}' SAMPLE_TOPIC

# Ends with a sentence for each mistake in .env, .env.local and the environment, and exit code 2.
check_settings() {
  local mistakes
  mistakes=$(unknown_settings "$projectRoot/.env"; unknown_settings "$projectRoot/.env.local"; wrong_settings)
  [ -z "$mistakes" ] && return
  printf '%s\n' "$mistakes" >&2
  printf 'error: %s mistake(s) in the settings are named above; .env.example tells what each one means\n' \
    "$(wc -l <<<"$mistakes")" >&2
  exit 2
}

# Lines of a file that set nothing, or something that nobody reads. What Compose and docker read themselves, and what a
# user's own Compose file reads, is theirs.
unknown_settings() {
  local file=$1 over line name number=0
  [ -f "$file" ] || return 0
  over=$(setting COMPOSE_OVERRIDE)
  while IFS= read -r line || [ -n "$line" ]; do
    number=$((number + 1))
    [[ ! $line =~ ^[[:space:]]*(#.*)?$ ]] || continue
    if ! [[ $line =~ ^([A-Za-z_][A-Za-z0-9_]*)= ]]; then
      echo "${file##*/}:$number: found '$line', expected NAME=value"
      continue
    fi
    name=${BASH_REMATCH[1]}
    [ -z "${expectedWords[$name]:-}" ] || continue
    case "$name" in COMPOSE_*|DOCKER_*) continue ;; esac
    if [ -n "$over" ] && grep -qs "[$]{\?$name\b" "$over"; then continue; fi
    echo "${file##*/}:$number: found $name, which is no setting; expected $(similar_settings "$name")"
  done <"$file"
}

# Settings that begin as a name does: at its first word, where there are any.
similar_settings() {
  local found
  found=$(printf '%s\n' "${!expectedWords[@]}" | grep "^${1%%_*}_" | sort | paste -sd, | sed 's/,/, /g') ||
    found="one of .env.example"
  printf '%s' "$found"
}

wrong_settings() {
  local name value
  for name in $(printf '%s\n' "${!expectedWords[@]}" | sort); do
    value=$(setting "$name")
    [[ $value =~ ^(${expectedPattern[$name]})$ ]] || echo "$(origin_of "$name"): $name: found '$value', expected ${expectedWords[$name]}"
  done
}

# Where the value in force of a setting stands.
origin_of() {
  local file place
  if [ -n "${!1+x}" ]; then printf 'the environment'; return; fi
  for file in .env.local .env .env.example; do
    place=$(grep -nsE "^$1=" "$projectRoot/$file" | tail -n 1 | cut -d: -f1) || continue
    if [ -n "$place" ]; then printf '%s:%s' "$file" "$place"; return; fi
  done
}
