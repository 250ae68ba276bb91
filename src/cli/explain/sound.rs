//! How a call sounded, and what to look at where it was heard one way only.

use crate::cli::screen::cell;
use serde_json::Value;
use std::net::{IpAddr, SocketAddr};

/// What the peer said of its address, and what it was told of ours.
pub fn addresses(leg: &Value) -> String {
    match (leg["announced"].as_str(), leg["local"].as_str()) {
        (Some(theirs), Some(ours)) => format!("{theirs}; it was told {ours}"),
        (Some(theirs), None) => theirs.to_owned(),
        _ => String::new(),
    }
}

/// Each line with the word that it begins with.
pub fn figures(media: &Value) -> Vec<(&'static str, String)> {
    let mut lines = vec![("received", received(media)), ("sent", sent(media))];
    let bursts = count(media, "bursts");
    if bursts > 0 {
        let percent = |field: &str| format!("{:.0} %", 100.0 * media[field].as_f64().unwrap_or(0.0));
        let text = format!(
            "{bursts} of {} ms, in which {} went missing, and {} between them",
            count(media, "burst_ms"),
            percent("burst_density"),
            percent("gap_density")
        );
        lines.push(("bursts", text));
    }
    if count(media, "received_packets") + count(media, "lost_packets") == 0 {
        lines.push(("note", "nothing was ever heard from this side".to_owned()));
    }
    if count(media, "dropped_packets") > 0 {
        lines.push(("dropped", dropped(media)));
    }
    lines
}

fn received(media: &Value) -> String {
    let expected = count(media, "received_packets") + count(media, "lost_packets");
    let lost = 100.0 * count(media, "lost_packets") as f64 / expected.max(1) as f64;
    let mut heard =
        format!("{} packets, {} lost ({lost:.1} %)", count(media, "received_packets"), count(media, "lost_packets"));
    let late = count(media, "discarded_packets");
    heard.extend((late > 0).then(|| format!(", {late} too late to be played")));
    heard.extend(millis(media, "jitter_us").map(|jitter| format!(", jitter {jitter}")));
    heard.extend(opinion(media, "mos_received"));
    heard.extend(media["source"].as_str().map(|source| format!(", from {source}")));
    heard
}

fn sent(media: &Value) -> String {
    let mut spoken = format!("{} packets", count(media, "sent_packets"));
    if let Some(lost) = media["remote_lost_packets"].as_u64() {
        spoken.push_str(&format!(", of which the other side lost {lost}"));
    }
    spoken.extend(millis(media, "remote_jitter_us").map(|jitter| format!(", its jitter {jitter}")));
    spoken.extend(millis(media, "round_trip_us").map(|time| format!(", round trip {time}")));
    spoken.extend(opinion(media, "mos_sent"));
    spoken.extend(media["remote_voip"]["mos_conversation"].as_f64().map(|mos| format!(" (it says {mos:.1} itself)")));
    spoken
}

fn dropped(media: &Value) -> String {
    let (strangers, foreign) = (count(media, "strangers"), count(media, "foreign_payloads"));
    let mut why = Vec::new();
    if strangers > 0 {
        why.push(format!("{strangers} from strangers{}", stranger(media)));
    }
    if count(media, "unauthentic") > 0 {
        why.push(format!("{} without the key that was agreed", count(media, "unauthentic")));
    }
    if foreign > 0 {
        why.push(format!("{foreign} in a codec that wasn't agreed"));
    }
    let why = if why.is_empty() { "damaged, late or twice".to_owned() } else { why.join(", ") };
    format!("{} packets: {why}", count(media, "dropped_packets"))
}

fn stranger(media: &Value) -> String {
    media["stranger"].as_str().map(|address| format!(" (the last one {address})")).unwrap_or_default()
}

