//! What the parameters of a payload mean, as far as two sides must agree on them or we have to.

use crate::media::command::{EventSet, OpusSettings};
use crate::wire::description::Format;
use std::fmt::Write;

/// Parameters of which each value makes another payload, with what holds where they aren't said.
fn decisive(encoding: &str) -> &'static [(&'static str, &'static str)] {
    const TABLE: [(&str, &[(&str, &str)]); 10] = [
        // RFC 6184 §8.2.2; the level may differ, since each side says its own.
        ("H264", &[("packetization-mode", "0")]),
        // RFC 7798 §7.1.
        ("H265", &[("profile-id", "1"), ("tx-mode", "srst")]),
        // RFC 9628 §6.1.
        ("VP9", &[("profile-id", "0")]),
        ("AV1", &[("profile", "0")]),
        // RFC 4867 §8.3.1.
        ("AMR", &AMR),
        ("AMR-WB", &AMR),
        // RFC 5577 §6.2.
        ("G7221", &[("bitrate", "")]),
        // RFC 3640 §4.1.
        ("mpeg4-generic", &[("mode", ""), ("config", "")]),
        ("MP4A-LATM", &[("config", "")]),
        // RFC 4566's own parameters of RED are the payload types of what it repeats, which stand in each packet.
        ("G726-32", &[]),
    ];
    const AMR: [(&str, &str); 4] = [("octet-align", "0"), ("crc", "0"), ("robust-sorting", "0"), ("interleaving", "")];
    TABLE.iter().find(|(name, _)| name.eq_ignore_ascii_case(encoding)).map_or(&[], |(_, names)| names)
}

/// Whether two formats are one payload, whatever their numbers.
pub fn fits(one: &Format, two: &Format) -> bool {
    let same = one.encoding.eq_ignore_ascii_case(&two.encoding)
        && one.clock_rate == two.clock_rate
        && one.channels == two.channels
        && !one.encoding.is_empty();
    let agrees = |&(name, default): &(&str, &str)| {
        let value = |format| parameter(format, name).unwrap_or(default);
        value(one).eq_ignore_ascii_case(value(two))
    };
    same && decisive(&one.encoding).iter().all(agrees) && has_same_profile(one, two) && has_same_parts(one, two)
}

/// The format of `formats` that is the same payload as `wanted`: the one of the same number, where several are.
pub fn find<'a>(formats: &'a [Format], wanted: &Format) -> Option<&'a Format> {
    let fitting = || formats.iter().filter(|format| fits(format, wanted));
    fitting().find(|format| format.payload_type == wanted.payload_type).or_else(|| fitting().next())
}

/// The value of one parameter.
pub fn parameter<'a>(format: &'a Format, name: &str) -> Option<&'a str> {
    let mut parameters = format.fmtp.as_deref()?.split(';').filter_map(|text| text.split_once('='));
    parameters.find(|(known, _)| known.trim().eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

/// The profile of H.264 (RFC 6184 §8.1, table 5), without its level. Baseline and constrained baseline count as one: many
/// phones say either and mean the other.
fn has_same_profile(one: &Format, two: &Format) -> bool {
    if !one.encoding.eq_ignore_ascii_case("H264") {
        return true;
    }
    let profile = |format: &Format| -> (u8, u8) {
        let text = parameter(format, "profile-level-id").unwrap_or("42000a");
        let byte = |at: usize| text.get(at..at + 2).and_then(|hex| u8::from_str_radix(hex, 16).ok()).unwrap_or(0);
        match (byte(0), byte(2)) {
            (0x42, _) => (0x42, 0),
            (0x4d, constraints) if constraints & 0x80 != 0 => (0x42, 0),
            (0x58, constraints) if constraints & 0x80 != 0 => (0x42, 0),
            (0x64, constraints) => (0x64, constraints & 0x0c),
            (number, _) => (number, 0),
        }
    };
    profile(one) == profile(two)
}

/// RED (RFC 2198) names the payload types of its parts in each packet, so they can't be translated.
fn has_same_parts(one: &Format, two: &Format) -> bool {
    !one.encoding.eq_ignore_ascii_case("red") || one.fmtp == two.fmtp
}

/// The parameters in an answer, where the peer `offered` and the other side, which is to hear it, says `other`.
pub fn answered(offered: &Format, other: &Format) -> Option<String> {
    if other.encoding.eq_ignore_ascii_case("G729") {
        // Without Annex B as soon as one side does without (RFC 4856 §2.1.9).
        let lacks = |format| parameter(format, "annexb").is_some_and(|value| value.eq_ignore_ascii_case("no"));
        return (lacks(offered) || lacks(other)).then(|| "annexb=no".to_owned()).or_else(|| other.fmtp.clone());
    }
    other.fmtp.clone()
}

/// All parameters of Opus (RFC 7587 §6.1). Each side's speak of what it would like to receive, but for those that begin
/// with `sprop`, which say what it sends; so the two directions may differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Opus {
    pub minptime: Option<u32>,
    pub maxplaybackrate: Option<u32>,
    pub sprop_maxcapturerate: Option<u32>,
    pub maxaveragebitrate: Option<u32>,
    pub stereo: bool,
    pub sprop_stereo: bool,
    pub cbr: bool,
    pub useinbandfec: bool,
    pub usedtx: bool,
}

