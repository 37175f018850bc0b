# Makes sure that a Docker engine, Compose v2 and BuildKit answer. Sourced, after common.sh.
#
# A machine that has them keeps its own. On Debian or Ubuntu, as root, what is missing is installed from the
# distribution's packages; Debian 12 has no Compose v2, so there the packages come from the next release, by a
# private apt configuration that leaves the machine's own lists as they were. Anywhere else the script names
# what is missing and stops.

minimumApiVersion=1.44   # several networks in one create call
engineLog=/var/log/dockerd.log   # where this script starts the engine itself

engine_answers()  { docker version --format '{{.Server.APIVersion}}' >/dev/null 2>&1; }
compose_answers() { docker compose version >/dev/null 2>&1; }
buildx_answers()  { docker buildx version >/dev/null 2>&1; }

ensure_engine() {
  local missing=()
  command -v docker >/dev/null || missing+=(docker)
  command -v dockerd >/dev/null || engine_answers || missing+=(dockerd)
  compose_answers || missing+=("the docker compose plugin (v2)")
  buildx_answers || missing+=("the docker buildx plugin")
  if [ "${#missing[@]}" -gt 0 ]; then
    say "not on this machine: $(join_words "${missing[@]}")"
    install_engine
  fi
  engine_answers || start_engine
  compose_answers || fail "docker compose (v2) still does not answer after the installation"
  local version
  version=$(docker version --format '{{.Server.APIVersion}}')
  [ "$(printf '%s\n' "$minimumApiVersion" "$version" | sort -V | head -n 1)" = "$minimumApiVersion" ] ||
    fail "the Docker engine speaks API $version; $minimumApiVersion or newer (Docker 25) is needed"
}

join_words() { local text; text=$(printf '%s, ' "$@"); printf '%s' "${text%, }"; }

install_engine() {
  [ -r /etc/os-release ] || fail "this is no Debian or Ubuntu: install Docker 25 or newer with Compose v2, then run this again"
  local id suite
  id=$(. /etc/os-release; echo "$ID")
  suite=$(. /etc/os-release; echo "${VERSION_CODENAME:-}")
  case "$id" in
    debian|ubuntu) ;;
    *) fail "$id is not Debian or Ubuntu: install Docker 25 or newer with Compose v2, then run this again" ;;
  esac
  [ "$(id -u)" -eq 0 ] || fail "installing Docker needs root: run this as root once, or install Docker 25 or newer with Compose v2 yourself"
  say "installing the Docker engine, Compose v2 and BuildKit from $id's packages"
  if [ "$id" = debian ] && [ "$suite" = bookworm ]; then
    install_engine_from_suite bookworm trixie
  else
    apt_quietly update
    apt_quietly install --yes --no-install-recommends docker.io iptables \
      "$(first_package docker-compose-v2 docker-compose)" "$(first_package docker-buildx)"
  fi
}

apt_quietly() {
  local log; log=$(mktemp)
  DEBIAN_FRONTEND=noninteractive apt-get -q "$@" >"$log" 2>&1 || { tail -n 20 "$log" >&2; fail "apt-get $1 failed (above)"; }
  rm -f "$log"
}

first_package() {
  local name
  for name in "$@"; do apt-cache show "$name" >/dev/null 2>&1 && { printf '%s' "$name"; return; }; done
  fail "no package of: $*"
}

# install_engine_from_suite OWN OTHER: the engine from OTHER, what it depends on from OWN.
install_engine_from_suite() {
  local own=$1 other=$2 work source
  work=$(mktemp -d)
  mkdir -p "$work/sources" "$work/lists/partial" "$work/cache/archives/partial" "$work/debs"
  for source in /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources; do
    grep -qsw "$own" "$source" || continue
    # The same archive under the other release's name; the security archive keeps its suffix.
    sed "s/\b$own\b/$other/g" "$source" >"$work/sources/$(basename "$source")"
  done
  [ -n "$(ls -A "$work/sources")" ] || fail "no apt source of this machine names $own: install Docker 25 or newer with Compose v2 yourself"
  local private=(-o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$work/sources"
                 -o "Dir::State::lists=$work/lists" -o "Dir::Cache=$work/cache" -o APT::Sandbox::User=root)
  apt_quietly update
  apt_quietly "${private[@]}" update
  ( cd "$work/debs" && apt_quietly "${private[@]}" download docker.io containerd docker-cli docker-compose docker-buildx )
  apt_quietly install --yes --no-install-recommends --allow-downgrades iptables runc "$work"/debs/*.deb
  rm -rf "$work"
  hash -r
}

start_engine() {
  [ "$(id -u)" -eq 0 ] || fail "the Docker engine does not answer; start it, or add $(id -un) to the group docker"
  command -v dockerd >/dev/null || fail "no Docker engine answers and none is installed here; check DOCKER_HOST"
  say "starting the Docker engine"
  local launched=no deadline=$((SECONDS + 90))
  if [ -d /run/systemd/system ]; then
    systemctl start docker
    launched=yes
  fi
  until engine_answers; do
    # One that is just ending is waited for.
    if [ "$launched" = no ] && ! pgrep -x dockerd >/dev/null; then
      launched=yes
      # A pid file that outlived its engine stops a new one.
      rm -f /var/run/docker.pid /run/docker/containerd/containerd.pid
      # A command by itself: as part of an && or || list a shell would stay behind it and keep a pipe of ours open.
      setsid nohup dockerd >"$engineLog" 2>&1 </dev/null 9>&- &
    fi
    [ "$SECONDS" -lt "$deadline" ] || { tail -n 15 "$engineLog" >&2 2>/dev/null; fail "the Docker engine did not answer within 90 s (its log is above)"; }
    sleep 0.5
  done
}