/// What to look at where one side wasn't heard; nothing where both were.
pub fn advice(record: &Value) -> Vec<String> {
    let legs = record["legs"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut lines = Vec::new();
    for (index, leg) in legs.iter().enumerate().filter(|(index, _)| was_missed(legs, *index)) {
        if lines.is_empty() {
            let how = record["one_way"].as_str().unwrap_or("one side was never heard");
            lines.push(format!("one way  {how}"));
        }
        let side = if index == 0 { "the caller".to_owned() } else { cell(leg, "target") };
        lines.push(format!("what to look at where {side} isn't heard:"));
        lines.extend(look_at(leg).into_iter().map(|text| format!("  - {text}")));
    }
    lines
}

/// Whether a leg wasn't heard while another was.
fn was_missed(legs: &[Value], index: usize) -> bool {
    let received = |leg: &Value| count(&leg["media"], "received_packets");
    let leg = &legs[index];
    let never = leg["media"].is_object() && received(leg) == 0 && !leg["answered"].is_null();
    let others = legs.iter().enumerate().any(|(other, leg)| other != index && received(leg) > 0);
    leg["unheard"].as_array().is_some_and(|stretches| !stretches.is_empty()) || never && others
}

fn look_at(leg: &Value) -> Vec<String> {
    let media = &leg["media"];
    let (strangers, foreign) = (count(media, "strangers"), count(media, "foreign_payloads"));
    let (theirs, ours) = (address(&leg["announced"]), address(&leg["local"]));
    let mut texts = vec![seen(leg)];
    let unauthentic = count(media, "unauthentic");
    if unauthentic > 0 {
        texts.push(format!(
            "{unauthentic} packets weren't protected by the key that was agreed (SRTP): something on the way changes the \
             keys in the description, or the peer sends in clear; look at `srtp` of its [[trunk]], or of [media]"
        ));
    }
    if foreign > 0 {
        texts.push(format!(
            "{foreign} packets came in a codec that wasn't agreed: the peer sends another one than it answered; leave \
             only what it can do in `codecs` of its [[trunk]], or of [media]"
        ));
    }
    if strangers > 0 {
        texts.push(format!(
            "{strangers} packets came from where this side isn't known to be{} and were dropped, since the port belongs \
             to whoever sent first from the address announced, or from that of the signalling: something on the way \
             sends on from another address; have it announce that one, or send from the one that it announces",
            stranger(media)
        ));
    }
    if count(media, "received_packets") > 0 {
        texts.push(
            "it was heard before: look whether the phone was muted, whether it leaves silence out without having agreed \
             on comfort noise (turn its silence suppression off), and whether a NAT on the way has forgotten it"
                .to_owned(),
        );
        return texts;
    }
    let is_far = [theirs, signalling(leg)].into_iter().flatten().any(|address| !is_inside(address.ip()));
    if let Some(ours) = ours.filter(|ours| is_far && is_inside(ours.ip())) {
        texts.push(format!(
            "{} can't be reached from outside: write the public address as public_address in [media]",
            ours.ip()
        ));
    }
    if let Some(theirs) = theirs.filter(|theirs| is_inside(theirs.ip()) && is_outside(leg, theirs.ip())) {
        texts.push(format!(
            "{} is behind a NAT, which lets our sound in only where its own went out first: it has to send from the port \
             at which it listens (symmetric RTP), and to send at all",
            theirs.ip()
        ));
    }
    if strangers + foreign + unauthentic == 0 {
        texts.push("nothing came: look whether a firewall lets the UDP ports of `ports` in [media] in".to_owned());
    }
    texts
}

/// The address announced beside the one seen.
fn seen(leg: &Value) -> String {
    let announced = leg["announced"].as_str().map_or("no address".to_owned(), str::to_owned);
    let told = leg["local"].as_str().map(|ours| format!(", and was told to send to {ours}")).unwrap_or_default();
    match leg["media"]["source"].as_str() {
        Some(source) => format!("it announced {announced} and was seen at {source}{told}"),
        None => format!("it announced {announced}, and no sound of its was seen{told}"),
    }
}

/// Whether its signalling comes from elsewhere than it says that its sound does.
fn is_outside(leg: &Value, announced: IpAddr) -> bool {
    signalling(leg).is_some_and(|signalling| signalling.ip().to_canonical() != announced.to_canonical())
}

/// Where its signalling comes from: `udp:192.0.2.1:5060`.
fn signalling(leg: &Value) -> Option<SocketAddr> {
    leg["address"].as_str()?.split_once(':')?.1.parse().ok()
}

fn is_inside(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.is_private() || ip.is_loopback() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_loopback() || ip.is_unicast_link_local(),
    }
}

fn address(value: &Value) -> Option<SocketAddr> {
    value.as_str()?.parse().ok()
}

fn count(media: &Value, field: &str) -> u64 {
    media[field].as_u64().unwrap_or(0)
}

