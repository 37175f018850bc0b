# Names what runs that were killed have left on this machine. Sourced, after common.sh.

# Their containers take their share of two cores for ever: tests get slow, figures worthless. Whether somebody still
# wants them is not for a script to say.
name_leftovers() {
  local name
  for name in $(docker ps --all --format '{{.Label "com.docker.compose.project"}} {{.Label "bridge.kafka/instance"}}' |
                tr ' ' '\n' | grep --extended-regexp '^kbo-(it|e2e|chaos|bench|scale)-[0-9]+$' | sort --unique); do
    # The last part is the process that made it.
    [ -d "/proc/${name##*-}" ] ||
      say "left by a run that was killed: $name; COMPOSE_PROJECT_NAME=$name stack/down --volumes --images removes it"
  done
}