impl Opus {
    /// What we say of ourselves.
    pub const OURS: Opus = Opus {
        minptime: Some(10),
        maxplaybackrate: None,
        sprop_maxcapturerate: None,
        maxaveragebitrate: None,
        stereo: false,
        sprop_stereo: false,
        cbr: false,
        useinbandfec: true,
        usedtx: false,
    };

    pub fn of(format: &Format) -> Opus {
        let number = |name| parameter(format, name).and_then(|text| text.parse::<u32>().ok());
        let is_set = |name| number(name) == Some(1);
        let rate = |name| number(name).map(|rate| rate.clamp(8_000, 48_000));
        Opus {
            minptime: number("minptime").map(|ms| ms.clamp(3, 120)),
            maxplaybackrate: rate("maxplaybackrate"),
            sprop_maxcapturerate: rate("sprop-maxcapturerate"),
            maxaveragebitrate: number("maxaveragebitrate").map(|rate| rate.clamp(6_000, 510_000)),
            stereo: is_set("stereo"),
            sprop_stereo: is_set("sprop-stereo"),
            cbr: is_set("cbr"),
            useinbandfec: is_set("useinbandfec"),
            usedtx: is_set("usedtx"),
        }
    }

    /// What it asks of our encoder.
    pub fn settings(self) -> OpusSettings {
        OpusSettings {
            max_playback_rate: self.maxplaybackrate,
            max_average_bitrate: self.maxaveragebitrate,
            inband_fec: self.useinbandfec,
            dtx: self.usedtx,
            cbr: self.cbr,
        }
    }

    pub fn text(self) -> String {
        let numbers = [
            ("minptime", self.minptime),
            ("maxplaybackrate", self.maxplaybackrate),
            ("sprop-maxcapturerate", self.sprop_maxcapturerate),
            ("maxaveragebitrate", self.maxaveragebitrate),
        ];
        let flags = [
            ("stereo", self.stereo),
            ("sprop-stereo", self.sprop_stereo),
            ("cbr", self.cbr),
            ("useinbandfec", self.useinbandfec),
            ("usedtx", self.usedtx),
        ];
        let mut text = String::new();
        let flags = flags.into_iter().map(|(name, is_set)| (name, is_set.then_some(1)));
        for (name, value) in numbers.into_iter().chain(flags).filter_map(|(name, value)| Some((name, value?))) {
            let separator = if text.is_empty() { "" } else { ";" };
            // Writing to a string doesn't fail.
            let _ = write!(text, "{separator}{name}={value}");
        }
        text
    }
}

/// The events of a telephone-event format: `0-15,66,70` (RFC 4733 §2.4.1); without a list, the digits.
pub fn events(format: &Format) -> EventSet {
    let Some(list) = format.fmtp.as_deref() else { return EventSet::DIGITS };
    let list = list.trim_start_matches("events=");
    let mut events = EventSet::default();
    for part in list.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        if let (Ok(first), Ok(last)) = (first.trim().parse::<u8>(), last.trim().parse::<u8>()) {
            (first..=last).for_each(|event| events.insert(event));
        }
    }
    events
}

