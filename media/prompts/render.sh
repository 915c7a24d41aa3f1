#!/bin/sh
# Renders the prompts of en.tsv into en/*.wav: 8 kHz, mono, 16-bit PCM. Needs flite 2.2 and sox 14.4.2.
#
#   media/prompts/render.sh            every prompt
#   media/prompts/render.sh NAME ...   only these
#
# A line of the table is NAME<TAB>TEXT. In the text, "|" is a pause, and "[word]" is spoken inside the sentence around
# it but cut out of it: so a digit keeps the level tone it has in the middle of a number.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
table=$here/en.tsv
out=$here/en
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

voice=slt
stretch=1.06      # A little slower than the voice's own pace: a telephone, and often a second language.
list_stretch=1.45 # What is cut out of a list is written down by the listener.
pause_secs=0.28   # Silence for "|".
target_db=-20     # RMS of the active speech, dBFS.

# say STRETCH TEXT WAV: the bare voice, 16 kHz; prints each phone with its end time.
say() {
    flite -voice $voice --setf duration_stretch="$1" -psdur -t "$2" -o "$3"
}

# span: from phones with end times, the start and length of the second of three groups between pauses.
span() {
    tr ' ' '\n' | awk -F: '
        $1 == "pau" { n++; middle[n] = (last + $2) / 2 }
        { last = $2 }
        END { if (n != 4) exit 1; print middle[2], middle[3] - middle[2] }'
}

# cut_out TEXT WAV: speaks the sentence and keeps its bracketed word.
cut_out() {
    say $list_stretch "$(printf %s "$1" | tr -d '[]')" "$work/whole.wav" | span > "$work/span"
    read -r start length < "$work/span"
    sox -D "$work/whole.wav" "$2" trim "$start" "$length"
}

# fold_sibilants IN OUT: this voice has its "s" at 6 to 7.5 kHz, which 8 kHz sampling cannot carry: "six" would be
# "ick". That band, moved down by 3.4 kHz (times a sine, low-passed), sounds where a telephone's "s" is.
fold_sibilants() {
    sox -D -r 16000 -n -b 32 "$work/carrier.wav" synth "$(soxi -s "$1")s" sine 3400
    sox -D "$1" -b 32 "$work/high.wav" sinc 5800-7800
    sox -D -T "$work/high.wav" "$work/carrier.wav" -b 32 "$work/folded.wav" gain 2 sinc -3850
    sox -D -m -v 1 "$1" -v 1 "$work/folded.wav" -b 32 "$2"
}

# polish IN OUT: the telephone's shape. The voice has more of its energy below 300 Hz than above, where few telephones
# carry it, and little at 2 to 3 kHz, where consonants are. Then no silence at the ends, and no click.
polish() {
    fold_sibilants "$1" "$work/audible.wav"
    sox -D "$work/audible.wav" -b 32 "$2" gain -6 highpass 200 equalizer 2600 1.2o 6 treble 2 5000 rate -v 8000 \
        gain -n -3 silence 1 0.005 -54d reverse silence 1 0.005 -51d fade t 0.01 reverse fade t 0.004
}

# active_db WAV: RMS level of what is speech, pauses left out.
active_db() {
    sox "$1" -n silence -l 1 0.02 -40d -1 0.02 -40d stats 2>&1 | awk '/^RMS lev dB/ { print $4 }'
}

# pieces TEXT: renders what stands between the pauses and lists the files, silence between them.
pieces() {
    rest="$1|"
    count=0
    while [ -n "$rest" ]; do
        piece=${rest%%|*}
        rest=${rest#*|}
        count=$((count + 1))
        case $piece in
        *\[*) cut_out "$piece" "$work/said.wav" ;;
        *) say $stretch "$piece" "$work/said.wav" > "$work/phones" ;;
        esac
        polish "$work/said.wav" "$work/piece$count.wav"
        [ "$count" -eq 1 ] || printf '%s ' "$work/silence.wav"
        printf '%s ' "$work/piece$count.wav"
    done
}

# render NAME TEXT: one prompt, start to end.
render() {
    # shellcheck disable=SC2046 # A list of files, and none has a space in its name.
    sox -D $(pieces "$2") "$work/joined.wav"
    gain=$(awk "BEGIN { print $target_db - ($(active_db "$work/joined.wav")) }")
    sox -D "$work/joined.wav" -t wavpcm -b 16 "$out/$1.wav" gain "$gain" pad 0.005 0.008
    echo "$1"
}

# wanted NAME ARG...: true if no prompt was asked for by name, or this one was.
wanted() {
    name=$1
    shift
    [ $# -eq 0 ] && return
    for each; do [ "$each" = "$name" ] && return; done
    return 1
}

mkdir -p "$out"
sox -D -n -r 8000 -b 32 "$work/silence.wav" trim 0 $pause_secs
while IFS="$(printf '\t')" read -r name text; do
    if wanted "$name" "$@"; then render "$name" "$text"; fi
done < "$table"
