//! What an Opus packet says of itself in its first bytes (RFC 6716 §3), read without a decoder.

use crate::CodecError;

/// No packet is longer (RFC 6716 §3.4, R5).
pub const MAX_DURATION_MS: u32 = 120;

/// How many samples at `rate` Hz the packet lasts (RFC 6716 §3.1). The RTP timestamp advances by this at 48,000 Hz.
pub fn samples(packet: &[u8], rate: u32) -> Result<usize, CodecError> {
    let frames = frame_count(packet)?;
    let &[toc, ..] = packet else { return Err(CodecError::Malformed) };
    let quarters = frame_quarter_ms(toc) * frames;
    if quarters > MAX_DURATION_MS * 4 {
        return Err(CodecError::Malformed);
    }
    Ok((quarters as u64 * u64::from(rate) / 4_000) as usize)
}

/// Whether the packet brings a second, coarser copy of the frame before it (RFC 6716 §4.2.4: the LBRR flags).
pub fn has_fec(packet: &[u8]) -> bool {
    let (Some(&toc), Some(first)) = (packet.first(), first_frame(packet)) else { return false };
    let Some(&bits) = first.first() else { return false };
    if is_celt_only(toc) {
        return false;
    }
    // One voice-activity bit for each 20 ms of SILK stands before the flag; the second channel's bits follow.
    let silk_frames = (frame_quarter_ms(toc) / 80).max(1);
    let flag = |channel: u32| bits >> (7 - silk_frames - channel * (silk_frames + 1)) & 1 == 1;
    flag(0) || (is_stereo(toc) && flag(1))
}

/// The duration of each frame, in quarters of a millisecond (RFC 6716 table 2).
fn frame_quarter_ms(toc: u8) -> u32 {
    let configuration = toc >> 3;
    match configuration {
        0..12 => [40, 80, 160, 240][usize::from(configuration & 3)],
        12..16 => [40, 80][usize::from(configuration & 1)],
        _ => [10, 20, 40, 80][usize::from(configuration & 3)],
    }
}

fn frame_count(packet: &[u8]) -> Result<u32, CodecError> {
    let &[toc, ref rest @ ..] = packet else { return Err(CodecError::Malformed) };
    match toc & 3 {
        0 => Ok(1),
        1 | 2 => Ok(2),
        _ => match rest.first().map(|count| count & 0x3F) {
            None | Some(0) => Err(CodecError::Malformed),
            Some(count) => Ok(u32::from(count)),
        },
    }
}

fn is_celt_only(toc: u8) -> bool {
    toc & 0x80 != 0
}

fn is_stereo(toc: u8) -> bool {
    toc & 4 != 0
}

/// The bytes from the first frame's beginning on, later frames included; none where that frame is empty.
fn first_frame(packet: &[u8]) -> Option<&[u8]> {
    let (&toc, rest) = packet.split_first()?;
    match toc & 3 {
        0 | 1 => Some(rest),
        2 => after_lengths(rest, 1),
        _ => {
            let (&count, mut rest) = rest.split_first()?;
            if count & 0x40 != 0 {
                rest = after_padding_length(rest)?;
            }
            let is_variable = count & 0x80 != 0;
            let lengths = if is_variable { (count & 0x3F).saturating_sub(1) } else { 0 };
            after_lengths(rest, lengths)
        }
    }
}

/// Passes over frames' lengths, of one byte or of two from 252 on (RFC 6716 §3.2.1). None where the first is zero.
fn after_lengths(mut rest: &[u8], count: u8) -> Option<&[u8]> {
    if count > 0 && rest.first() == Some(&0) {
        return None;
    }
    for _ in 0..count {
        let bytes = if *rest.first()? < 252 { 1 } else { 2 };
        rest = rest.get(bytes..)?;
    }
    Some(rest)
}

/// Padding's length goes on while its bytes are 255 (RFC 6716 §3.2.5).
fn after_padding_length(rest: &[u8]) -> Option<&[u8]> {
    let last = rest.iter().position(|&byte| byte != 255)?;
    rest.get(last + 1..)
}

