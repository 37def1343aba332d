# shellcheck shell=bash disable=SC2034
# Shared by the quick start, the recipes and tests/run.sh: says what is done, installs what is missing, builds. Sourced.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=$root/build

say() { printf '\n== %s\n' "$*" >&2; }

# Debian's names of what a build needs; LibTorch calls the system's BLAS, and the reference BLAS is slow.
build_packages="g++ make cmake ninja-build libtorch-dev libopenblas0-pthread libhdf5-dev nlohmann-json3-dev libfmt-dev
  libcli11-dev libhwy-dev libxxhash-dev zlib1g-dev libpng-dev libjpeg-dev libopencv-imgcodecs-dev scdoc"

# install PACKAGE...: those that are missing, with apt-get, as root or through sudo.
install() {
  local missing=() package as_root=()
  for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  if ! command -v apt-get >/dev/null; then
    echo "this script installs with apt-get, which isn't here; please install: ${missing[*]}" >&2
    return 1
  fi
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "please run as root, or install: ${missing[*]}" >&2; return 1; }
    as_root=(sudo)
  fi
  say "installing ${missing[*]}"
  "${as_root[@]}" apt-get update -q
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}"
}

# build_project [CMAKE OPTION...]
build_project() {
  say "building into $build (some minutes the first time)"
  # A folder that was configured with another generator keeps it.
  local generator=()
  [ -f "$build/CMakeCache.txt" ] || generator=(-G Ninja)
  mkdir -p "$build"
  cmake -S "$root" -B "$build" "${generator[@]}" "$@" >"$build/configure.log" 2>&1 || { cat "$build/configure.log" >&2; return 1; }
  cmake --build "$build" --parallel "$(nproc)"
}
