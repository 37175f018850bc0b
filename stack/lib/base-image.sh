# The one base image: debian:trixie-slim. Sourced, after common.sh.
#
# Where a registry answers, Compose pulls it by that name. Where none does, the same name is made from Debian's
# packages, so no Dockerfile differs between the two.

baseImage=debian:trixie-slim

ensure_base_image() {
  docker image inspect "$baseImage" >/dev/null 2>&1 && return
  say "pulling $baseImage"
  if timeout 60 docker pull --quiet "$baseImage" >/dev/null 2>&1; then return; fi
  say "no registry gave $baseImage: making it from Debian packages"
  build_base_image
}

build_base_image() {
  [ "$(id -u)" -eq 0 ] || fail "$baseImage cannot be pulled, and making it from packages needs root"
  command -v apt-get >/dev/null || fail "$baseImage cannot be pulled, and without apt it cannot be made from packages"
  local work; work=$(mktemp -d)
  command -v mmdebstrap >/dev/null || { apt_quietly update; apt_quietly install --yes --no-install-recommends mmdebstrap; }
  # shellcheck disable=SC2046  # where debian_mirror says nothing, there is no argument
  mmdebstrap --quiet --variant=minbase --include=ca-certificates \
    --aptopt='Apt::Install-Recommends "false"' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    trixie "$work/base.tar" $(debian_mirror) 2>"$work/log" ||
    { tail -n 15 "$work/log" >&2; rm -rf "$work"; fail "mmdebstrap could not make $baseImage (above)"; }
  docker import --change 'CMD ["bash"]' "$work/base.tar" "$baseImage" >/dev/null
  rm -rf "$work"
}

# The archive that this machine's own apt uses; nothing where it is Ubuntu's (mmdebstrap then knows its own).
debian_mirror() {
  grep -hoE '(https?|mirror\+[a-z]+)://[^ ]+/debian/?( |$)' /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null |
    grep -v snapshot | head -n 1 | tr -d ' ' || true
}
