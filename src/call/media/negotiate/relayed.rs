//! Lines that we don't understand beyond their payload types: pictures, real-time text (RFC 4103), fax (ITU-T T.38). They
//! are relayed between two legs that both have them.

use super::{Agreed, Disagreement, Line, endpoint, fmtp, numbering, onward, sdes};
use crate::media::command::Protocol;
use crate::wire::description::{Format, Kind, Media, known};
use std::borrow::Cow;

/// Repairs and repetitions that depend on numbers which change on the way, or need a stream of their own.
const BOUND_TO_NUMBERS: [&str; 7] = ["rtx", "ulpfec", "parityfec", "flexfec", "flexfec-03", "rsfec", "uleplc"];

/// Whether a line can be relayed at all.
pub fn is_relayable(line: &Media) -> bool {
    let is_stream = line.is_rtp() && line.kind != Kind::Audio && line.formats.iter().any(|f| passes(&line.kind, f));
    !line.is_refused() && (is_stream || line.is_fax())
}

/// Whether a format keeps its meaning when its packets are renumbered.
pub(super) fn passes(kind: &Kind, format: &Format) -> bool {
    let is_bound = BOUND_TO_NUMBERS.iter().any(|known| known.eq_ignore_ascii_case(&format.encoding));
    // Text repeats itself in RED; what RED means for pictures depends on the repairs in it.
    let is_red = format.encoding.eq_ignore_ascii_case("red") && matches!(kind, Kind::Audio | Kind::Video);
    !format.encoding.is_empty() && format.clock_rate > 0 && !is_bound && !is_red
}

/// Whether two lines are of one kind.
pub fn is_alike(one: &Media, two: &Media) -> bool {
    one.kind == two.kind && (one.is_rtp() && two.is_rtp() || one.is_fax() && two.is_fax())
}

/// Our offer of a line that stands for `like`, which the other leg's peer has.
pub(super) fn offer(line: &Line<'_>, like: &Media) -> Option<Media> {
    if !is_relayable(like) {
        return None;
    }
    let before = line.before.map(|before| before.formats.as_slice()).unwrap_or_default();
    let mut formats: Vec<Format> = Vec::new();
    let mut names: Vec<(u8, u8)> = Vec::new();
    for theirs in like.formats.iter().filter(|format| passes(&like.kind, format)) {
        let payload_type = numbering::number(theirs, before, &formats)?;
        let has_parts = theirs.encoding.eq_ignore_ascii_case("red");
        if has_parts && names.iter().any(|(there, here)| there != here) {
            continue;
        }
        names.push((theirs.payload_type, payload_type));
        formats.push(Format { payload_type, ..theirs.clone() });
    }
    Some(written(line, like, known(sdes::plain_profile(&like.protocol)), formats, &names))
}

/// Our answer to `theirs` where the other leg's peer has `like`.
pub(super) fn answer(theirs: &Media, line: &Line<'_>, like: &Media) -> Result<(Media, Agreed), Disagreement> {
    if !is_relayable(theirs) || !is_relayable(like) || !is_alike(theirs, like) {
        return Err(Disagreement::NoCommonCodec);
    }
    let mut formats: Vec<Format> = Vec::new();
    let mut names: Vec<(u8, u8)> = Vec::new();
    for other in like.formats.iter().filter(|format| passes(&like.kind, format)) {
        let Some(offered) = fmtp::find(&theirs.formats, other) else { continue };
        if formats.iter().all(|known| known.payload_type != offered.payload_type) {
            names.push((other.payload_type, offered.payload_type));
            formats.push(Format { fmtp: fmtp::answered(offered, other), ..offered.clone() });
        }
    }
    if formats.is_empty() && !theirs.is_fax() {
        return Err(Disagreement::NoCommonCodec);
    }
    let mut ours = written(line, like, theirs.protocol.clone(), formats, &names);
    ours.rtcp_mux = theirs.rtcp_mux;
    ours.direction = endpoint::restricted(line.direction, endpoint::wishes(theirs));
    let agreed = agreed(&ours, theirs)?;
    Ok((ours, agreed))
}

/// What the peer's answer to our line means.
pub(super) fn accept(ours: &Media, theirs: &Media) -> Result<Agreed, Disagreement> {
    if theirs.is_refused() || !is_alike(ours, theirs) {
        return Err(Disagreement::NoCommonCodec);
    }
    agreed(ours, theirs)
}

fn agreed(ours: &Media, theirs: &Media) -> Result<Agreed, Disagreement> {
    let format = match theirs.is_fax() {
        true => fax(),
        false => {
            let first = theirs.formats.iter().find(|format| fmtp::find(&ours.formats, format).is_some());
            first.cloned().ok_or(Disagreement::NoCommonCodec)?
        }
    };
    Ok(Agreed {
        protocol: if theirs.is_fax() { Protocol::Udptl } else { Protocol::Rtp },
        hears: shared(&ours.formats, &theirs.formats, |_| true),
        rtcp_mux: ours.rtcp_mux && theirs.rtcp_mux,
        ..Agreed::new(format, theirs)
    })
}

/// The formats that two lines share, by the numbers of both: a peer may use either.
pub(super) fn shared(ours: &[Format], theirs: &[Format], passes: impl Fn(&Format) -> bool) -> Vec<Format> {
    let one = ours.iter().filter(|format| fmtp::find(theirs, format).is_some());
    let two = theirs.iter().filter(|format| fmtp::find(ours, format).is_some());
    one.chain(two).filter(|format| passes(format)).cloned().collect()
}

/// What stands in place of a payload type for a line that has none.
fn fax() -> Format {
    Format { payload_type: 0, encoding: "T38".into(), clock_rate: 8_000, channels: 1, fmtp: None }
}

fn written(
    line: &Line<'_>,
    like: &Media,
    protocol: Cow<'static, str>,
    formats: Vec<Format>,
    names: &[(u8, u8)],
) -> Media {
    let number = |wanted: u8| names.iter().find(|(there, _)| *there == wanted).map(|&(_, here)| here);
    Media {
        direction: line.direction,
        formats,
        ptime_ms: like.ptime_ms,
        maxptime_ms: like.maxptime_ms,
        bandwidths: like.bandwidths.clone(),
        attributes: onward::attributes(like, number),
        raw_formats: like.raw_formats.clone(),
        ..Media::new(like.kind.clone(), &protocol, line.address)
    }
}
