//! SDP as phones, servers and browsers write it, and the round trip of what we write.

use proptest::prelude::*;
use std::net::{IpAddr, SocketAddr};
use tandem::wire::description::{Description, Direction, Format, Kind, Media};
use tandem::wire::sdp::{SdpError, parse, write};

fn read(lines: &[&str]) -> Description {
    let text = lines.join("\r\n") + "\r\n";
    let description = parse(text.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!(parse(write(&description, "again").as_bytes()).unwrap(), description);
    description
}

fn refused(lines: &[&str]) -> SdpError {
    parse(lines.join("\r\n").as_bytes()).unwrap_err()
}

/// `payload type encoding/clock rate/channels`
fn formats(media: &Media) -> Vec<String> {
    let written = |f: &Format| format!("{} {}/{}/{}", f.payload_type, f.encoding, f.clock_rate, f.channels);
    media.formats.iter().map(written).collect()
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

#[test]
fn baresip() {
    let d = read(&[
        "v=0",
        "o=- 3423423423 1902 IN IP4 192.0.2.10",
        "s=-",
        "c=IN IP4 192.0.2.10",
        "t=0 0",
        "a=tool:baresip 1.0.0",
        "m=audio 27218 RTP/AVP 96 9 0 8 101",
        "b=AS:125",
        "a=rtpmap:96 opus/48000/2",
        "a=fmtp:96 stereo=1;sprop-stereo=1",
        "a=rtpmap:9 G722/8000",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:101 telephone-event/8000",
        "a=fmtp:101 0-15",
        "a=rtcp:27219",
        "a=sendrecv",
        "a=label:1",
        "a=rtcp-rsize",
        "a=ssrc:1892734 cname:sip:alice@192.0.2.10",
        "a=ptime:20",
    ]);
    assert_eq!((d.session, d.version), (3423423423, 1902));
    let audio = &d.media[0];
    assert_eq!(
        formats(audio),
        ["96 opus/48000/2", "9 G722/8000/1", "0 PCMU/8000/1", "8 PCMA/8000/1", "101 telephone-event/8000/1"]
    );
    assert_eq!(audio.formats[0].fmtp.as_deref(), Some("stereo=1;sprop-stereo=1"));
    assert_eq!((audio.address, audio.rtcp), (address("192.0.2.10:27218"), Some(address("192.0.2.10:27219"))));
    assert_eq!((audio.ptime_ms, audio.direction), (Some(20), Direction::SendRecv));
    assert_eq!(audio.attributes[0], ("label".to_string(), Some("1".to_string())));
    assert_eq!(audio.telephone_events().count(), 1);
}

#[test]
fn linphone() {
    let d = read(&[
        "v=0",
        "o=bob 3724 2381 IN IP4 192.168.1.20",
        "s=Talk",
        "c=IN IP4 192.168.1.20",
        "t=0 0",
        "a=rtcp-xr:rcvr-rtt=all:10000 stat-summary=loss,dup,jitt,TTL voip-metrics",
        "a=record:off",
        "m=audio 7078 RTP/AVP 96 97 98 0 8 18 101 99 100",
        "a=rtpmap:96 opus/48000/2",
        "a=fmtp:96 useinbandfec=1",
        "a=rtpmap:97 speex/16000",
        "a=fmtp:97 vbr=on",
        "a=rtpmap:98 speex/8000",
        "a=fmtp:98 vbr=on",
        "a=fmtp:18 annexb=yes",
        "a=rtpmap:101 telephone-event/48000",
        "a=rtpmap:99 telephone-event/16000",
        "a=rtpmap:100 telephone-event/8000",
        "a=rtcp-fb:* trr-int 5000",
        "a=rtcp-fb:* ccm tmmbr",
    ]);
    let audio = &d.media[0];
    assert_eq!(formats(audio)[3..6], ["0 PCMU/8000/1", "8 PCMA/8000/1", "18 G729/8000/1"]);
    assert_eq!(audio.formats[5].fmtp.as_deref(), Some("annexb=yes"));
    let rates: Vec<_> = audio.telephone_events().map(|format| format.clock_rate).collect();
    assert_eq!(rates, [48_000, 16_000, 8_000]);
}

#[test]
fn sipp() {
    let d = read(&[
        "v=0",
        "o=user1 53655765 2353687637 IN IP4 127.0.0.1",
        "s=-",
        "c=IN IP4 127.0.0.1",
        "t=0 0",
        "m=audio 6000 RTP/AVP 0",
        "a=rtpmap:0 PCMU/8000",
    ]);
    assert_eq!(d.media[0].address, address("127.0.0.1:6000"));
    assert_eq!(formats(&d.media[0]), ["0 PCMU/8000/1"]);
}

#[test]
fn asterisk() {
    let d = read(&[
        "v=0",
        "o=- 1830345117 1830345117 IN IP4 203.0.113.5",
        "s=Asterisk",
        "c=IN IP4 203.0.113.5",
        "t=0 0",
        "m=audio 14042 RTP/AVP 8 0 101",
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:101 telephone-event/8000",
        "a=fmtp:101 0-16",
        "a=ptime:20",
        "a=maxptime:150",
        "a=sendrecv",
    ]);
    assert_eq!((d.media[0].ptime_ms, d.media[0].maxptime_ms), (Some(20), Some(150)));
    assert_eq!(d.media[0].formats[2].fmtp.as_deref(), Some("0-16"));
}

#[test]
fn freeswitch() {
    let d = read(&[
        "v=0",
        "o=FreeSWITCH 1416821932 1416821933 IN IP4 198.51.100.3",
        "s=FreeSWITCH",
        "c=IN IP4 198.51.100.3",
        "t=0 0",
        "m=audio 29376 RTP/AVP 102 9 0 8 101 13",
        "a=rtpmap:102 opus/48000/2",
        "a=fmtp:102 useinbandfec=1; maxaveragebitrate=30000; maxplaybackrate=48000; ptime=20; minptime=10; maxptime=40",
        "a=rtpmap:9 G722/8000",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:101 telephone-event/8000",
        "a=fmtp:101 0-15",
        "a=rtpmap:13 CN/8000",
        "a=ptime:20",
        "m=video 0 RTP/AVP 19",
    ]);
    assert_eq!(formats(&d.media[0])[5], "13 CN/8000/1");
    assert!(d.media[1].is_refused() && d.media[1].kind == Kind::Video);
    assert_eq!(formats(&d.media[1]), ["19 /0/1"]);
}

#[test]
fn cisco() {
    let d = read(&[
        "v=0",
        "o=Cisco-SIPUA 16264 0 IN IP4 10.1.1.9",
        "s=SIP Call",
        "b=AS:4064",
        "t=0 0",
        "m=audio 24648 RTP/AVP 114 9 124 113 115 0 8 116 18 101",
        "c=IN IP4 10.1.1.9",
        "b=TIAS:64000",
        "a=rtpmap:114 opus/48000/2",
        "a=fmtp:114 maxplaybackrate=16000;sprop-maxcapturerate=16000;maxaveragebitrate=64000;stereo=0;sprop-stereo=0;usedtx=0",
        "a=rtpmap:9 G722/8000",
        "a=rtpmap:124 ISAC/16000",
        "a=rtpmap:113 AMR-WB/16000",
        "a=fmtp:113 octet-align=0;mode-change-capability=2",
        "a=rtpmap:115 AMR-WB/16000",
        "a=fmtp:115 octet-align=1;mode-change-capability=2",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:116 iLBC/8000",
        "a=fmtp:116 mode=20",
        "a=rtpmap:18 G729/8000",
        "a=fmtp:18 annexb=yes",
        "a=rtpmap:101 telephone-event/8000",
        "a=fmtp:101 0-15",
        "a=sendrecv",
        "m=application 0 UDP/BFCP *",
        "a=inactive",
    ]);
    assert_eq!(d.media[0].address, address("10.1.1.9:24648"));
    assert_eq!(d.media[0].formats.len(), 10);
    let bfcp = &d.media[1];
    assert_eq!((&bfcp.kind, bfcp.raw_formats.as_str()), (&Kind::Other("application".into()), "*"));
    assert_eq!((bfcp.protocol.as_ref(), bfcp.direction), ("UDP/BFCP", Direction::Inactive));
}

#[test]
fn chrome() {
    let d = read(&[
        "v=0",
        "o=- 4611731400430051336 2 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE 0 1",
        "a=extmap-allow-mixed",
        "a=msid-semantic: WMS stream",
        "a=fingerprint:sha-256 AA:BB",
        "m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126",
        "c=IN IP4 0.0.0.0",
        "a=rtcp:9 IN IP4 0.0.0.0",
        "a=ice-ufrag:4ZcD",
        "a=ice-pwd:2/1muCWoOi3uLifh0NuRHlnb",
        "a=ice-options:trickle",
        "a=setup:actpass",
        "a=mid:0",
        "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level",
        "a=sendrecv",
        "a=msid:stream track",
        "a=rtcp-mux",
        "a=rtpmap:111 opus/48000/2",
        "a=rtcp-fb:111 transport-cc",
        "a=fmtp:111 minptime=10;useinbandfec=1",
        "a=rtpmap:63 red/48000/2",
        "a=fmtp:63 111/111",
        "a=rtpmap:9 G722/8000",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:13 CN/8000",
        "a=rtpmap:110 telephone-event/48000",
        "a=rtpmap:126 telephone-event/8000",
        "a=ssrc:3735928559 cname:x",
        "m=video 0 UDP/TLS/RTP/SAVPF 96 97",
        "c=IN IP4 0.0.0.0",
        "a=bundle-only",
        "a=mid:1",
        "a=rtpmap:96 VP8/90000",
        "a=rtpmap:97 rtx/90000",
        "a=fmtp:97 apt=96",
    ]);
    let audio = &d.media[0];
    assert!(audio.rtcp_mux);
    assert_eq!((audio.address, audio.rtcp), (address("0.0.0.0:9"), Some(address("0.0.0.0:9"))));
    assert_eq!(audio.formats[0].fmtp.as_deref(), Some("minptime=10;useinbandfec=1"));
    let value =
        |name: &str| audio.attributes.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_deref());
    assert_eq!(value("fingerprint"), Some(Some("sha-256 AA:BB")));
    assert_eq!((value("setup"), value("mid")), (Some(Some("actpass")), Some(Some("0"))));
    assert_eq!(value("rtpmap").or(value("rtcp-mux")).or(value("sendrecv")), None);
    assert!(d.media[1].attributes.contains(&("bundle-only".to_string(), None)));
    assert_eq!(formats(&d.media[1]), ["96 VP8/90000/1", "97 rtx/90000/1"]);
}

#[test]
fn fax() {
    let d = read(&[
        "v=0",
        "o=gw 1 1 IN IP4 192.0.2.1",
        "s=-",
        "c=IN IP4 192.0.2.1",
        "t=0 0",
        "m=image 4370 udptl t38",
        "a=T38FaxVersion:0",
        "a=T38FaxRateManagement:transferredTCF",
    ]);
    let fax = &d.media[0];
    assert_eq!((fax.protocol.as_ref(), fax.raw_formats.as_str(), fax.formats.len()), ("udptl", "t38", 0));
    assert_eq!(fax.attributes[0], ("T38FaxVersion".to_string(), Some("0".to_string())));
}

#[test]
fn the_session_speaks_for_media_that_says_nothing() {
    let d = read(&[
        "v=0",
        "o=- 1 1 IN IP6 2001:db8::1",
        "s=-",
        "c=IN IP6 2001:db8::1",
        "t=0 0",
        "a=sendonly",
        "a=ptime:30",
        "m=audio 4000/2 RTP/AVP 0",
        "m=audio 4002 RTP/AVP 8",
        "c=IN IP4 224.2.1.1/127",
        "a=recvonly",
        "a=ptime:10",
        "a=rtcp:53020 IN IP6 2001:db8::2",
    ]);
    let [first, second] = &d.media[..] else { panic!() };
    assert_eq!(
        (first.address, first.direction, first.ptime_ms),
        (address("[2001:db8::1]:4000"), Direction::SendOnly, Some(30))
    );
    assert_eq!(
        (second.address, second.direction, second.ptime_ms),
        (address("224.2.1.1:4002"), Direction::RecvOnly, Some(10))
    );
    assert_eq!(second.rtcp, Some(address("[2001:db8::2]:53020")));
    assert!(first.is_held() && !second.is_held());
}

fn minimal(c: &str, media: &str) -> Description {
    read(&["v=0", "o=- 1 1 IN IP4 192.0.2.1", "s=-", c, "t=0 0", media])
}

#[test]
fn hold_by_an_address_of_zeros() {
    let held = &minimal("c=IN IP4 0.0.0.0", "m=audio 4000 RTP/AVP 0").media[0];
    assert_eq!((held.address, held.is_held()), (address("0.0.0.0:4000"), true));
    assert!(!minimal("c=IN IP4 192.0.2.1", "m=audio 4000 RTP/AVP 0").media[0].is_held());
    assert!(!minimal("c=IN IP4 0.0.0.0", "m=audio 0 RTP/AVP 0").media[0].is_held());
}

#[test]
fn a_host_name_is_noted_and_never_written() {
    let text = "v=0\r\no=- 1 1 IN IP4 h\r\ns=-\r\nc=IN IP4 media.example.com\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
    let d = parse(text.as_bytes()).unwrap();
    assert_eq!(
        (d.media[0].address, d.media[0].unresolved_host()),
        (address("0.0.0.0:4000"), Some("media.example.com"))
    );
    assert!(!d.media[0].is_held());
    assert!(!write(&d, "").contains("media.example.com"));
}

#[test]
fn assigned_payload_types() {
    let d = minimal("c=IN IP4 192.0.2.1", "m=audio 4000 RTP/AVP 0 3 8 9 10 11 13 18 34 35 0 128 x");
    assert_eq!(
        formats(&d.media[0]),
        [
            "0 PCMU/8000/1",
            "3 GSM/8000/1",
            "8 PCMA/8000/1",
            "9 G722/8000/1",
            "10 L16/44100/2",
            "11 L16/44100/1",
            "13 CN/8000/1",
            "18 G729/8000/1",
            "34 H263/90000/1",
            "35 /0/1"
        ]
    );
    assert_eq!(d.media[0].formats[4].codec(), None);
}

#[test]
fn what_does_not_matter_may_be_wrong() {
    let text = b"v=0 \r\no=J\xfcrgen x 99999999999999999999999 IN\r\ns=caf\xe9\r\nnonsense\r\n\r\nb=x\r\nc=IN IP4 192.0.2.1\nz=\r\nt=\r\n\
        m=audio  4000  RTP/AVP  0 \r\na=ptime:x\r\na=rtpmap:0\r\na=rtpmap:x PCMU/8000\r\na=rtcp:x\r\na=x-name:J\xfcrgen\r\na=\r\n\
        y=1\r\nm=video 0 RTP/AVP";
    let d = parse(text).unwrap();
    assert_eq!((d.session, d.version, d.media.len()), (0, 0, 2));
    assert_eq!(formats(&d.media[0]), ["0 PCMU/8000/1"]);
    assert_eq!((d.media[0].ptime_ms, d.media[0].rtcp), (None, None));
    assert!(d.media[0].attributes.contains(&("x-name".to_string(), Some("J\u{fc}rgen".to_string()))));
    assert!(d.media[1].is_refused() && d.media[1].formats.is_empty());
}

#[test]
fn errors_name_the_line() {
    assert_eq!(refused(&["o=x"]).line, 1);
    assert_eq!(refused(&["v=1"]).line, 1);
    assert_eq!(refused(&["v=0", "", "c=IN IP4"]).line, 3);
    assert_eq!(refused(&["v=0", "s=-", "m=audio x RTP/AVP 0"]).line, 3);
    assert_eq!(refused(&["v=0", "s=-", "t=0 0", "m=audio 66000 RTP/AVP 0"]).line, 4);
    let error = refused(&["v=0", "s=-", "m=audio 0 RTP/AVP 0", "m=audio 4000 RTP/AVP 0"]);
    assert_eq!(error.to_string(), "SDP line 4: the media has no c= line, nor has the session");
    assert_eq!(parse(b"").unwrap_err().line, 1);
}

#[test]
fn bounds() {
    let many = |line: &str, count: usize| {
        format!("v=0\nc=IN IP4 1.2.3.4\nm=audio 1 RTP/AVP 0\n{}", format!("{line}\n").repeat(count))
    };
    assert!(parse(many("m=audio 1 RTP/AVP 0", 31).as_bytes()).is_ok());
    assert_eq!(parse(many("m=audio 1 RTP/AVP 0", 32).as_bytes()).unwrap_err().line, 35);
    assert!(parse(many("a=x", 256).as_bytes()).is_ok());
    assert_eq!(parse(many("a=x", 257).as_bytes()).unwrap_err().line, 260);
    let line = format!("m=audio 1 RTP/AVP{}", " 0".repeat(65));
    assert_eq!(parse(many(&line, 1).as_bytes()).unwrap_err().line, 4);
    assert_eq!(parse(&[b'v'; 70_000]).unwrap_err().line, 0);
}

#[test]
fn what_we_write_reads_well() {
    let d = minimal("c=IN IP4 192.0.2.1", "m=audio 4000 RTP/AVP 0 9");
    assert_eq!(
        write(&d, "Tandem\r\nm=evil"),
        "v=0\r\no=tandem 1 1 IN IP4 192.0.2.1\r\ns=Tandemm=evil\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
         m=audio 4000 RTP/AVP 0 9\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:9 G722/8000\r\na=sendrecv\r\n"
    );
}

fn a_format() -> impl Strategy<Value = Format> {
    let encoding = prop_oneof![Just("PCMU".to_string()), Just("opus".into()), "[A-Za-z][A-Za-z0-9-]{0,12}"];
    let fmtp = proptest::option::of("[!-~]([ -~]{0,30}[!-~])?");
    (0..128u8, encoding, 1..200_000u32, 1..8u8, fmtp).prop_map(
        |(payload_type, encoding, clock_rate, channels, fmtp)| Format {
            payload_type,
            encoding: encoding.into(),
            clock_rate,
            channels,
            fmtp,
        },
    )
}

fn an_ip() -> impl Strategy<Value = IpAddr> {
    prop_oneof![any::<[u8; 4]>().prop_map(IpAddr::from), any::<[u8; 16]>().prop_map(IpAddr::from)]
}

fn a_media() -> impl Strategy<Value = Media> {
    let formats = prop::collection::vec(a_format(), 1..12).prop_map(|mut formats| {
        formats.sort_by_key(|format| format.payload_type);
        formats.dedup_by_key(|format| format.payload_type);
        formats
    });
    let kind = prop_oneof![Just(Kind::Audio), Just(Kind::Video), Just(Kind::Other("application".into()))];
    let direction =
        prop::sample::select(vec![Direction::SendRecv, Direction::SendOnly, Direction::RecvOnly, Direction::Inactive]);
    let rtcp = proptest::option::of((an_ip(), 1..u16::MAX).prop_map(SocketAddr::from));
    let attributes = prop::collection::vec(("x-[a-z]{1,8}", proptest::option::of("[!-~]{1,20}")), 0..5);
    let times = (proptest::option::of(1..200u32), proptest::option::of(1..200u32));
    let of_rtp = (formats, any::<bool>(), any::<bool>());
    (kind, an_ip(), any::<u16>(), rtcp, direction, times, attributes, of_rtp).prop_map(
        |(kind, ip, port, rtcp, direction, (ptime_ms, maxptime_ms), attributes, (formats, rtcp_mux, is_rtp))| Media {
            kind,
            protocol: if is_rtp { "RTP/AVP" } else { "udptl" }.into(),
            address: SocketAddr::new(ip, port),
            rtcp,
            rtcp_mux,
            direction,
            formats: if is_rtp { formats } else { Vec::new() },
            ptime_ms,
            maxptime_ms,
            bandwidths: vec![("AS".to_owned(), 64), ("TIAS".to_owned(), u64::from(port))],
            attributes,
            raw_formats: if is_rtp { String::new() } else { "t38".into() },
        },
    )
}

#[test]
fn of_several_addresses_the_first_counts() {
    let d = read(&[
        "v=0",
        "o=- 1 1 IN IP4 192.0.2.1",
        "o=- 2 2 IN IP4 192.0.2.2",
        "s=-",
        "c=IN IP4 192.0.2.1",
        "c=IN IP4 192.0.2.9",
        "t=0 0",
        "m=audio 4000 RTP/AVP 0",
        "c=IN IP4 192.0.2.3",
        "c=IN IP4 192.0.2.4",
        "m=audio 4002 RTP/AVP 0",
    ]);
    assert_eq!((d.session, d.version), (1, 1));
    assert_eq!((d.media[0].address, d.media[1].address), (address("192.0.2.3:4000"), address("192.0.2.1:4002")));
}

#[test]
fn a_line_without_an_address_does_not_spoil_the_others() {
    let d = read(&[
        "v=0",
        "o=- 1 1 IN IP4 192.0.2.1",
        "s=-",
        "t=0 0",
        "m=application 9 TCP/BFCP *",
        "m=audio 4000 RTP/AVP 0",
        "c=IN IP4 192.0.2.3",
    ]);
    assert_eq!((d.media[0].address, d.media[1].address), (address("0.0.0.0:9"), address("192.0.2.3:4000")));
}

#[test]
fn bandwidths_are_kept_and_nonsense_among_them_is_not() {
    let mut lines = vec![
        "v=0",
        "o=- 1 1 IN IP4 192.0.2.1",
        "s=-",
        "c=IN IP4 192.0.2.1",
        "b=AS:99",
        "t=0 0",
        "m=video 4000 RTP/AVP 96",
        "b=AS:512",
        "b=TIAS:500000",
        "b=:1",
        "b=AS",
        "b=AS:many",
        "b=AS:-1",
    ];
    lines.extend(["b=X-a:1"; 20]);
    lines.push("a=rtpmap:96 VP8/90000");
    let d = read(&lines);
    let kept = &d.media[0].bandwidths;
    assert_eq!(kept[..2], [("AS".to_owned(), 512), ("TIAS".to_owned(), 500_000)]);
    assert_eq!(kept.len(), 8);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read(
        session in any::<u64>(), version in any::<u64>(), media in prop::collection::vec(a_media(), 0..6), name in "\\PC{0,20}",
    ) {
        let description = Description { session, version, media };
        let text = write(&description, &name);
        prop_assert_eq!(parse(text.as_bytes()), Ok(description), "{}", text);
    }
}

/// Another reader of SDP finds the same lines wherever both can read. It refuses more: spaces, origins and bandwidths that
/// phones write and that don't matter.
#[test]
fn another_reader_finds_the_same() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/sdp");
    let mut both = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let whole = std::fs::read(file.unwrap().path()).unwrap();
        // Cut anywhere, it is another text.
        for bytes in (0..whole.len()).step_by(7).map(|end| &whole[..end]).chain([&whole[..]]) {
            let (Ok(ours), Ok(theirs)) = (parse(bytes), sdp_types::Session::parse(bytes)) else { continue };
            let ours: Vec<_> = ours.media.iter().map(|line| (line.address.port(), line.protocol.to_string())).collect();
            let theirs: Vec<_> = theirs.medias.iter().map(|line| (line.port, line.proto.clone())).collect();
            assert_eq!(ours, theirs, "{}", String::from_utf8_lossy(bytes));
            both += 1;
        }
    }
    assert!(both > 100, "{both}");
}
