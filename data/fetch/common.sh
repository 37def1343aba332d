# shellcheck shell=bash
# What the fetch scripts share; sourced by them.

# download FILE "URL..."  tries one address after the other.
download() {
  local file=$1 base
  for base in $2; do
    if command -v curl >/dev/null; then
      curl --fail --location --silent --show-error --retry 2 --output "$file" "$base/$file" && return
    else
      wget --quiet --output-document="$file" "$base/$file" && return
    fi
  done
  echo "${0##*/}: $file: not to be had from $2; MAS_FETCH_FROM=URL names a mirror" >&2
  return 1
}

# fetch_set NAME "URL..." [COMMAND]  fetches the files whose checksums are on standard input, checks them, runs COMMAND
# among them, and only then puts the folder in its place: it is there whole or not at all.
fetch_set() {
  local name=$1 urls=$2 finish=${3:-true} home target sums file
  home=${MAS_DATA:-$HOME/.local/share/mas}
  target=$home/$name
  if [ -e "$target" ]; then
    echo "${0##*/}: $target is there already" >&2
    return
  fi
  mkdir -p "$home"
  partial=$(mktemp -d "$home/.$name.XXXXXX")
  trap 'rm -rf "$partial"' EXIT
  sums=$(cat)
  (
    cd "$partial" || exit
    while read -r _ file; do download "$file" "$urls"; done <<<"$sums"
    if ! "${CHECK:-sha256sum}" --check --quiet <<<"$sums" >&2; then
      echo "${0##*/}: wrong checksum, so nothing is kept" >&2
      exit 1
    fi
    "$finish"
  )
  chmod 755 "$partial"
  mv -T "$partial" "$target"
}
