# Makes sure that there is a browser for tests of pages: Chromium, from the distribution's packages.
# Sourced, after common.sh and engine.sh. A machine that has one keeps its own.

browserNames=(chromium chromium-browser google-chrome)   # tests/support/browser.py looks for the same ones

ensure_browser() {
  find_browser && return
  if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    fail "found no browser ($(join_words "${browserNames[@]}")); install Chromium, or run this as root once on Debian"
  fi
  say "installing Chromium"
  apt_quietly update
  # Without its recommended packages it would have no font to write with.
  apt_quietly install --yes --no-install-recommends chromium fonts-liberation
  find_browser || fail "Chromium was installed and still does not start; on Ubuntu its package is a snap: install Chromium or Chrome yourself"
}

find_browser() {
  local name
  for name in "${browserNames[@]}"; do
    "$name" --version >/dev/null 2>&1 && return
  done
  return 1
}
