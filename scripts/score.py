#!/usr/bin/env python3
"""How much of a speech reaches the other end: scripts/score.py [--wide] REFERENCE DEGRADED

Prints one line of JSON: the score of ITU-T P.862.1 (P.862.2 with --wide; 1 is bad, about 4.5 is the best that there is),
where in the degraded file the reference begins (milliseconds), and how much louder it is there (decibels).
Any format that FFmpeg reads will do. Runs in the environment that `make tools` lays out under target/venv.
"""

import json
import subprocess
import sys

import numpy
from pesq import NoUtterancesError, pesq


def samples(path, rate):
    """The file as mono floats in -1..1 at `rate` hertz."""
    command = ["ffmpeg", "-v", "error", "-i", path, "-ac", "1", "-ar", str(rate), "-f", "s16le", "-"]
    pcm = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    return numpy.frombuffer(pcm, dtype="<i2").astype(numpy.float64) / 32768


def delay(reference, degraded):
    """Samples of the degraded file before the reference begins in it; negative where the beginning is lacking."""
    size = 1 << (len(reference) + len(degraded) - 1).bit_length()
    spectrum = numpy.fft.rfft(degraded, size) * numpy.conj(numpy.fft.rfft(reference, size))
    likeness = numpy.fft.irfft(spectrum, size)
    shift = int(numpy.argmax(numpy.abs(likeness)))
    return shift - size if shift > size // 2 else shift


def overlap(reference, degraded, shift):
    """The stretches of both that belong together; what one of them lacks counts as silence in it."""
    begin = max(shift, 0)
    heard = degraded[begin : begin + len(reference) + min(shift, 0)]
    heard = numpy.concatenate([numpy.zeros(max(-shift, 0)), heard])
    return numpy.concatenate([heard, numpy.zeros(len(reference) - len(heard))])


def power(signal):
    return float(numpy.mean(signal**2)) if len(signal) else 0.0


def main(arguments):
    wide = arguments[:1] == ["--wide"]
    rate, mode = (16000, "wb") if wide else (8000, "nb")
    reference, degraded = (samples(path, rate) for path in arguments[wide:])
    if not len(degraded) or power(degraded) < 1e-9:
        print(json.dumps({"mos": 1.0, "delay_ms": 0.0, "level_db": -100.0, "why": "the degraded file is silent"}))
        return
    shift = delay(reference, degraded)
    heard = overlap(reference, degraded, shift)
    level = 10 * numpy.log10(max(power(heard), 1e-12) / max(power(reference), 1e-12))
    # Half a second of silence on both sides, for the meter looks for where speech begins and ends.
    rest = numpy.zeros(rate // 2)
    padded = [numpy.concatenate([rest, signal, rest]) for signal in (reference, heard)]
    try:
        mos = pesq(rate, *padded, mode)
    except NoUtterancesError:
        mos = 1.0
    print(json.dumps({"mos": round(mos, 3), "delay_ms": round(1000 * shift / rate, 1), "level_db": round(level, 2)}))


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(sys.argv[1:])
