#!/bin/sh
# Sent into the guest with each job, beside `command` and `gets`; runs in busybox's shell and in dash.
# Its folder also holds `work`, where the command runs, `log`, and once it has ended `exit`.
#
#   place     puts what was sent for elsewhere there, and says where this folder is
#   start     begins the command apart from whoever started it, and returns
#   follow    the command's output so far and from now on, until it has ended; `logs`: so far
#   cancel    asks the command to end
#   clean     nothing of it is left
#   collect   an archive of what `gets` names, on standard output
cd "${0%/*}" || exit 255
J=$(pwd -P)

# Of each stream the last 8 MiB at least are kept, in pieces of up to 4 MiB: dd reads no further
# than it writes, so that the next piece goes on where it stopped.
keep() {
  n=0
  while :; do
    dd bs=512 count=8192 of="log/$1.$n" 2>/dev/null
    [ -s "log/$1.$n" ] || break
    n=$((n + 1))
    [ "$n" -le 3 ] || rm -f "log/$1.$((n - 4))"
  done
}

follow() {
  n=0 o=0
  while :; do
    ended=no next=no size=0 f=log/$1.$n
    [ -e exit ] && ended=yes
    [ -e "log/$1.$((n + 1))" ] && next=yes
    [ -e "$f" ] && size=$(wc -c <"$f")
    if [ "$size" -gt "$o" ]; then
      tail -c "+$((o + 1))" "$f" | head -c "$((size - o))"
      o=$size
    elif [ "$next" = yes ] || { [ ! -e "$f" ] && later "$1" "$n"; }; then
      n=$((n + 1)) o=0
    elif [ "$ended" = yes ] || [ "$2" = once ]; then
      return
    else
      sleep 0.3 2>/dev/null || sleep 1
    fi
  done
}

later() {
  for f in "log/$1".*; do
    [ "${f##*.}" -gt "$2" ] 2>/dev/null && return 0
  done
  return 1
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

# The disk that outlives the guest, by its serial; a plain file where this is tried out.
outbox() {
  if [ -n "$SUBLET_OUTBOX" ]; then
    room=$(wc -c <"$SUBLET_OUTBOX") dev=$SUBLET_OUTBOX
    return
  fi
  for b in /sys/block/vd*; do
    if [ "$(cat "$b/serial" 2>/dev/null)" = sublet-outbox ]; then
      room=$(($(cat "$b/size") * 512)) dev=/dev/${b##*/}
      return
    fi
  done
  return 1
}

tell() {
  [ -n "$dev" ] || return 0
  printf 'sublet-outbox 1 %s\n' "$*" |
    as_root dd of="$dev" bs=512 count=1 conv=notrunc,sync,fsync 2>/dev/null
}

# Names for the archive in `list`, which of `gets` each is for in `map`, and what is not there.
outputs() {
  : >list
  : >map
  : >missing
  i=0
  while IFS= read -r pattern; do
    case $pattern in
      /*) whole=$pattern ;;
      *) whole=$J/work/$pattern ;;
    esac
    found=no IFS=
    for p in $whole; do
      if [ -e "$p" ] || [ -L "$p" ]; then
        found=yes
        printf '%s\n' "${p#/}" >>list
        printf '%s\t%s\n' "$i" "${p#/}" >>map
      fi
    done
    unset IFS
    [ "$found" = yes ] || printf '%s\n' "$pattern" >>missing
    i=$((i + 1))
  done <gets
  for p in map missing problem exit log; do
    [ ! -e "$p" ] || printf '%s\n' "${J#/}/$p" >>list
  done
}

# Busybox's tar takes names as arguments alone.
archive() {
  set --
  while IFS= read -r p; do
    set -- "$@" "$p"
  done <list
  tar -cf - -C / "$@" 2>/dev/null
}

# When it is too much, what was written is kept, and why the rest is not.
shrink() {
  echo "the outputs have $1 bytes and there is room for $2; keep more with --keep" >problem
  for s in out err; do
    cat "log/$s".* 2>/dev/null | tail -c 262144 >"log/tail"
    rm -f "log/$s".*
    mv log/tail "log/$s.0"
  done
  mv gets gets.all
  : >gets
  outputs
}

leave_behind() {
  [ -n "$dev" ] || return 0
  tell exited "$1" 0
  outputs
  room=$((room - 1048576)) bytes=$(archive | wc -c)
  if [ "$bytes" -gt "$room" ]; then
    shrink "$bytes" "$room"
    bytes=$(archive | wc -c)
  fi
  if [ "$bytes" -le "$room" ]; then
    archive | as_root dd of="$dev" bs=65536 seek=16 conv=notrunc,fsync 2>/dev/null
  else
    bytes=0
  fi
  tell done "$1" "$((bytes))"
}

end_command() {
  signalled=yes
  kill -TERM "-$child" 2>/dev/null
  (sleep 10 && kill -KILL "-$child") 2>/dev/null &
  patience=$!
}

supervise() {
  trap '' HUP
  dev='' room=0 patience='' signalled=''
  outbox
  mkdir -p log work
  mkfifo log/o log/e
  keep out <log/o &
  keepers=$!
  keep err <log/e &
  keepers="$keepers $!"
  (cd work && exec setsid sh ../command </dev/null >../log/o 2>../log/e) &
  child=$!
  trap end_command TERM INT
  tell running
  echo "$$" >super.new && mv super.new super
  wait "$child"
  code=$?
  # A signal to this shell ends the waiting and not the command.
  while [ -n "$signalled" ]; do
    signalled=
    wait "$child"
    again=$?
    [ "$again" = 127 ] || code=$again
  done
  # What the command left running may hold its output open: that is not waited for.
  (sleep 2 && kill $keepers) 2>/dev/null &
  wait $keepers
  [ -z "$patience" ] || kill "$patience" 2>/dev/null
  kill -KILL "-$child" 2>/dev/null
  rm -f log/o log/e
  echo "$code" >exit.new && sync && mv exit.new exit
  leave_behind "$code"
}

place() {
  if [ -d root ]; then
    (cd root && find . ! -type d) | while IFS= read -r f; do
      f=${f#.}
      mkdir -p "${f%/*}/" && mv "root$f" "$f" || exit 255
    done || exit 255
    rm -rf root
  fi
  mkdir -p work
  echo "dir=$J"
}

case $1 in
  place) place ;;
  start)
    place
    setsid sh "$J/job.sh" supervise </dev/null >/dev/null 2>"$J/complaints" &
    until [ -e super ] || [ -e exit ]; do
      sleep 0.1 2>/dev/null || sleep 1
    done
    ;;
  supervise) supervise ;;
  follow)
    follow out on &
    follow err on >&2
    wait
    ;;
  logs)
    follow out once
    follow err once >&2
    ;;
  cancel) [ -e exit ] || kill -TERM "$(cat super)" ;;
  clean) cd / && rm -rf "$J" ;;
  collect)
    outputs
    archive
    ;;
  *) exit 2 ;;
esac
