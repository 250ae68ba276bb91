//! Feedback on its way from whoever sees the pictures to whoever sends them (RFC 4585, RFC 5104): said in the names and
//! numbers that the sender knows.

use crate::media::stream::send::Send;
use crate::wire::rtcp::{self, Feedback, FeedbackKind};

/// Transport feedback: packets that are missing, and the bit rate to keep to with its confirmation.
const NACK: u8 = 1;
const BIT_RATE_REQUEST: u8 = 3;
const BIT_RATE_NOTICE: u8 = 4;
/// Payload feedback: a picture, a slice or a reference that is missing, and a whole picture asked for.
const PICTURE_LOSS: u8 = 1;
const SLICE_LOSS: u8 = 2;
const REFERENCE: u8 = 3;
const FULL_PICTURE: u8 = 4;
const APPLICATION: u8 = 15;
/// The one application feedback that is known: the receiver's estimate of the bit rate.
const ESTIMATE: &[u8] = b"REMB";

/// Writes what `datagram` says of the stream that is `sent` to its writer, for the source of that stream, which is `source`
/// in its own words and hears us as `from`. It follows the `at` bytes that `room` already has. Answers the new length; none
/// where nothing is left to say.
pub fn translate(datagram: &[u8], sent: &Send, from: u32, source: u32, room: &mut [u8], at: usize) -> Option<usize> {
    let mut end = at;
    for feedback in rtcp::feedback(datagram) {
        if feedback.media != sent.ssrc() && feedback.media != 0 {
            continue;
        }
        let onward = Feedback { media: if feedback.media == 0 { 0 } else { source }, ..feedback };
        let control = |room: &mut [u8]| control(&feedback, sent, source, room);
        end = rtcp::write_feedback(room, end, from, &onward, control).unwrap_or(end);
    }
    (end > at).then_some(end)
}

fn control(feedback: &Feedback<'_>, sent: &Send, source: u32, room: &mut [u8]) -> Option<usize> {
    let room = room.get_mut(..feedback.control.len())?;
    match (feedback.kind, feedback.format) {
        (FeedbackKind::Transport, NACK) => missing(feedback.control, sent, room),
        (FeedbackKind::Transport, BIT_RATE_REQUEST | BIT_RATE_NOTICE) | (FeedbackKind::Payload, FULL_PICTURE) => {
            entries(feedback.control, sent.ssrc(), source, room)
        }
        (FeedbackKind::Payload, PICTURE_LOSS | SLICE_LOSS | REFERENCE) if feedback.media != 0 => {
            room.copy_from_slice(feedback.control);
            Some(room.len())
        }
        (FeedbackKind::Payload, APPLICATION) => estimate(feedback.control, sent.ssrc(), source, room),
        _ => None,
    }
}

/// Pairs of a number and a mask of the numbers after it (RFC 4585 §6.2.1).
fn missing(control: &[u8], sent: &Send, room: &mut [u8]) -> Option<usize> {
    let mut length = 0;
    for &[p0, p1, m0, m1] in control.as_chunks().0 {
        let Some(original) = sent.original(u16::from_be_bytes([p0, p1])) else { continue };
        let [p0, p1] = original.to_be_bytes();
        room.get_mut(length..length + 4)?.copy_from_slice(&[p0, p1, m0, m1]);
        length += 4;
    }
    (length > 0).then_some(length)
}

/// Eight bytes for each stream, its name first (RFC 5104 §4.2.1.1, §4.3.1.1).
fn entries(control: &[u8], ours: u32, source: u32, room: &mut [u8]) -> Option<usize> {
    let mut length = 0;
    for &[s0, s1, s2, s3, rest @ ..] in control.as_chunks::<8>().0 {
        if u32::from_be_bytes([s0, s1, s2, s3]) == ours {
            let entry = room.get_mut(length..length + 8)?;
            entry[..4].copy_from_slice(&source.to_be_bytes());
            entry[4..].copy_from_slice(&rest);
            length += 8;
        }
    }
    (length > 0).then_some(length)
}

/// A bit rate and the streams that it is for, which is ours alone.
fn estimate(control: &[u8], ours: u32, source: u32, room: &mut [u8]) -> Option<usize> {
    let rest = control.strip_prefix(ESTIMATE)?;
    let (&[_, e0, e1, e2], streams) = rest.split_first_chunk()?;
    streams.as_chunks().0.iter().find(|&&stream| u32::from_be_bytes(stream) == ours)?;
    let written = room.get_mut(..12)?;
    written[..4].copy_from_slice(ESTIMATE);
    written[4..8].copy_from_slice(&[1, e0, e1, e2]);
    written[8..].copy_from_slice(&source.to_be_bytes());
    Some(12)
}