fn millis(media: &Value, field: &str) -> Option<String> {
    media[field].as_u64().map(|micros| format!("{:.1} ms", micros as f64 / 1e3))
}

fn opinion(media: &Value, field: &str) -> Option<String> {
    media[field].as_f64().map(|mos| format!(", MOS {mos:.1}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn record(caller: Value) -> Value {
        let callee = json!({ "target": "user:bob", "answered": "then", "media": { "received_packets": 500 } });
        json!({ "one_way": "from the callee only, from the answer on", "legs": [caller, callee] })
    }

    fn leg(media: Value) -> Value {
        json!({
            "target": "user:alice", "answered": "then", "address": "udp:198.51.100.7:5060", "announced": "192.168.1.5:4000",
            "local": "203.0.113.1:20000", "unheard": [{ "after_ms": 0 }], "media": media,
        })
    }

    #[track_caller]
    fn says(media: Value, wanted: &[&str], unwanted: &[&str]) {
        let text = advice(&record(leg(media))).join("\n");
        for part in wanted {
            assert!(text.contains(part), "no {part} in\n{text}");
        }
        for part in unwanted {
            assert!(!text.contains(part), "{part} in\n{text}");
        }
    }

    #[test]
    fn what_never_came_is_looked_for_on_the_way() {
        let wanted = [
            "one way  from the callee only",
            "where the caller isn't heard",
            "it announced 192.168.1.5:4000, and no sound of its was seen, and was told to send to 203.0.113.1:20000",
            "symmetric RTP",
            "firewall",
        ];
        says(json!({ "received_packets": 0 }), &wanted, &["public_address", "strangers", "muted"]);
        let mut outside = leg(json!({ "received_packets": 0 }));
        (outside["announced"], outside["local"]) = (json!("198.51.100.7:4000"), json!("10.0.0.1:20000"));
        let text = advice(&record(outside)).join("\n");
        assert!(text.contains("10.0.0.1 can't be reached") && text.contains("public_address"), "{text}");
        assert!(!text.contains("behind a NAT"), "{text}");
        // A phone behind a NAT is outside too.
        let mut behind = leg(json!({ "received_packets": 0 }));
        behind["local"] = json!("10.0.0.1:20000");
        let text = advice(&record(behind)).join("\n");
        assert!(text.contains("public_address") && text.contains("behind a NAT"), "{text}");
    }

    #[test]
    fn strangers_and_other_codecs_are_named() {
        let media = json!({ "received_packets": 0, "strangers": 250, "stranger": "203.0.113.9:4000" });
        says(media, &["250 packets", "203.0.113.9:4000"], &["firewall", "muted"]);
        says(json!({ "received_packets": 0, "foreign_payloads": 9 }), &["another one than it answered"], &["firewall"]);
        says(json!({ "received_packets": 0, "unauthentic": 9 }), &["9 packets", "(SRTP)"], &["firewall"]);
    }

    #[test]
    fn who_was_heard_before_may_be_muted() {
        let media = json!({ "received_packets": 300, "source": "198.51.100.7:61000" });
        says(media, &["was seen at 198.51.100.7:61000", "muted", "comfort noise"], &["firewall", "public_address"]);
    }

    #[test]
    fn who_is_heard_needs_no_advice() {
        let mut fine = leg(json!({ "received_packets": 500 }));
        fine["unheard"] = json!([]);
        assert!(advice(&record(fine)).is_empty());
        let silent = json!({ "answered": "then", "media": { "received_packets": 0 }, "unheard": [] });
        assert!(advice(&json!({ "legs": [silent.clone(), silent] })).is_empty(), "nobody was heard");
    }

    #[test]
    fn figures_tell_late_from_lost_and_bursts() {
        let media = json!({
            "received_packets": 950, "lost_packets": 50, "discarded_packets": 3, "bursts": 2, "burst_ms": 340,
            "burst_density": 0.5, "gap_density": 0.01, "sent_packets": 10, "dropped_packets": 3,
        });
        let text: Vec<String> = figures(&media).into_iter().map(|(word, text)| format!("{word} {text}")).collect();
        assert_eq!(
            text,
            [
                "received 950 packets, 50 lost (5.0 %), 3 too late to be played",
                "sent 10 packets",
                "bursts 2 of 340 ms, in which 50 % went missing, and 1 % between them",
                "dropped 3 packets: damaged, late or twice",
            ]
        );
    }
}
