# What every script of the stack shares: where the project is, how to speak, and how Compose is called.
# Sourced, never run. Callers have set `set -euo pipefail`.

projectRoot=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
stackDir=$projectRoot/stack
scriptStarted=$SECONDS

# Progress goes to standard error, so that standard output stays for what was asked.
say()  { printf '\033[1m[%3ds]\033[0m %s\n' "$((SECONDS - scriptStarted))" "$*" >&2; }
fail() { printf '\033[1;31merror:\033[0m %s\n' "$*" >&2; exit 1; }
[ -t 2 ] || { say() { printf '[%3ds] %s\n' "$((SECONDS - scriptStarted))" "$*" >&2; }
              fail() { printf 'error: %s\n' "$*" >&2; exit 1; }; }

# A command that dies without a word of its own still ends in a sentence, also inside a function.
set -o errtrace
trap 'status=$?; [ "$BASH_SUBSHELL" -eq 0 ] || exit "$status"; printf "error: %s stopped at line %s (exit code %s): %s\n" "$(basename "$0")" "$LINENO" "$status" "$BASH_COMMAND" >&2; exit "$status"' ERR

# on_interrupt SENTENCE: what there is to know after Ctrl-C. Docker's commands end in an orderly way then, which would be
# taken for a failure of theirs. Through a descriptor of its own: what is interrupted may have its output redirected.
on_interrupt() {
  interruptWords=$1
  exec 9>&2
  trap 'trap "" INT; printf "\nerror: interrupted; %s\n" "$interruptWords" >&9; exit 130' INT
}

# The comment at the head of a script is its help.
show_help() { sed -n '2,/^[^#]/{/^#/s/^# \{0,1\}//p}' "$0"; }
refuse_usage() { printf 'error: %s; see %s --help\n' "$1" "$0" >&2; exit 2; }

# The last value of NAME over .env.example, .env, .env.local and the environment: later wins.
setting() {
  local name=$1 file value=
  if [ -n "${!name+x}" ]; then printf '%s' "${!name}"; return; fi
  for file in "$projectRoot/.env.example" "$projectRoot/.env" "$projectRoot/.env.local"; do
    [ -f "$file" ] || continue
    if grep -qE "^$name=" "$file"; then
      value=$(grep -E "^$name=" "$file" | tail -n 1 | cut -d= -f2- | sed -E "s/^'(.*)'\$/\1/; s/^\"(.*)\"\$/\1/")
    fi
  done
  printf '%s' "$value"
}

# Runs Compose on the stack with the layered settings; the environment overrides the files. Of the profiles, the Kafka
# UI's is always chosen. A caller that must not wait for ever sets composeSeconds.
compose() {
  local files=(--env-file "$projectRoot/.env.example") file
  for file in "$projectRoot/.env" "$projectRoot/.env.local"; do
    [ -f "$file" ] && files+=(--env-file "$file")
  done
  local over; over=$(setting COMPOSE_OVERRIDE)
  ${composeSeconds:+timeout "$composeSeconds"} docker compose --project-directory "$stackDir" \
    -f "$stackDir/compose.yaml" ${over:+-f "$over"} "${files[@]}" \
    --project-name "$(setting COMPOSE_PROJECT_NAME)" --profile "$(setting KAFKA_UI)" "$@"
}