/// The same as text.
pub fn events_text(events: EventSet) -> String {
    if events == EventSet::DIGITS {
        return "0-15".to_owned();
    }
    let mut text = String::new();
    let mut next = 0u16;
    while let Some(first) = (next..256).find(|&event| events.contains(event as u8)) {
        let last = (first..256).take_while(|&event| events.contains(event as u8)).last().unwrap_or(first);
        let separator = if text.is_empty() { "" } else { "," };
        let _ = match first == last {
            true => write!(text, "{separator}{first}"),
            false => write!(text, "{separator}{first}-{last}"),
        };
        next = last + 1;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(encoding: &str, fmtp: &str) -> Format {
        let fmtp = (!fmtp.is_empty()).then(|| fmtp.to_owned());
        Format { payload_type: 96, encoding: encoding.to_owned().into(), clock_rate: 90_000, channels: 1, fmtp }
    }

    #[test]
    fn what_must_agree_makes_the_payload() {
        for (encoding, one, two, same) in [
            (
                "H264",
                "profile-level-id=42e01f;packetization-mode=1",
                "packetization-mode=1; profile-level-id=42801E",
                true,
            ),
            ("H264", "profile-level-id=42e01f;packetization-mode=1", "profile-level-id=42e01f", false),
            ("H264", "profile-level-id=42e01f", "profile-level-id=640c1f", false),
            ("H264", "profile-level-id=640c1f", "profile-level-id=64001f", false),
            ("H264", "", "profile-level-id=42000a;packetization-mode=0", true),
            ("VP8", "max-fr=30", "", true),
            ("VP9", "profile-id=0", "", true),
            ("VP9", "profile-id=2", "", false),
            ("AMR", "octet-align=1", "mode-set=7", false),
            ("AMR-WB", "mode-set=0,1", "", true),
            ("red", "98/98/98", "98/98/98", true),
            ("red", "98/98/98", "100/100", false),
        ] {
            assert_eq!(fits(&format(encoding, one), &format(encoding, two)), same, "{encoding} {one} {two}");
        }
        assert!(!fits(&format("VP8", ""), &format("VP9", "")));
        assert!(!fits(&format("", ""), &format("", "")));
    }

    #[test]
    fn annex_b_is_left_out_where_one_side_lacks_it() {
        let answer = |one: &str, two: &str| answered(&format("G729", one), &format("G729", two));
        assert_eq!(answer("annexb=no", "").as_deref(), Some("annexb=no"));
        assert_eq!(answer("", "annexb=no").as_deref(), Some("annexb=no"));
        assert_eq!(answer("annexb=yes", "").as_deref(), None);
    }

    #[test]
    fn every_parameter_of_opus_is_read_and_written() {
        let all = "minptime=10;maxplaybackrate=16000;sprop-maxcapturerate=24000;maxaveragebitrate=20000;stereo=1;\
                   sprop-stereo=1;cbr=1;useinbandfec=1;usedtx=1";
        let opus = Opus::of(&format("opus", all));
        assert_eq!(opus.text(), all);
        assert_eq!(opus.settings().max_playback_rate, Some(16_000));
        let odd = Opus::of(&format("opus", "maxplaybackrate=1; maxaveragebitrate=999999999;stereo=2; x; =;cbr"));
        assert_eq!(odd.text(), "maxplaybackrate=8000;maxaveragebitrate=510000");
        assert_eq!(Opus::OURS.text(), "minptime=10;useinbandfec=1");
        assert_eq!(Opus::of(&format("opus", "")).text(), "");
    }

    #[test]
    fn ranges_of_events_are_read_and_written() {
        for (text, written) in
            [("0-15", "0-15"), ("0-15,66,70", "0-15,66,70"), ("0-11, 16", "0-11,16"), ("255", "255"), ("x,5-3,1-", "")]
        {
            assert_eq!(events_text(events(&format("telephone-event", text))), written);
        }
        assert_eq!(events_text(events(&format("telephone-event", ""))), "0-15");
    }
}
