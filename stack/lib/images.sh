# Builds the stack's images through Compose and says how far it is. Sourced, after common.sh.

build_images() {
  local log; log=$(mktemp)
  say "building the images (minutes at first, seconds when nothing has changed)"
  if ! compose --profile never-started-by-compose --progress plain build 2>&1 | tee "$log" | report_steps; then
    tail -n 40 "$log" >&2
    rm -f "$log"
    fail "an image could not be built; the build's last lines are above"
  fi
  rm -f "$log"
}

# From BuildKit's plain progress: one line for each step that took a second or more. Cached steps say nothing.
report_steps() {
  local step rest number
  declare -A names=()
  while read -r step rest; do
    case "$step $rest" in
      "#"*" ["*"] "*) names[$step]=$rest ;;
      "#"*" DONE "*)
        number=${rest#DONE }; number=${number%%.*}
        if [ "${number:-0}" -ge 1 ] 2>/dev/null && [ -n "${names[$step]:-}" ]; then
          say "  $(shorten "${names[$step]}") (${rest#DONE })"
        fi ;;
    esac
  done
}

# A step as one line: without its mounts, and no longer than a terminal is wide.
shorten() {
  local text; text=$(sed -E 's/--mount=[^ ]+ *//g; s/ +/ /g' <<<"$1")
  if [ "${#text}" -gt 90 ]; then text=${text:0:89}…; fi
  printf '%s' "$text"
}

# The images of this instance, by the label that Compose puts on what it builds.
images_of_instance() {
  docker image ls --quiet --no-trunc --filter "label=com.docker.compose.project=$(setting COMPOSE_PROJECT_NAME)" | sort -u
}
