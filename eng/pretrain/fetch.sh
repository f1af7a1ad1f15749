#!/usr/bin/env bash
# Fetches the packages named in sources.json and unpacks them: eng/pretrain/fetch.sh [RAW_FOLDER]
#
# Needs Debian 12 with apt, npm, and root only for libsword-utils (mod2imp reads the World English Bible's module).
# Nothing is installed from the packages themselves: they are downloaded, unpacked and read as data.
set -euo pipefail

raw="${1:-/tmp/corpus/raw}"
sources="$(dirname "$(realpath "$0")")/sources.json"
names() { sed -n "s/.*\"$1\": \"\([^\"]*\)\".*/\1/p" "$sources"; }

mkdir -p "$raw/packages"
cd "$raw/packages"
command -v mod2imp > /dev/null || apt-get install -y -qq libsword-utils
# One at a time: a superseded security version must not stop the others, and its name is then in the message.
for package in $(names debian); do
  ls "$package"_*.deb > /dev/null 2>&1 || apt-get download -qq "$package"
  rm -rf "${raw:?}/$package"
  dpkg-deb -x "$package"_*.deb "$raw/$package"
done
for package in $(names npm); do
  name="${package##*/}"
  archive="$(ls ./*"$name"-[0-9]*.tgz 2> /dev/null || npm pack --silent "$package")"
  rm -rf "${raw:?}/$name"
  mkdir "$raw/$name"
  tar -xzf "$archive" -C "$raw/$name" --strip-components=1
done
SWORD_PATH="$raw/sword-text-web/usr/share/sword" mod2imp engWEB2015eb > "$raw/sword-text-web/web.imp"
ls