/// Joins single-frame packets, laid end to end in `frames` with their lengths in `lengths`, into one packet of code 3
/// (RFC 6716 §3.2.5). A frame of another configuration than the first's can't travel with it; its place is left empty
/// and the receiver conceals it. Returns the packet's length, or the room that it needs.
pub(super) fn join(frames: &[u8], lengths: &[usize], out: &mut [u8]) -> Result<usize, CodecError> {
    let Some(&toc) = frames.first() else { return Err(CodecError::Malformed) };
    let bodies = || {
        let mut rest = frames;
        lengths.iter().map(move |&length| {
            let (frame, after) = rest.split_at(length.min(rest.len()));
            rest = after;
            match frame.split_first() {
                Some((&own, body)) if own == toc => body,
                _ => &[],
            }
        })
    };
    let last = lengths.len().saturating_sub(1);
    let length_bytes: usize = bodies().take(last).map(|body| if body.len() < 252 { 1 } else { 2 }).sum();
    let needed = 2 + length_bytes + bodies().map(<[u8]>::len).sum::<usize>();
    let Some(out) = out.get_mut(..needed) else { return Err(CodecError::OutputTooShort { needed }) };

    out[0] = toc | 3;
    out[1] = 0x80 | lengths.len() as u8;
    let mut at = 2;
    for body in bodies().take(last) {
        if body.len() < 252 {
            out[at] = body.len() as u8;
            at += 1;
        } else {
            // The first byte counts up to 255 and the second counts fours.
            out[at] = 252 | (body.len() & 3) as u8;
            out[at + 1] = ((body.len() - usize::from(out[at])) >> 2) as u8;
            at += 2;
        }
    }
    for body in bodies() {
        out[at..at + body.len()].copy_from_slice(body);
        at += body.len();
    }
    Ok(needed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duration_is_read_from_the_first_bytes() {
        let toc = |configuration: u8, code: u8| configuration << 3 | code;
        assert_eq!(samples(&[toc(0, 0)], 48_000), Ok(480));
        assert_eq!(samples(&[toc(3, 0)], 48_000), Ok(2_880));
        assert_eq!(samples(&[toc(9, 1)], 16_000), Ok(640));
        assert_eq!(samples(&[toc(13, 2)], 8_000), Ok(320));
        assert_eq!(samples(&[toc(16, 0)], 48_000), Ok(120));
        assert_eq!(samples(&[toc(31, 3), 0x80 | 6], 48_000), Ok(5_760));
        assert_eq!(samples(&[toc(31, 3), 7], 48_000), Err(CodecError::Malformed));
        assert_eq!(samples(&[toc(31, 3), 0], 48_000), Err(CodecError::Malformed));
        assert_eq!(samples(&[toc(31, 3)], 48_000), Err(CodecError::Malformed));
        assert_eq!(samples(&[], 48_000), Err(CodecError::Malformed));
    }

    #[test]
    fn frames_are_joined_as_libopus_reads_them() {
        // A frame of 300 bytes has a length of two bytes; one of another configuration is left empty.
        let mut frames = vec![0x70; 301];
        frames.extend([0x70, 1, 2, 3]);
        frames.extend([0x08, 9]);
        let mut out = [0; 400];
        let n = join(&frames, &[301, 4, 2], &mut out).unwrap();
        assert_eq!(n, 2 + 2 + 1 + 300 + 3);
        let parsed = ::opus::packet::parse(&out[..n]).unwrap();
        let lengths: Vec<usize> = parsed.frames.iter().map(|frame| frame.len()).collect();
        assert_eq!(lengths, [300, 3, 0]);
        assert_eq!(samples(&out[..n], 48_000), Ok(1_440));
        assert_eq!(join(&frames, &[301, 4, 2], &mut [0; 8]), Err(CodecError::OutputTooShort { needed: n }));
    }
}
